"""Quarantine: what nobody wants any more is put aside for a while, beside where it lay, before it is deleted.

A part, a published file that was removed, a file that was replaced: each gets a hidden name in its own folder by one
rename that never replaces, so that it costs no copy and can be put back the same way. The intent is in the log before
anything is touched, the name follows from the log alone, and what has been done is said after it was done: whoever is
killed in between finds it by its name and goes on. Everything here blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from lading.domain import commands as c
from lading.domain.download import Download
from lading.domain.errors import DestinationTaken, DiskFull, InvalidDestination
from lading.domain.states import State
from lading.files import Files
from lading.placing import kept_file, kept_part
from lading.services import Services

NOT_NOW = (DestinationTaken, DiskFull, InvalidDestination, OSError)
"""What keeps a file where it is for now: somebody else's name, a full disk, a folder that may not be written."""


class Quarantine:
    """Puts files aside and back; every method may raise one of `NOT_NOW`, and can be called again then."""

    def __init__(self, services: Services, files: Files) -> None:
        self._s = services
        self._disk = services.disk
        self._files = files

    def put_aside(self, download: Download) -> c.Quarantine | c.Discard:
        """Put aside what is left of a download that was given up, and return what there is to say of it.

        Its published file goes only where that was asked and it is still what was published; what lay there before
        comes back then, or stays where it is kept. What nobody could go on with is deleted, and so is all where nothing
        is to be kept.
        """
        now_ns, retention_s = self._s.clock.now_ns(), self._s.settings.retention_s
        self._withdraw(download)
        part = self._keep_part(download) if retention_s else None
        size = download.received if part else self._files.unlink_part(download)
        kept, back = None, False
        if download.remove_files and download.path is not None:
            kept = self._keep_file(download, download.path) if retention_s else None
            size = self._size(download, kept)  # its part, if it is still there, is a second name of the same bytes
            back = self._give_back(download)
        if part is None and kept is None and (back or download.replaced is None):
            return c.Discard(size=size)
        until_ns = now_ns + int(retention_s * 1e9)
        return c.Quarantine(size=size, until_ns=until_ns, part=part, kept=kept, back=back)

    def settle(self, download: Download) -> tuple[c.Quarantine | c.Discard, ...]:
        """Put aside what is left of a download, and return what there is to say; nothing when it cannot be done now."""
        try:
            return (self.put_aside(download),)
        except NOT_NOW:
            return ()

    def put_back(self, download: Download) -> c.Confirm | c.Invalidate | c.Discard:
        """Put the file of a completed download back to its path, and return what there is to say of it.

        What lies there meanwhile stays, unless the request was to overwrite: then it is put aside.
        """
        final = self._files.final(download)
        assert final is not None, "what was kept had been published"
        assert download.kept is not None, "what comes back was kept"
        kept = self._files.at(download, download.kept)
        if self._disk.inode(kept) is None:
            if self._files.holds(final, download.total, download.digest):
                return c.Confirm(replaced=self.replaced(download))
            return c.Discard(size=0)
        try:
            if download.replaces:
                self._keep_replaced(download, stay=False)
            self._disk.set_aside(kept, final)
        except DestinationTaken:
            return c.Invalidate(reason=f"something else lies at its path; its file is kept as {kept}")
        return c.Confirm(replaced=self.replaced(download))

    @staticmethod
    def named(download: Download) -> list[str]:
        """Return where the log says that something is put aside of a download."""
        part = None if download.state is State.COMPLETED else download.part
        return [path for path in (download.kept, download.replaced, part) if path is not None]

    def weigh(self, download: Download) -> int:
        """Return how many bytes are put aside of a download."""
        paths = [self._files.at(download, path) for path in self.named(download)]
        return sum(look.size for path in paths if (look := self._disk.look(path)) is not None)

    def delete(self, download: Download, paths: Sequence[str]) -> None:
        """Delete files that the log does not name any more."""
        for path in paths:
            self._disk.unlink(self._files.at(download, path))
        self._files.leave_folder(download)

    # -- what was replaced -----------------------------------------------------------------------------------------

    def replaced(self, download: Download) -> str | None:
        """Return where the file that lay at the final path is kept, None when there is none."""
        if download.path is None:
            return None
        aside = kept_file(download.path, download.id, 0)
        return aside if self._disk.inode(self._files.at(download, aside)) is not None else None

    def keep_replaced(self, download: Download) -> str | None:
        """Keep what lies at the final path under a second name, before it is replaced, and return that name.

        It is the first file that this download ever replaced which is kept.
        """
        if self._s.settings.retention_s and download.replaced is None:
            self._keep_replaced(download, stay=True)
        return self.replaced(download)

    def _keep_replaced(self, download: Download, *, stay: bool) -> None:
        final = self._files.final(download)
        if final is None or download.path is None or self._files.is_published(download):
            return
        aside = self._files.at(download, kept_file(download.path, download.id, 0))
        there = self._disk.inode(final)
        if download.replaced is None and there is not None and self._disk.inode(aside) not in {None, there}:
            self._disk.unlink(aside)  # it lay there at an earlier attempt that came to nothing, and is somebody's past
        if there is not None and self._disk.inode(aside) is None:
            self._disk.set_aside(final, aside, stay=stay)

    def give_up_replacing(self, download: Download) -> None:
        """Have what lay at the final path lie there under no other name, after replacing it has come to nothing."""
        if download.assurance is None and download.replaced is None and download.path is not None:
            self._give_back(download)

    def _withdraw(self, download: Download) -> None:
        """Take back the final name of an attempt that was given up; what lay there before has it again."""
        self._files.withdraw(download)
        if download.replaces:
            self.give_up_replacing(download)

    def _give_back(self, download: Download) -> bool:
        """Give what was replaced its name again, unless something else has it by now; tell whether it has."""
        final, aside = self._files.final(download), self.replaced(download)
        if final is None or aside is None:
            return False
        hidden = self._files.at(download, aside)
        there = self._disk.inode(final)
        if there == self._disk.inode(hidden):
            self._disk.unlink(hidden)
            return True
        if self._files.is_published(download):
            self._disk.unlink(final)
        elif there is not None:
            return False
        return self._disk.set_aside(hidden, final)

    # -- what was fetched ------------------------------------------------------------------------------------------

    def _keep_part(self, download: Download) -> str | None:
        """Put the part aside if anything in it counts; return where it lies now, None when it is not kept."""
        if download.part is None or not download.durable or download.assurance is not None:
            return None
        part, kept = self._files.at(download, download.part), kept_part(download.part)
        hidden = self._files.at(download, kept)
        if part != hidden:
            self._disk.unlink(f"{part}.new")
            self._move(part, hidden)
        return kept if self._disk.inode(hidden) is not None else None

    def _keep_file(self, download: Download, path: str) -> str | None:
        """Put the published file aside if it is still that; return where it lies now, None when it is not kept."""
        kept = kept_file(path, download.id, download.attempt)
        hidden = self._files.at(download, kept)
        if self._disk.inode(hidden) is None and self._files.is_own(download):
            self._move(self._files.at(download, path), hidden)
        return kept if self._disk.inode(hidden) is not None else None

    def _move(self, path: str, hidden: str) -> None:
        """Put a file aside; where the file system cannot, or the name is taken, it is left to be deleted."""
        try:
            self._disk.set_aside(path, hidden)
        except (DestinationTaken, InvalidDestination):
            return

    def _size(self, download: Download, kept: str | None) -> int:
        """Return the size of the file that was kept; where it was not and is still the download's own, delete it."""
        if kept is not None:
            return download.total or 0
        final = self._files.final(download)
        size = self._disk.unlink(final) if final is not None and self._files.is_own(download) else 0
        self._files.leave_folder(download)
        return size
