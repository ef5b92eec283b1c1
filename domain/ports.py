"""What the domain asks of the world, as Protocols that the domain owns.

An adapter implements a port; `lading.testing` ships an in-memory implementation of each, so that a test (ours or an
embedder's) can own time, chance, the disk, the network and the log. Ports that work on files, logs and stores are plain
blocking functions: the engine decides which thread they run in. Only what waits for a network is async.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

import attrs

T = TypeVar("T")


class Entry(NamedTuple):
    """One event on its way into a log: `version` counts from 1 in its `stream`, `state` is the sealed envelope."""

    stream: UUID
    version: int
    topic: str
    state: bytes


class Recorded(NamedTuple):
    """One event as a log holds it: `position` is its order in the whole log, strictly increasing, gaps allowed."""

    position: int
    stream: UUID
    version: int
    topic: str
    state: bytes


@attrs.frozen
class Conflict:
    """The answer to a request whose versions did not continue their streams; nothing of that request was stored."""

    stream: UUID
    expected: int
    found: int


class Log(Protocol):
    """An append-only log of events in streams; every method may block, and may be called from any thread."""

    def append(self, requests: Sequence[Sequence[Entry]]) -> Sequence[tuple[int, ...] | Conflict]:
        """Store each request whole or not at all, in order, in one durable commit.

        The first entry of a stream in a request must carry the version after the stream's last, and further ones must
        follow on; else that request alone answers `Conflict` and the others are stored.

        Returns:
            For each request the positions of its entries, durable when this returns, or its `Conflict`.

        Raises:
            StoreUnavailable: nothing was stored, and the log says why (full disk, closed, damaged).
        """
        ...

    def read(self, after: int = 0, limit: int = 1000) -> Sequence[Recorded]:
        """Return at most `limit` events whose position is greater than `after`, in order of position."""
        ...

    def stream(self, stream: UUID, after: int = 0) -> Sequence[Recorded]:
        """Return the events of one stream whose version is greater than `after`, in order of version."""
        ...

    def head(self) -> int:
        """Return the position of the last event, 0 when there is none; cheap enough to poll every few milliseconds."""
        ...

    def close(self) -> None:
        """Let go of the log; a second call does nothing."""
        ...


class Reader(Protocol):
    """A consistent look at an ordered key-value store, valid until its context ends."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""
        ...

    def scan(
        self, prefix: bytes, *, start: bytes | None = None, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Walk the keys that begin with `prefix` in byte order (backwards when `reverse`).

        With `start`, begin at that key (inclusive; going backwards, at the last key ≤ `start`).
        """
        ...


class Transaction(Reader, Protocol):
    """A reader that can also write; what it wrote is visible to its own reads, and to others once committed."""

    def put(self, key: bytes, value: bytes) -> None:
        """Store `value` under `key` (1 to 511 bytes)."""
        ...

    def delete(self, key: bytes) -> None:
        """Remove `key` if it is there."""
        ...


class Store(Protocol):
    """An ordered key-value store with transactions; views and the vault stand on it."""

    def read(self) -> AbstractContextManager[Reader]:
        """Open a consistent look; keep it short, an open reader keeps old pages alive."""
        ...

    def write(self) -> AbstractContextManager[Transaction]:
        """Open the one write transaction: committed when the context ends well, undone when it raises."""
        ...

    def close(self) -> None:
        """Let go of the store; a second call does nothing."""
        ...


class Clock(Protocol):
    """Time, twice: what people call now, and what measures durations."""

    def now_ns(self) -> int:
        """Return UTC as nanoseconds since 1970; may step backwards."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never steps backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Chance(Protocol):
    """Randomness that a test can seed: jitter and ids."""

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high]."""
        ...

    def uuid(self, now_ns: int) -> UUID:
        """Return a new time-ordered id (UUIDv7, RFC 9562 §5.7)."""
        ...


class Threads(Protocol):
    """Where blocking work runs: worker threads in production, in line under a simulation."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` off the event loop and return what it returns; not abandoned when the caller is cancelled."""
        ...
