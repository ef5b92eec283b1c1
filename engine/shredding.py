"""Shredding: what somebody wants forgotten goes from the vault and from the cache, and the log is told that it has.

`Forgotten` is the intent, and holds at once: no attempt begins with those secrets any more. The owner of the home
carries it out, as many at a time as there are, because each writing anew of the vault costs its whole size; and says
`KeyShredded`. It can be cut off anywhere and done again: what is not said is not believed.

A download that runs by its secrets is shredded when its attempt has ended. From the cache goes what was fetched by
them, with the keys that were made of them; files that were published or put aside are content, and stay.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Container, Sequence
from uuid import UUID

import trio

from lading.domain import commands as c
from lading.domain.download import Download
from lading.domain.errors import DiskFull, Fenced, IllegalCommand, IntegrityError, StoreUnavailable
from lading.domain.ports import Secrets
from lading.nurseries import open_plain_nursery
from lading.reading import Reading
from lading.services import Services

MOST_AT_ONCE = 1 << 16
TOGETHER = 256
AGAIN_S = 30.0


class Shredding:
    """Carries out what is to be forgotten; `on_rest` is called when a run of `attend` has ended."""

    def __init__(self, services: Services, reading: Reading) -> None:
        self._s = services
        self._reading = reading
        self._again_s = float("-inf")
        self.is_busy = False
        self.on_rest: Callable[[], None] = lambda: None

    @property
    def again_s(self) -> float:
        """When what could not be done is tried again, in monotonic seconds from now on; `inf` when nothing is."""
        return self._again_s if self._again_s > self._s.clock.monotonic() else math.inf

    def wanted(self, running: Container[UUID]) -> list[UUID]:
        """Return downloads whose keys are to be shredded now, as the views have it; blocks."""
        if self.is_busy or self._s.clock.monotonic() < self._again_s:
            return []
        return [id for id in self._reading.to_shred(MOST_AT_ONCE) if id not in running]

    async def recover(self) -> None:
        """Finish what was begun before this engine; what cannot be done now is tried again like anything else."""
        while True:
            await self._s.threads.run(self._reading.catch_up)
            ids = await self._s.threads.run(lambda: self.wanted(()))
            if not ids:
                return
            await self._attend(ids)

    def attend(self, nursery: trio.Nursery, ids: Sequence[UUID]) -> None:
        """Shred in the background, unless that is going on already."""
        if ids and not self.is_busy:
            self.is_busy = True
            nursery.start_soon(self._attend, ids)

    async def _attend(self, ids: Sequence[UUID]) -> None:
        self._again_s = self._s.clock.monotonic() + AGAIN_S
        try:
            with self._s.mishaps.survived("shredding keys", DiskFull, StoreUnavailable, OSError):
                await self._shred(ids)
                self._again_s = float("-inf")
        finally:
            self.is_busy = False
            self.on_rest()

    async def _shred(self, ids: Sequence[UUID]) -> None:
        with trio.CancelScope(shield=True):
            for id in ids:
                await self._empty_cache(id)
            await self._s.threads.run(functools.partial(self._s.vault.forget, ids))
            for start in range(0, len(ids), TOGETHER):
                async with open_plain_nursery() as nursery:
                    for id in ids[start : start + TOGETHER]:
                        nursery.start_soon(self._say, id)

    async def _empty_cache(self, id: UUID) -> None:
        """Have the cache let go of what was fetched by the secrets of a download, as long as they are known."""
        download, kept = await self._s.threads.run(functools.partial(self._look, id))
        if download is not None and download.order.secret:
            await self._s.caching.forget(download, kept)

    def _look(self, id: UUID) -> tuple[Download | None, Secrets | None]:
        try:
            return self._reading.get(id), self._s.vault.recall(id)
        except IntegrityError:
            return self._reading.get(id), None

    async def _say(self, id: UUID) -> None:
        try:
            await self._s.journal.execute(id, c.Shred(), context=self._s.context)
        except (Fenced, IllegalCommand):
            return
