"""Letting go: what was put aside is deleted, said first and done then.

Whoever takes a download back in between has the word: then nothing was said, and nothing is deleted. A crash behind
the word leaves a file that nobody knows, and never a claim on bytes that are gone (law 2).
"""

from __future__ import annotations

import functools

from lading.domain import commands as c
from lading.domain.download import Download
from lading.domain.errors import Fenced, IllegalCommand
from lading.domain.facts import Context
from lading.domain.ports import Conflict
from lading.quarantine import Quarantine
from lading.services import Services


class LettingGo:
    """Deletes what a quarantine keeps, for good."""

    def __init__(self, services: Services, quarantine: Quarantine) -> None:
        self._s = services
        self._quarantine = quarantine

    async def let_go(self, download: Download, context: Context) -> Download | None:
        """Say that what is put aside of a download goes, and delete it; None when it is somebody's again.

        Raises:
            InvalidDestination, OSError: it cannot be looked at now, and nothing was said; or it could not be deleted.
        """
        kept = self._quarantine.named(download)
        size = await self._s.threads.run(functools.partial(self._quarantine.weigh, download))
        try:
            after, said = self._s.journal.draft(download.id, download, [c.Discard(size=size)], context)
        except (Fenced, IllegalCommand):
            return None
        if after is None or not said or isinstance((await self._s.journal.append([said]))[0], Conflict):
            return None
        gone = [path for path in kept if path not in self._quarantine.named(after)]
        if not gone:
            return None
        await self._s.threads.run(functools.partial(self._quarantine.delete, download, gone))
        return after
