"""A log in memory, plain and deterministic: what a simulation runs on, and what the other logs are held against.

It keeps the contract of `lading.domain.ports.Log` word by word and nothing beyond it: positions count from 1 without
gaps, and nothing outlives the object.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from uuid import UUID

from lading.domain.errors import StoreUnavailable
from lading.domain.ports import Conflict, Entry, Recorded


class MemoryLog:
    """Implements `lading.domain.ports.Log` with lists."""

    def __init__(self) -> None:
        self._events: list[Recorded] = []
        self._streams: dict[UUID, list[Recorded]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def append(self, requests: Sequence[Sequence[Entry]]) -> Sequence[tuple[int, ...] | Conflict]:
        """Store each request whole or not at all, in order; see `Log.append`."""
        with self._lock:
            self._check_open()
            return [self._conflict(request) or self._store(request) for request in requests]

    def read(self, after: int = 0, limit: int = 1000) -> Sequence[Recorded]:
        """Return at most `limit` events whose position is greater than `after`, in order of position."""
        with self._lock:
            self._check_open()
            return self._events[max(after, 0) : max(after, 0) + max(limit, 0)]

    def stream(self, stream: UUID, after: int = 0) -> Sequence[Recorded]:
        """Return the events of one stream whose version is greater than `after`, in order of version."""
        with self._lock:
            self._check_open()
            return self._streams.get(stream, [])[max(after, 0) :]

    def head(self) -> int:
        """Return the position of the last event, 0 when there is none."""
        with self._lock:
            self._check_open()
            return len(self._events)

    def close(self) -> None:
        """Let go of the log; a second call does nothing."""
        self._closed = True

    def copy(self) -> MemoryLog:
        """Return another log that holds the same events, open."""
        other = MemoryLog()
        with self._lock:
            other._events = list(self._events)
            other._streams = {stream: list(events) for stream, events in self._streams.items()}
        return other

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the log is closed", hint="open it again")

    def _conflict(self, request: Sequence[Entry]) -> Conflict | None:
        last: dict[UUID, int] = {}
        for entry in request:
            found = last.get(entry.stream, len(self._streams.get(entry.stream, ())))
            if entry.version != found + 1:
                return Conflict(entry.stream, entry.version - 1, found)
            last[entry.stream] = entry.version
        return None

    def _store(self, request: Sequence[Entry]) -> tuple[int, ...]:
        positions = []
        for entry in request:
            event = Recorded(len(self._events) + 1, *entry)
            self._events.append(event)
            self._streams.setdefault(entry.stream, []).append(event)
            positions.append(event.position)
        return tuple(positions)
