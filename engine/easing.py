"""Easing: what waits for room on a disk goes on when there is some, or when what is kept there can make room for it.

That there is room can be an illusion, since a quota counts what the file system does not tell: whoever is let go on for
nothing rests for longer each time.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from lading.domain import requirements, scheduling
from lading.domain.download import Download
from lading.domain.errors import InvalidDestination
from lading.placing import Places
from lading.reading import Reading
from lading.room import Room, Space
from lading.services import Services
from lading.sweeping import Sweeper

ROOM_TO_GO_ON_BYTES = 64 * 1024 * 1024
ROOM_LOOK_S = 2.0
MOST_A_LOOK = 256
FORGET_S = 2 * scheduling.LONGEST_PATIENCE_S


class _Eased(NamedTuple):
    """How often a download was let go on for nothing, when it may be again, and what it held when it was."""

    times: int
    until_s: float
    received: int


class Easing:
    """Looks after what is blocked by a full disk."""

    def __init__(self, services: Services, reading: Reading, places: Places, sweeper: Sweeper) -> None:
        self._s = services
        self._reading = reading
        self._places = places
        self._sweeper = sweeper
        self._room = Room(services)
        self._seen_s = float("-inf")
        self._eased: dict[UUID, _Eased] = {}

    def look(self) -> list[Download]:
        """Return what is blocked, if it is time to look after it; blocks."""
        if not self._reading.blocked_count or self._s.clock.monotonic() - self._seen_s < ROOM_LOOK_S:
            return []
        return self._reading.blocked(requirements.DISK, MOST_A_LOOK + len(self._eased))

    def lack(self, download: Download, wanted: int, seen: dict[str, Space]) -> str | None:
        """Tell why there is no room on the disk for so much of a download, None when there is; blocks.

        What was `seen` of a folder is not looked at again: of a thousand small files that go to one, one look is
        enough for all that begin together.
        """
        try:
            folder = self._places.absolute(download.order.root, download.order.folder)
            if folder not in seen:
                seen[folder] = self._room.look(folder)
            return self._room.lack(folder, wanted, space=seen[folder])
        except (InvalidDestination, OSError):  # its attempt will say so
            return None

    async def ease(self, blocked: Sequence[Download]) -> list[Download]:
        """Return which of those that were blocked may go on, since there is room for them, or has been made."""
        if not blocked:
            return []
        now_s = self._seen_s = self._s.clock.monotonic()
        self._eased = {id: eased for id, eased in self._eased.items() if now_s - eased.until_s < FORGET_S}
        going: list[Download] = []
        for download in blocked:
            before = self._eased.get(download.id)
            if before is not None and before.received == download.received and now_s < before.until_s:
                continue
            try:
                folder = self._places.absolute(download.order.root, download.order.folder)
                wanted = ROOM_TO_GO_ON_BYTES if download.total is None else max(download.total - download.received, 0)
                fits = functools.partial(self._fits, folder, wanted)
                has_room = await self._s.threads.run(functools.partial(fits, 0))
                has_room = has_room or await self._sweeper.make_room(folder, fits)
            except (InvalidDestination, OSError):
                continue
            if has_room:
                times = before.times + 1 if before is not None and before.received == download.received else 0
                until_s = now_s + scheduling.patience_s(times)
                self._eased[download.id] = _Eased(times, until_s, download.received)
                going.append(download)
        return going

    async def make_room(self, download: Download) -> bool:
        """Make room for what comes next by deleting what is kept; tell whether that was enough."""
        with contextlib.suppress(InvalidDestination, OSError):
            folder = self._places.absolute(download.order.root, download.order.folder)
            wanted = max(0, (download.total or 0) - download.received)
            return await self._sweeper.make_room(folder, functools.partial(self._fits, folder, wanted))
        return False

    def _fits(self, folder: str, wanted: int, more: int) -> bool:
        """Tell whether so many bytes would fit into a folder if so many more were free; blocks."""
        return self._room.lack(folder, wanted - more) is None
