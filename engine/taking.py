"""Taking the part file of an attempt in hand: the one of an earlier attempt, or a new one, held against the log."""

from __future__ import annotations

from lading.domain import commands as c
from lading.domain.download import Download
from lading.domain.validators import Validator
from lading.holding import Holding
from lading.placing import Place, Places
from lading.services import Services
from lading.work import Work


class Taking:
    """Gives an attempt's work its part."""

    def __init__(self, services: Services, places: Places, work: Work) -> None:
        self._s = services
        self._places = places
        self._work = work

    async def old(self, download: Download, place: Place) -> Holding | None:
        """Take the part of an earlier attempt, when it is on this storage and its lock can be had."""
        if download.part is None or download.storage != place.storage:
            return None
        path = self._places.absolute(download.order.root, download.part)
        part = await self._s.threads.run(lambda: self._s.disk.open_part(path, create=False))
        return None if part is None else self._work.hold(path, part)

    async def new(self, before: Download) -> None:
        """Take a part of this attempt's own; where another holds the old one, copy what the log vouches for."""
        work, order = self._work, before.order
        assert work.download.part is not None
        path = self._places.absolute(order.root, work.download.part)
        held = work.hold(path)
        if before.part is None:
            return
        old = self._places.absolute(order.root, before.part)
        if before.durable and before.validator is not None:
            await self._copy(held, old, before, before.validator)
        await self._s.threads.run(lambda: self._drop(old, path))

    def _drop(self, old: str, new: str) -> None:
        """Remove a part that this attempt could not go on with, unless somebody holds it."""
        part = self._s.disk.open_part(old, create=False) if old != new else None
        if part is not None:
            self._s.disk.unlink(old)
            part.close()

    async def _copy(self, held: Holding, old: str, before: Download, validator: Validator) -> None:
        """Copy what the log vouches for out of an old part, as far as its digests agree, and say so."""
        work, order = self._work, before.order
        copied = await held.copy_from(old, await work.pieces(before.version), before.total)
        if copied:
            work.probe = c.Probe(
                attempt=self._work.number,
                url=before.url or order.url,
                status=0,
                total=before.total,
                validator=validator,
            )
            await work.checkpoint()

    async def mend(self) -> None:
        """Begin a repair: copy what is sound of the published file, which stays as it is, and say what is held then."""
        work = self._work
        download, pieces = work.download, await work.mendable()
        if pieces and download.path is not None:
            damaged = self._places.absolute(download.order.root, download.path)
            if await work.held.copy_from(damaged, pieces, download.total):
                await work.checkpoint()

    async def check(self, held: Holding) -> None:
        """Believe of the part only what the log vouches for and the disk still holds; say what is discarded."""
        findings = await held.check(await self._work.pieces(), self._work.download.total)
        if findings:
            await self._work.report(
                *(c.Reject(attempt=self._work.number, start=f.start, end=f.end, reason=f.reason) for f in findings)
            )
        await held.cut()
