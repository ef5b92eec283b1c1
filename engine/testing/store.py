"""An ordered key-value store in memory: `lading.domain.ports.Store` as a view or a vault would meet it, only stricter.

What a real store forbids, this one refuses loudly: keys of no or too many bytes, a transaction within a transaction,
the use of a look after its context has ended. Looks are consistent: what is committed while one is open is not seen.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sortedcontainers import SortedDict

from lading.domain.errors import StoreUnavailable
from lading.domain.ports import Reader, Transaction

KEY_BYTES_MAX = 511
Item = tuple[bytes, bytes]


class MemoryStore:
    """An ordered key-value store that lives as long as it is referred to; for use from any thread."""

    def __init__(self) -> None:
        self._rows: SortedDict[bytes, bytes] = SortedDict()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._writer: int | None = None
        self._looks = 0
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Open a consistent look."""
        self._check_open()
        with self._lock:
            self._looks += 1
            look = _Look(self._rows)
        try:
            yield look
        finally:
            look.end()
            with self._lock:
                self._looks -= 1

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open the one write transaction: committed when the context ends well, undone when it raises."""
        self._check_open()
        if self._writer == threading.get_ident():
            raise RuntimeError("a write transaction cannot be begun within another of the same store")
        with self._turn:
            self._writer = threading.get_ident()
            transaction = _Transaction(self._rows)
            try:
                yield transaction
                self._commit(transaction.written)
            finally:
                transaction.end()
                self._writer = None

    def close(self) -> None:
        """Let go of the store; a second call does nothing."""
        self._closed = True

    def _commit(self, written: dict[bytes, bytes | None]) -> None:
        with self._lock:
            if self._looks and written:
                self._rows = self._rows.copy()
            for key, value in written.items():
                if value is None:
                    self._rows.pop(key, None)
                else:
                    self._rows[key] = value

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed", hint="open it again")


class _Look:
    """A consistent look at rows that nobody changes while it is open."""

    def __init__(self, rows: SortedDict[bytes, bytes]) -> None:
        self._rows = rows
        self._ended = False

    def get(self, key: bytes) -> bytes | None:
        self._check()
        value: bytes | None = self._rows.get(key)
        return value

    def scan(self, prefix: bytes, *, start: bytes | None = None, reverse: bool = False) -> Iterator[Item]:
        self._check()
        for key in self._keys(_Range(prefix, start, reverse=reverse)):
            value = self.get(key)
            if value is not None:
                yield key, value

    def end(self) -> None:
        self._ended = True

    def _keys(self, wanted: _Range) -> Iterator[bytes]:
        keys: Iterator[bytes] = self._rows.irange(
            wanted.low, wanted.high, (True, wanted.with_high), reverse=wanted.reverse
        )
        return keys

    def _check(self) -> None:
        if self._ended:
            raise RuntimeError("a look at the store was used after its context had ended")


class _Transaction(_Look):
    """A look that keeps what is written beside the rows until it is committed, and sees it."""

    def __init__(self, rows: SortedDict[bytes, bytes]) -> None:
        super().__init__(rows)
        self.written: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.written[key] if key in self.written else super().get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self._check()
        if not 0 < len(key) <= KEY_BYTES_MAX:
            raise ValueError(f"a key has 1 to {KEY_BYTES_MAX} bytes, this one has {len(key)}")
        self.written[bytes(key)] = bytes(value)

    def change(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Store each value under its key, and remove the keys that have None."""
        for key, value in rows.items():
            if value is None:
                self.delete(key)
            else:
                self.put(key, value)

    def delete(self, key: bytes) -> None:
        self._check()
        self.written[bytes(key)] = None

    def _keys(self, wanted: _Range) -> Iterator[bytes]:
        fresh = sorted((key for key in self.written if wanted.holds(key)), reverse=wanted.reverse)
        merged = heapq.merge(super()._keys(wanted), fresh, reverse=wanted.reverse)
        return (key for key, _ in itertools.groupby(merged))


class _Range:
    """The keys that a scan asks for: from `low` up to `high`, which belongs to them when `with_high`."""

    def __init__(self, prefix: bytes, start: bytes | None, *, reverse: bool) -> None:
        stem = prefix.rstrip(b"\xff")
        self.low = prefix
        self.high = stem[:-1] + bytes([stem[-1] + 1]) if stem else None
        self.with_high = False
        self.reverse = reverse
        if start is not None and not reverse:
            self.low = max(prefix, start)
        elif start is not None and (self.high is None or start < self.high):
            self.high, self.with_high = start, True

    def holds(self, key: bytes) -> bool:
        if key < self.low:
            return False
        return self.high is None or key < self.high or (self.with_high and key == self.high)
