"""Orphans: parts that attempts left behind and that no download vouches for any more.

Only in folders that downloads of this log went to; only files with the name of a part in which the id of such a
download stands; only what that download has given up, in the log, by ending or by starting with another part; and only
under the part's lock, so that a file that anybody writes to is left alone (law 6).
"""

from __future__ import annotations

import posixpath
from typing import NamedTuple
from uuid import UUID

from lading.domain import upkeep
from lading.domain.disks import Disk
from lading.domain.download import Download
from lading.domain.errors import InvalidDestination
from lading.placing import Places
from lading.projections import upkeep as due
from lading.reading import Reading

MOST_NAMES = 100_000


class Orphan(NamedTuple):
    """A part that was removed, or would be: where it lay, whose it was, and the bytes that this gives back."""

    path: str
    id: UUID
    size: int


class Orphans:
    """Finds orphans and removes them; every method blocks."""

    def __init__(self, reading: Reading, disk: Disk, places: Places) -> None:
        self._reading = reading
        self._disk = disk
        self._places = places

    def sweep(self, after: bytes | None, *, dry: bool) -> tuple[bytes | None, list[Orphan]]:
        """Remove the orphans of the folder behind the one with the key `after`; with `dry`, only find them.

        Returns:
            The key of the folder, None when there is none any more, and the orphans. A folder that is not known here,
            or cannot be read now, has none.
        """
        with self._reading.views.read() as reader:
            folder = next(due.folders(reader, after), None)
        if folder is None:
            return None, []
        one = self._reading.get(folder.id)
        if one is None:
            return folder.key, []
        root, below = one.order.root, one.order.folder
        try:
            names = self._disk.names(self._places.absolute(root, below), upkeep.is_part_name, MOST_NAMES)
        except (InvalidDestination, OSError):
            return folder.key, []
        found = (self._remove(root, below, name, folder.key, dry=dry) for name in sorted(names))
        return folder.key, [orphan for orphan in found if orphan is not None]

    def _remove(self, root: str, below: str, name: str, key: bytes, *, dry: bool) -> Orphan | None:
        """Remove one part, if it is an orphan and nobody holds it, and it lies inside its root."""
        path = posixpath.join(below, name)
        downloads = self._namesakes(key, name)
        if not upkeep.is_orphan(path, name, downloads):
            return None
        absolute = self._places.absolute(root, path)
        try:
            self._disk.check(self._places.absolute(root, ""), absolute)
            part = self._disk.open_part(absolute, create=False)
            if part is None:
                return None
            try:
                size = 0 if self._is_published(downloads, part.inode) else part.size()
                if not dry:
                    self._reading.catch_up()  # who took it in hand before we had its lock has said so
                    if not upkeep.is_orphan(path, name, self._namesakes(key, name)):
                        return None
                    self._disk.unlink(absolute)
            finally:
                part.close()
        except (InvalidDestination, OSError):
            return None
        return Orphan(absolute, downloads[0].id, size)

    def _namesakes(self, key: bytes, name: str) -> list[Download]:
        """Return the downloads of a folder whose parts could be called so."""
        with self._reading.views.read() as reader:
            ids = list(due.in_folder(reader, key, upkeep.tail(name)))
        return [download for id in ids if (download := self._reading.get(id)) is not None]

    def _is_published(self, downloads: list[Download], inode: int) -> bool:
        """Tell whether a part is another name of a published file, which keeps its bytes."""
        paths = (self._places.absolute(d.order.root, d.path) for d in downloads if d.path is not None)
        return any(self._disk.inode(path) == inode for path in paths)
