"""Recovery: replay has given the state back; what is left is to hold the disk against what the log says.

When an engine opens a home, it looks at the few downloads that the last one left running or stopping, and at nothing
else, so that opening does not take longer as history grows. Pieces are checked when their transfer resumes, not here.
What was found is said in one `Recovered`.
"""

from __future__ import annotations

import contextlib
from uuid import UUID

import attrs

from lading.domain import commands as c
from lading.domain import digests, stops
from lading.domain import events as e
from lading.domain.digests import Digest
from lading.domain.download import Download
from lading.domain.errors import Fenced, IllegalCommand, InvalidDestination
from lading.domain.states import RUNNING, STOPPING, State
from lading.domain.validators import Validator
from lading.files import Files
from lading.quarantine import Quarantine
from lading.reading import Reading
from lading.services import Services

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

    def __init__(self, services: Services, reading: Reading, files: Files, worker: UUID) -> None:
        self._s = services
        self._reading = reading
        self._files = files
        self._quarantine = Quarantine(services, files)
        self._worker = worker
        self.counts = Counts()

    async def run(self) -> Counts:
        """Recover, and say `Recovered` when there was anything to do."""
        left = await self._s.threads.run(self._reading.interrupted)
        for download in left:
            await self.settle(download, stops.CRASHED, goes_on=self._goes_on(download))
        self.counts.cleaned += await self._s.threads.run(self._clear_completed)
        if self.counts != Counts():
            counts = attrs.asdict(self.counts)
            await self._s.journal.note(
                self._worker, e.Recovered(worker=self._worker, **counts), context=self._s.context
            )
        return self.counts

    def _goes_on(self, download: Download) -> bool:
        """Tell whether a download goes on by itself that was running when the engine ended."""
        return self._s.settings.features.is_on("recovery", download.id)

    async def settle(self, download: Download, reason: str, *, goes_on: bool = True) -> None:
        """Say how the attempt ended that the log calls running, and that runs no more for the `reason`.

        Unless it `goes_on`, it is paused then.

        What somebody asks of it meanwhile is heeded: then the log is asked again.
        """
        self.counts.interrupted += 1
        state: Download | None = download
        after = () if goes_on else (c.Pause(),)
        while state is not None and state.state in RUNNING | STOPPING:
            if await self._is_settled(state, reason, after):
                return
            state = await self._s.journal.load(state.id, state)

    async def _is_settled(self, download: Download, reason: str, after: tuple[c.Command, ...]) -> bool:
        """Bring disk and log together, and tell whether the log took what there was to say."""
        counts, stop = self.counts, c.Stop(attempt=download.attempt, reason=reason)
        if download.state in {State.CANCELLING, State.REMOVING}:
            settled = await self._s.threads.run(lambda: self._quarantine.settle(download))
            if not await self._is_said(download, stop, *settled):
                return False
            counts.cleaned += len(settled)
            counts.bytes_discarded += sum(said.size for said in settled if isinstance(said, c.Discard))
            return True
        complete, part_there = await self._s.threads.run(lambda: self._look(download))
        if complete is not None:
            if not await self._is_said(download, complete):
                return False
            counts.published += 1
            await self._s.threads.run(lambda: self._files.unlink_part(download))
            return True
        if not await self._is_said(download, stop, *after):
            return False
        if download.durable:
            counts.resumable += part_there
            counts.vanished += not part_there
            counts.bytes_vouched += download.received
        return True

    def _look(self, download: Download) -> tuple[c.Complete | None, bool]:
        """Return what completes a download, if its file is published, and whether its part is there.

        Where its folder is not known or cannot be read now, there is nothing to see; its next attempt will tell.
        """
        try:
            return self._published(download), self._files.part_inode(download) is not None
        except (InvalidDestination, OSError):
            return None, False

    async def _is_said(self, download: Download, *commands: c.Command) -> bool:
        try:
            await self._s.journal.execute(download.id, *commands, state=download, context=self._s.context)
        except (Fenced, IllegalCommand):
            return False
        return True

    def _published(self, download: Download) -> c.Complete | None:
        """Return what completes a download whose file had got its final name when the engine ended, or None.

        A name that was given without a `Verified` before it is kept only where the log tells what vouches for the
        content; else it is taken back.
        """
        files, final = self._files, self._files.final(download)
        if final is None or download.path is None or files.final_inode(download) is None:
            return None
        ours, verified = files.is_published(download), self._verified(download)
        if verified is not None and (ours or files.holds(final, verified.size, verified.digest)):
            return self._complete(download, download.path, verified.size, verified.digest, verified.assurance)
        if not ours:
            return None
        expected = Digest.parse(download.expected) if download.expected else None
        size, digest = files.digest(final, expected.algorithm if expected else digests.DEFAULT)
        if (expected is not None and digest == str(expected)) or (expected is None and size == download.total):
            return self._complete(download, download.path, size, digest)
        self._s.disk.unlink(final)
        return None

    def _complete(self, download: Download, path: str, size: int, digest: str, verified: str = "") -> c.Complete:
        """Return what completes it; where the log does not tell the assurance, what is known of the resource does."""
        known = download.validator
        if download.expected is not None:
            assurance = "digest"
        else:
            assurance = verified or ("length" if known is not None and known.length is not None else "none")
        return c.Complete(
            attempt=download.attempt,
            path=path,
            size=size,
            digest=digest,
            assurance=assurance,
            url=download.url or download.order.url,
            validator=known or Validator(),
            replaced=self._quarantine.replaced(download),
        )

    def _verified(self, download: Download) -> e.Verified | None:
        facts = self._reading.stream(download.id)
        found = [f.event for f in facts if isinstance(f.event, e.Verified) and f.event.attempt == download.attempt]
        return found[-1] if found else None

    def _clear_completed(self) -> int:
        """Remove parts of downloads that completed just before the end: their content has its final name already.

        However many there are: it is looked further back as long as any were found.
        """
        cleared, most, known = 0, LAST_COMPLETIONS, set[UUID]()
        while True:
            last = [download for download in self._reading.last_completed(most) if download.id not in known]
            found = sum(self._is_cleared(download) for download in last)
            if not found:
                return cleared
            cleared, most = cleared + found, 2 * most
            known.update(download.id for download in last)

    def _is_cleared(self, download: Download) -> bool:
        with contextlib.suppress(InvalidDestination, OSError):
            if self._files.is_published(download):
                self._files.unlink_part(download)
                return True
        return False
