"""Keep track of the read transactions of a process, and let its map be replaced only when none is inside.

Replacing the map invalidates every open transaction. Readers therefore enter through here; whoever must have the
map alone closes the gate, waits a bounded time until the readers of all other threads have left, and opens it
again. A reader that stays too long finds its transaction ended: its next use fails with an error, never with
somebody else's bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmdb import Transaction

DRAIN_WAIT_S = 5.0


class Gate:
    """The readers of one environment."""

    def __init__(self) -> None:
        self._turn = threading.RLock()
        self._moved = threading.Condition(self._turn)
        self._closed = False
        self._inside: dict[Transaction[bytes], int] = {}

    def enter(self, begin: Callable[[], Transaction[bytes]]) -> Transaction[bytes]:
        """Return the transaction that `begin` begins, counted as inside until `leave`."""
        with self._turn:
            if self._closed:
                self._moved.wait_for(lambda: not self._closed, 2 * DRAIN_WAIT_S)
            txn = begin()
            self._inside[txn] = threading.get_ident()
            return txn

    def leave(self, txn: Transaction[bytes]) -> None:
        """End a read transaction; one that has left already does no harm."""
        with self._turn:
            known = self._inside.pop(txn, None)
            if self._closed:
                self._moved.notify_all()
        if known is not None:
            txn.abort()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep readers out, once those of other threads have left or `DRAIN_WAIT_S` has passed."""
        me = threading.get_ident()
        with self._moved:
            self._closed = True
            self._moved.wait_for(lambda: all(thread == me for thread in self._inside.values()), DRAIN_WAIT_S)
        try:
            yield
        finally:
            with self._moved:
                self._closed = False
                self._moved.notify_all()

    @property
    def idle(self) -> bool:
        """Whether no reader is inside."""
        return not self._inside
