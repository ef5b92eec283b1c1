"""Recovery: replay has given the state back; what is left is to hold the disk against what the log says.

When an engine opens a home, it looks at the few downloads that the last one left running or stopping, and at nothing
else, so that opening does not take longer as history grows. Pieces are checked when their transfer resumes, not here.
What was found is said in one `Recovered`.
"""

from __future__ import annotations

from uuid import UUID

import attrs

from lading.domain import commands as c
from lading.domain import digests
from lading.domain import events as e
from lading.domain.digests import Digest
from lading.domain.download import Download
from lading.domain.errors import Fenced, IllegalCommand
from lading.domain.states import RUNNING, STOPPING, State
from lading.domain.validators import Validator
from lading.placing import Places
from lading.reading import Reading
from lading.services import Services

READ_BYTES = 4 * 1024 * 1024
LAST_COMPLETIONS = 256


@attrs.define
class Counts:
    """How many of each were found."""

    interrupted: int = 0
    resumable: int = 0
    published: int = 0
    vanished: int = 0
    cleaned: int = 0
    bytes_vouched: int = 0
    bytes_discarded: int = 0


class Recovery:
    """Brings disk and log together after an engine that ended without a word."""

    def __init__(self, services: Services, reading: Reading, places: Places, worker: UUID) -> None:
        self._s = services
        self._reading = reading
        self._places = places
        self._worker = worker
        self.counts = Counts()

    async def run(self) -> Counts:
        """Recover, and say `Recovered` when there was anything to do."""
        left = await self._s.threads.run(self._reading.interrupted)
        for download in left:
            await self.settle(download, "the engine ended without a word")
        self.counts.cleaned += await self._s.threads.run(self._clear_completed)
        if self.counts != Counts():
            counts = attrs.asdict(self.counts)
            await self._s.journal.note(
                self._worker, e.Recovered(worker=self._worker, **counts), context=self._s.context
            )
        return self.counts

    async def settle(self, download: Download, reason: str) -> None:
        """Say how the attempt ended that the log calls running, and that runs no more for the `reason`.

        What somebody asks of it meanwhile is heeded: then the log is asked again.
        """
        self.counts.interrupted += 1
        state: Download | None = download
        while state is not None and state.state in RUNNING | STOPPING and not await self._is_settled(state, reason):
            state = await self._s.journal.load(state.id, state)

    async def _is_settled(self, download: Download, reason: str) -> bool:
        """Bring disk and log together, and tell whether the log took what there was to say."""
        counts, stop = self.counts, c.Stop(attempt=download.attempt, reason=reason)
        if download.state in {State.CANCELLING, State.REMOVING}:
            size = await self._s.threads.run(lambda: self._discard(download))
            if not await self._is_said(download, stop, c.Discard(size=size)):
                return False
            counts.cleaned += 1
            counts.bytes_discarded += size
            return True
        complete = await self._s.threads.run(lambda: self._published(download))
        if complete is not None:
            if not await self._is_said(download, complete):
                return False
            counts.published += 1
            await self._s.threads.run(lambda: self._unlink_part(download))
            return True
        part_there = await self._s.threads.run(lambda: self._part_inode(download) is not None)
        if not await self._is_said(download, stop):
            return False
        if download.durable:
            counts.resumable += part_there
            counts.vanished += not part_there
            counts.bytes_vouched += download.received
        return True

    async def _is_said(self, download: Download, *commands: c.Command) -> bool:
        try:
            await self._s.journal.execute(download.id, *commands, state=download, context=self._s.context)
        except (Fenced, IllegalCommand):
            return False
        return True

    def _published(self, download: Download) -> c.Complete | None:
        """Return what completes a download whose file had got its final name when the engine ended, or None.

        The final name is ours when it has the inode that `Verified` told, or that our part still has. A file published
        without a `Verified` is digested again; what vouches for it must be known, else the name is taken back.
        """
        final, inode = self._final(download), self._part_inode(download)
        there = self._s.disk.inode(final) if final else None
        if final is None or there is None or download.path is None:
            return None
        verified = self._verified(download)
        if verified is not None and verified.inode == there and verified.size == (download.total or 0):
            return self._complete(download, download.path, verified.size, verified.digest)
        if inode is None or inode != there:
            return None
        expected = Digest.parse(download.order.digest) if download.order.digest else None
        size, digest = self._digest(final, expected.algorithm if expected else digests.DEFAULT)
        if (expected is not None and digest == str(expected)) or (expected is None and size == download.total):
            return self._complete(download, download.path, size, digest)
        self._s.disk.unlink(final)
        return None

    def _complete(self, download: Download, path: str, size: int, digest: str) -> c.Complete:
        known = download.validator
        if download.order.digest is not None:
            assurance = "digest"
        else:
            assurance = "length" if known is not None and known.length is not None else "framing"
        return c.Complete(
            attempt=download.attempt,
            path=path,
            size=size,
            digest=digest,
            assurance=assurance,
            url=download.url or download.order.url,
            validator=known or Validator(),
        )

    def _verified(self, download: Download) -> e.Verified | None:
        facts = self._reading.stream(download.id)
        found = [f.event for f in facts if isinstance(f.event, e.Verified) and f.event.attempt == download.attempt]
        return found[-1] if found else None

    def _digest(self, path: str, algorithm: str) -> tuple[int, str]:
        running, at = digests.hasher(algorithm), 0
        while data := self._s.disk.read(path, at, READ_BYTES):
            running.update(data)
            at += len(data)
        return at, f"{algorithm}:{running.hexdigest()}"

    def _final(self, download: Download) -> str | None:
        return self._places.absolute(download.order.root, download.path) if download.path else None

    def _part_inode(self, download: Download) -> int | None:
        if download.part is None:
            return None
        return self._s.disk.inode(self._places.absolute(download.order.root, download.part))

    def _unlink_part(self, download: Download) -> int:
        if download.part is None:
            return 0
        return self._s.disk.unlink(self._places.absolute(download.order.root, download.part))

    def _discard(self, download: Download) -> int:
        final, inode = self._final(download), self._part_inode(download)
        if final is not None and inode is not None and self._s.disk.inode(final) == inode:
            self._s.disk.unlink(final)
        return self._unlink_part(download)

    def _clear_completed(self) -> int:
        """Remove parts of downloads that completed just before the end: their content has its final name already."""
        cleared = 0
        for download in self._reading.last_completed(LAST_COMPLETIONS):
            inode, final = self._part_inode(download), self._final(download)
            if inode is not None and final is not None and self._s.disk.inode(final) == inode:
                self._unlink_part(download)
                cleared += 1
        return cleared
