"""Slots: how many connections there are to each host, and whose turn it is when there may be no more.

A download's first connection waits for a slot, in the order of coming; further ones are taken on only while there is
room and nobody waits. Whoever has further ones gives one up when somebody waits: so none waits longer than that takes.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

import trio


class Slots:
    """The slots of one engine.

    Args:
        connections: how many there are to each host (`host:port`); kept up to date here.
        most: how many there may be to a host; 0 means no limit.
    """

    def __init__(self, connections: Counter[str], most: Callable[[str], int]) -> None:
        self._connections = connections
        self._most = most
        self._waiting: dict[str, deque[object]] = {}
        self._news = trio.Event()

    def is_wanted(self, host: str) -> bool:
        """Tell whether somebody waits for a first connection to a host."""
        return host in self._waiting

    def has_room(self, host: str) -> bool:
        """Tell whether a further connection to a host may be made."""
        return host not in self._waiting and self._is_free(host)

    def enter(self, host: str) -> None:
        """Count one more connection, whether there is room or not."""
        self._connections[host] += 1

    def leave(self, host: str) -> None:
        """Count one fewer."""
        left = self._connections[host] - 1
        if left > 0:
            self._connections[host] = left
        else:
            del self._connections[host]
        if self._waiting:
            self.tell()

    def tell(self) -> None:
        """Have those who wait look again: something has changed."""
        news, self._news = self._news, trio.Event()
        news.set()

    def first(self, host: str) -> Slot:
        """Return what waits for a slot, and holds it: for a download's first connection to a host."""
        return Slot(self, host)

    async def wait(self, host: str) -> None:
        """Wait for the turn to have a slot."""
        if self.has_room(host):
            return
        me, line = object(), self._waiting.setdefault(host, deque())
        line.append(me)
        try:
            while line[0] is not me or not self._is_free(host):
                await self._news.wait()
        finally:
            line.remove(me)
            if not line:
                del self._waiting[host]
            self.tell()

    def _is_free(self, host: str) -> bool:
        most = self._most(host)
        return not most or self._connections[host] < most


class Slot:
    """A slot at a host: waited for where it is entered, and held until it is left."""

    __slots__ = ("_host", "_slots")

    def __init__(self, slots: Slots, host: str) -> None:
        self._slots = slots
        self._host = host

    async def __aenter__(self) -> None:
        await self._slots.wait(self._host)
        self._slots.enter(self._host)

    async def __aexit__(self, *_: object) -> None:
        self._slots.leave(self._host)
