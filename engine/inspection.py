"""What lies on the disk of downloads: looked at, never touched.

A look is quick: size and time of the last write. Only where these leave a doubt, or where somebody asks for it, is a
file read and its digest held against the one that the log has.
"""

from __future__ import annotations

from typing import Any

import attrs

from lading.domain import upkeep
from lading.domain.disks import Disk
from lading.domain.download import Download
from lading.domain.errors import InvalidDestination
from lading.domain.upkeep import Look, Presence, Verdict
from lading.files import Files
from lading.placing import Places
from lading.reading import Reading


@attrs.frozen(kw_only=True)
class FileState:
    """What is there of one download: where it lies or should, absolute, what is to be said of it, and bytes read."""

    download: Download
    path: str | None
    verdict: Verdict
    bytes_read: int = 0

    def row(self) -> dict[str, Any]:
        """Return it as `lading files --json` shows it."""
        download, verdict = self.download, self.verdict
        return {
            "id": str(download.id),
            "key": download.order.key,
            "url": download.order.url,
            "path": self.path,
            "state": verdict.presence.value,
            "size": verdict.size,
            "digest": download.digest if download.assurance is not None else None,
            "valid": verdict.valid,
            "reason": verdict.reason or None,
        }


class Inspector:
    """Looks at the files of downloads; every method blocks. While `is_stopping`, no file is read any further."""

    def __init__(self, reading: Reading, disk: Disk, places: Places) -> None:
        self.is_stopping = False
        self._reading = reading
        self._disk = disk
        self._places = places
        self._files = Files(disk, places, reading.claims.is_anothers)

    def look(self, download: Download, *, digest: bool = False, most_bytes: int | None = None) -> FileState:
        """Say what is there of a download; what cannot be looked at now is unknown, with the reason.

        Args:
            download: its state.
            digest: compute the digest of a published file, whether there is a doubt or not.
            most_bytes: read no file that is larger.
        """
        path: str | None = None
        try:
            below = upkeep.watched(download)
            path = None if below is None else self._places.absolute(download.order.root, below)
            verdict, bytes_read = self._judge(download, path, digest=digest, most_bytes=most_bytes)
        except (InvalidDestination, OSError) as error:
            verdict, bytes_read = Verdict(presence=Presence.UNKNOWN, reason=str(error)), 0
        return FileState(download=download, path=path, verdict=verdict, bytes_read=bytes_read)

    def _judge(
        self, download: Download, path: str | None, *, digest: bool, most_bytes: int | None
    ) -> tuple[Verdict, int]:
        look = None if path is None else self._disk.look(path)
        if not download.has_published or download.kept is not None:
            return upkeep.judge(download, look), 0
        replaced = self._reading.claims.is_replaced(download)
        if look is None and path is not None and not replaced and self._is_elsewhere(download, path):
            return Verdict(presence=Presence.UNKNOWN, reason="its disk is not there"), 0
        if look is None or replaced or not _is_to_be_read(download, look, digest=digest):
            return upkeep.judge(download, look, replaced=replaced), 0
        if most_bytes is not None and look.size > most_bytes:
            return Verdict(presence=Presence.UNKNOWN, reason="it is in doubt, and was not read", size=look.size), 0
        algorithm = (download.digest or "").partition(":")[0]
        size, found = self._files.digest(look.real, algorithm, lambda: self.is_stopping)
        return upkeep.judge(download, look, found), size

    def _is_elsewhere(self, download: Download, path: str) -> bool:
        """Tell whether the folder of a file lies on another file system now than the file did: its own is not mounted.

        A file system that was changed for another looks the same; then, too, the file is not known to be gone.
        """
        return download.storage is not None and self._disk.storage(path.rpartition("/")[0] or "/") != download.storage


def _is_to_be_read(download: Download, look: Look, *, digest: bool) -> bool:
    wanted = digest and look.is_file and look.size == download.total
    return download.digest is not None and (wanted or upkeep.is_doubtful(download, look))
