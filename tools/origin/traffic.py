"""What an origin was asked and what it answered, for tests to look at while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import attrs

EXCHANGES_MAX = 100_000


@attrs.frozen(kw_only=True)
class Exchange:
    """One request and what became of it so far.

    Attributes:
        connection: The number of its connection, from 1 in the order of acceptance.
        method: As sent.
        path: The request's target as sent, with its query.
        headers: The request's, by lower-case name.
        begun: When it arrived, in seconds of `time.monotonic`.
        status: The answer's; 0 while there is none.
        sent: Bytes of the answer's body handed to the socket, chunk framing left out; final once `ended`.
        ended: Whether the last byte is out, or the connection broke.
    """

    connection: int
    method: str
    path: str
    headers: Mapping[str, str]
    begun: float
    status: int = 0
    sent: int = 0
    ended: bool = False


class Traffic:
    """The exchanges of an origin in order of arrival, the latest `EXCHANGES_MAX` of them; for any thread."""

    def __init__(self) -> None:
        self._moved = threading.Condition()
        self._exchanges: dict[int, Exchange] = {}
        self._begun = 0

    def begin(self, exchange: Exchange) -> int:
        """Record a request that has arrived, and return its ticket."""
        with self._moved:
            self._begun += 1
            self._exchanges[self._begun] = exchange
            self._exchanges.pop(self._begun - EXCHANGES_MAX, None)
            self._moved.notify_all()
            return self._begun

    def note(self, ticket: int, **changes: Any) -> None:
        """Record what became of it: `status`, `sent`, `ended`."""
        with self._moved:
            if ticket in self._exchanges:
                self._exchanges[ticket] = attrs.evolve(self._exchanges[ticket], **changes)
            self._moved.notify_all()

    def exchanges(self) -> tuple[Exchange, ...]:
        """Return all of them as they stand now."""
        with self._moved:
            return tuple(self._exchanges.values())

    def wait_until(self, holds: Callable[[tuple[Exchange, ...]], bool], timeout_s: float) -> tuple[Exchange, ...]:
        """Block until `holds` says so of the exchanges, and return them.

        Raises:
            TimeoutError: it did not come to hold in time.
        """
        with self._moved:
            if not self._moved.wait_for(lambda: holds(tuple(self._exchanges.values())), timeout_s):
                raise TimeoutError(f"not so after {timeout_s} s, with {len(self._exchanges)} requests")
            return tuple(self._exchanges.values())
