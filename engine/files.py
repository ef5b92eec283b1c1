"""What a download has on the disk, and whether a file there is really its own.

A name alone proves nothing: the user may have put a file of his own there, another download may have taken the name, a
file system gives inode numbers out again. A file is a download's own when it is the very inode that its part is, or
when it has the size and the digest that the log tells.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence

from lading.domain import digests, spans
from lading.domain.bundle import staging_folders
from lading.domain.disks import Disk
from lading.domain.download import Download
from lading.domain.pieces import Piece
from lading.placing import Places

READ_BYTES = 4 * 1024 * 1024


class Files:
    """The files of downloads; every method blocks, and raises InvalidDestination for a root that is not known here.

    `is_anothers` tells of a download, a root and a path below it whether another is to make that file, or has made it
    since this one did.
    """

    def __init__(self, disk: Disk, places: Places, is_anothers: Callable[[Download, str, str], bool]) -> None:
        self._disk = disk
        self._places = places
        self._is_of_another = is_anothers

    def final(self, download: Download) -> str | None:
        """Return the final path, absolute, None when there is none yet."""
        return self._places.absolute(download.order.root, download.path) if download.path else None

    def part_inode(self, download: Download) -> int | None:
        """Return the inode of the part file, None when it is not there."""
        part = self._part(download)
        return None if part is None else self._disk.inode(part)

    def final_inode(self, download: Download) -> int | None:
        """Return the inode of what lies at the final path, None when nothing does."""
        final = self.final(download)
        return None if final is None else self._disk.inode(final)

    def is_published(self, download: Download) -> bool:
        """Tell whether the part has got the final name as well."""
        inode = self.part_inode(download)
        return inode is not None and inode == self.final_inode(download)

    def digest(
        self, path: str, algorithm: str = digests.DEFAULT, is_stopping: Callable[[], bool] = lambda: False
    ) -> tuple[int, str]:
        """Return size and digest of the file at `path`.

        Raises:
            InterruptedError: it was not read to its end, because `is_stopping`.
        """
        running, at = digests.hasher(algorithm), 0
        while data := self._disk.read(path, at, READ_BYTES):
            if is_stopping():
                raise InterruptedError("it was not read to its end")
            running.update(data)
            at += len(data)
        return at, f"{algorithm}:{running.hexdigest()}"

    def damaged(self, path: str, pieces: Sequence[Piece], total: int) -> spans.Spans:
        """Return which bytes of a published file are not, or are not known to be, what these pieces of it were."""
        bad: spans.Spans = ()
        covered: spans.Spans = ()
        for piece in pieces:
            covered = spans.union(covered, piece.start, piece.end)
            if not piece.fits(self._disk.read(path, piece.start, piece.size)):
                bad = spans.union(bad, piece.start, piece.end)
        for start, end in spans.gaps(covered, total):
            bad = spans.union(bad, start, end)
        return bad

    def holds(self, path: str, size: int | None, digest: str | None) -> bool:
        """Tell whether the file at `path` has this size and digest."""
        if size is None or digest is None or self._disk.read(path, size, 1):
            return False
        return self.digest(path, digest.partition(":")[0]) == (size, digest)

    def at(self, download: Download, path: str) -> str:
        """Return a path that the log tells of a download, absolute."""
        return self._places.absolute(download.order.root, path)

    def unlink_part(self, download: Download) -> int:
        """Remove the part and what a replacement left beside it; return the bytes that the part had.

        With the last part goes the hidden folder in which its bundle was put together.
        """
        part = self._part(download)
        if part is None:
            return 0
        self._disk.unlink(f"{part}.new")
        size = self._disk.unlink(part)
        staging = [self._places.absolute(download.order.root, folder) for folder in staging_folders(download.order)]
        if staging:
            self._disk.retract(staging)
        return size

    def discard(self, download: Download) -> int:
        """Remove what an attempt that was given up left: its part, and the final name where only that was given."""
        self.withdraw(download)
        return self.unlink_part(download)

    def withdraw(self, download: Download) -> None:
        """Take back the final name that an attempt gave which was given up before it could say so.

        A file that was said complete before, by which it got an assurance, is the user's, even with its part beside it.
        """
        final = self.final(download)
        kept = download.assurance is not None or download.replaces
        if final is not None and not kept and self.is_published(download):
            self._disk.unlink(final)

    def is_own(self, download: Download) -> bool:
        """Tell whether what lies at the final path is what this download published, and no other has put it there.

        Nor is another about to put one there.
        """
        final = self.final(download)
        if final is None or self._is_anothers(download, final):
            return False
        return self.holds(final, download.total, download.digest)

    def leave_folder(self, download: Download) -> None:
        """Remove the folder that an all-or-nothing bundle had become, or was to become, with the last of its files."""
        folder, folders = posixpath.dirname(download.path or ""), list[str]()
        for _ in staging_folders(download.order):
            folders.append(self._places.absolute(download.order.root, folder))
            folder = posixpath.dirname(folder)
        if folders:
            self._disk.retract(folders)

    def _part(self, download: Download) -> str | None:
        return self._places.absolute(download.order.root, download.part) if download.part else None

    def _is_anothers(self, download: Download, final: str) -> bool:
        return any(self._is_of_another(download, root, path) for root, path in self._places.names(final))
