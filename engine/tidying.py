"""Tidying: the parts of what has been published are removed, many at a time, while nobody waits for that.

A part is a second name of the published file. It goes after `Completed` is in the log, not in a pass of the scheduler,
which must not wait for a disk; what is left when an engine is killed, the next recovery removes.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence

import trio

from lading.domain.errors import InvalidDestination
from lading.services import Services


class Tidying:
    """Removes the parts that are left to it; `on_rest` is called when there are none any more."""

    def __init__(self, services: Services) -> None:
        self._s = services
        self._left: list[str] = []
        self._is_running = False
        self.on_rest: Callable[[], None] = lambda: None

    @property
    def is_busy(self) -> bool:
        """Whether a part is left that could be removed."""
        return bool(self._left)

    def leave(self, path: str) -> None:
        """Have a part removed that nobody needs."""
        self._left.append(path)

    def attend(self, nursery: trio.Nursery) -> None:
        """Begin, where there is something to be removed and nobody is at it."""
        if self._left and not self._is_running:
            self._is_running = True
            nursery.start_soon(self.run)

    async def run(self) -> None:
        """Remove what is left, as much as there is at a time; it is forgotten when that has been done."""
        try:
            with trio.CancelScope(shield=True):
                while self._left:
                    paths = tuple(self._left)
                    await self._s.threads.run(functools.partial(self._unlink, paths))
                    del self._left[: len(paths)]
        finally:
            self._is_running = False
        self.on_rest()

    def _unlink(self, paths: Sequence[str]) -> None:
        """Remove files; what cannot be removed is left to the next recovery."""
        for path in paths:
            with contextlib.suppress(InvalidDestination, OSError):
                self._s.disk.unlink(path)
