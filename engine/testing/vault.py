"""A vault in memory: secrets in a dictionary, for tests that only need them kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

from lading.domain.ports import Secrets


class MemoryVault:
    """Keeps secrets as long as it lives."""

    def __init__(self) -> None:
        self._kept: dict[UUID, Secrets] = {}

    def handle(self, url: str) -> str:
        """Return a name for a URL that does not tell it, the same in every run."""
        return "v1:" + hashlib.blake2b(url.encode(), key=b"simulated", digest_size=16).hexdigest()

    def keep(self, secrets: Sequence[tuple[UUID, Secrets]]) -> None:
        """Keep them."""
        self._kept |= dict(secrets)

    def recall(self, download: UUID) -> Secrets | None:
        """Return those of one download, or None."""
        return self._kept.get(download)

    def exchange(self, download: UUID, before: Secrets | None, after: Secrets | None) -> bool:
        """Put `after` in the place of `before`, if that is what there is; None is nothing."""
        if self._kept.get(download) != before:
            return False
        self._kept.pop(download, None)
        if after is not None:
            self._kept[download] = after
        return True

    def forget(self, downloads: Sequence[UUID]) -> None:
        """Lose those of these downloads."""
        for download in downloads:
            self._kept.pop(download, None)

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""
