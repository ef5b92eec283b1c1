"""A receiver of hooks that a test owns, and cursors that outlive an engine."""

from __future__ import annotations

from collections import deque
from typing import Any

from lading.domain.hooks import Cursor, Hook, HookFailed, Payload


class MemoryReceiver:
    """Takes what hooks are told: `received` has it in order; each of `trouble` makes one delivery fail with that."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.trouble: deque[str] = deque()
        self.asked = 0

    async def deliver(self, hook: Hook, told: Payload) -> None:  # noqa: ARG002 # whichever hook it is
        """Take one event."""
        self.asked += 1
        if self.trouble:
            raise HookFailed(self.trouble.popleft())
        self.received.append(dict(told))


class MemoryCursors:
    """Where hooks have come to, in memory."""

    def __init__(self) -> None:
        self._held: dict[str, Cursor] = {}

    def load(self, name: str) -> Cursor | None:
        """Return where a hook has come to."""
        return self._held.get(name)

    def save(self, name: str, cursor: Cursor) -> None:
        """Keep that."""
        self._held[name] = cursor

    def copy(self) -> MemoryCursors:
        """Return other cursors that are as these are now."""
        other = MemoryCursors()
        other._held = dict(self._held)
        return other
