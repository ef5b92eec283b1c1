"""Publishing over what lies at the destination already: that is kept under a hidden name first, and said where."""

from __future__ import annotations

from contextlib import suppress

from lading.domain.download import Download
from lading.domain.errors import LadingError
from lading.holding import Holding
from lading.quarantine import Quarantine
from lading.services import Services


class Replacing:
    """Publishes the file of a download; after that, `replaced` is where what lay there before is kept, if anything."""

    def __init__(self, services: Services, quarantine: Quarantine, download: Download, *, replace: bool) -> None:
        self._s = services
        self._quarantine = quarantine
        self._download = download
        self._replace = replace
        self.replaced: str | None = None

    async def publish(self, storage: str, held: Holding, final: str, expected: str | None) -> bool:
        """Publish what is held as `Publisher.publish` does, and tell whether it has the digest that is expected.

        Raises:
            DestinationTaken, DiskFull, InvalidDestination, OSError: nothing was published, and what lay there still
                lies there.
        """
        if not self._replace:
            return await self._s.publisher.publish(storage, held, final, expected, replace=False)
        self.replaced = await self._s.threads.run(lambda: self._quarantine.keep_replaced(self._download))
        is_published = False
        try:
            is_published = await self._s.publisher.publish(storage, held, final, expected, replace=True)
        finally:
            if not is_published:
                with suppress(LadingError, OSError):
                    await self._s.threads.run(lambda: self._quarantine.give_up_replacing(self._download))
        return is_published
