"""Sweeping: the files of what nobody wants are put aside, what was taken back is put back, what was kept is let go.

The owner of the home does it, from one pass of the scheduler to the next; what cannot be done now is tried again later.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Container, Sequence
from uuid import UUID

from lading.domain import commands as c
from lading.domain.download import Download
from lading.domain.errors import Fenced, IllegalCommand
from lading.files import Files
from lading.letting_go import LettingGo
from lading.quarantine import NOT_NOW, Quarantine
from lading.reading import Reading
from lading.services import Services

MOST_A_PASS = 256
SWEEP_AGAIN_S = 30.0


class Sweeper:
    """Brings the files of ended downloads to where the log wants them, and says so."""

    def __init__(self, services: Services, reading: Reading, files: Files) -> None:
        self._s = services
        self._reading = reading
        self._quarantine = Quarantine(services, files)
        self._letting_go = LettingGo(services, self._quarantine)
        self._again_s: dict[UUID, float] = {}

    @property
    def again_s(self) -> float:
        """When what could not be done is tried again, in monotonic seconds from now on; `inf` when nothing is."""
        now_s = self._s.clock.monotonic()
        return min((again_s for again_s in self._again_s.values() if again_s > now_s), default=math.inf)

    def look(self) -> list[Download]:
        """Return what there is to sweep, and what has been kept for long enough; blocks."""
        now_ns, retention_ns = self._s.clock.now_ns(), int(self._s.settings.retention_s * 1e9)
        most = MOST_A_PASS + len(self._again_s)
        return self._reading.litter(most) + self._reading.overdue(now_ns, retention_ns, most)

    async def sweep(self, found: Sequence[Download], running: Container[UUID]) -> None:
        """Do what there is to do for each, and say it."""
        now_s = self._s.clock.monotonic()
        for download in found:
            if download.id in running or self._again_s.get(download.id, now_s) > now_s:
                continue
            if download.litter:
                await self._settle(download, self._quarantine.put_aside, now_s)
            elif download.returning:
                await self._settle(download, self._quarantine.put_back, now_s)
            else:
                await self._let_go(download, now_s)

    async def make_room(self, folder: str, is_enough: Callable[[int], bool]) -> bool:
        """Delete what is kept on the storage of `folder`, the oldest first, until there is enough room.

        What somebody waits for comes before what nobody wants; but nothing is deleted where all of it is not enough.
        `is_enough` is asked with how many bytes more would be free.

        Returns:
            Whether anything was deleted and there is enough now.

        Raises:
            InvalidDestination, OSError: the folder cannot be looked at.
        """
        now_s = self._s.clock.monotonic()
        storage = await self._s.threads.run(functools.partial(self._s.disk.storage, folder))
        kept, more = await self._s.threads.run(functools.partial(self._aside, storage))
        if more is not None and not await self._s.threads.run(functools.partial(is_enough, more)):
            return False
        for download in kept:
            await self._let_go(download, now_s)
            if await self._s.threads.run(functools.partial(is_enough, 0)):
                return True
        return False

    def _aside(self, storage: str) -> tuple[list[Download], int | None]:
        """Return what is kept on a storage, and how many bytes it has, None where there may be more of it; blocks."""
        page = self._reading.aside(MOST_A_PASS)
        kept = [download for download in page if download.storage == storage]
        return kept, None if len(page) == MOST_A_PASS else sum(map(self._quarantine.weigh, kept))

    async def _let_go(self, download: Download, now_s: float) -> None:
        """Delete what is put aside; what cannot be deleted now is tried again later, if the log still names it."""
        self._again_s[download.id] = now_s + SWEEP_AGAIN_S
        with self._s.mishaps.survived(f"deleting what is kept of {download.id}", *NOT_NOW):
            await self._letting_go.let_go(download, self._s.context)
            self._again_s.pop(download.id, None)

    async def _settle(self, download: Download, settle: Callable[[Download], c.Command], now_s: float) -> None:
        """Do it, unless something was said of the download since it was looked at, which the next pass will see."""
        present = await self._s.journal.load(download.id, download)
        if present is None or present.version != download.version:
            return
        said: c.Command | None = None
        with self._s.mishaps.survived(f"putting the files of {download.id} in order", *NOT_NOW):
            said = await self._s.threads.run(functools.partial(settle, download))
        if said is None:
            self._again_s[download.id] = now_s + SWEEP_AGAIN_S
            return
        self._again_s.pop(download.id, None)
        try:
            await self._s.journal.execute(download.id, said, context=self._s.context)
        except (Fenced, IllegalCommand):  # somebody asked for something else meanwhile, which the next pass will see
            return
