"""The file systems of this machine, as the port `Disk`."""

from __future__ import annotations

import functools
import os
import socket

from lading.adapters.disk import folders, kernel, publishing
from lading.adapters.disk import part as parts
from lading.adapters.disk.part import LocalPart
from lading.adapters.disk.refusals import explained
from lading.domain.errors import InvalidDestination
from lading.domain.ports import Part


class LocalDisk:
    """The file systems of this machine; one serves a whole engine, from any thread.

    Files are published with the mode that a new file had when this was made.
    """

    def __init__(self) -> None:
        self._mode = 0o666 & ~kernel.umask()

    def open_part(self, path: str, *, create: bool) -> LocalPart | None:
        """Open and lock the part file at `path`, made anew and empty when `create`, its folders made as needed.

        The folder of every folder made for it is flushed before this returns, its own with its first flush. What a dead
        worker left under the part's name gives way to the new one.

        Returns:
            The locked part; or None when it is not there (without `create`), or another worker holds its lock or has
            just taken the name.

        Raises:
            InvalidDestination: a folder or something else is in the way, or it cannot be written or locked.
            DiskFull: there is no room.
        """
        with explained(path):
            if not create:
                return parts.claim(path)
            folders.make(os.path.dirname(path))
            return parts.create(path)

    def publish(self, part: Part, final: str, *, replace: bool) -> None:
        """Give the part its final name, durably: link, then flush the folder; the part's own name stays.

        What was not flushed yet is flushed first, and the file gets the mode of any new file of this process. Where the
        file system has no links the part is renamed instead, and its own name goes. With `replace`, whatever file (or
        symbolic link) lies there is replaced atomically.

        Raises:
            DestinationTaken: something else lies at `final`; if it is this part's own inode, nothing needs doing.
            InvalidDestination: the folder cannot be written, or has neither links nor a rename that never replaces.
            DiskFull: there is no room for the name.
            OSError: a flush failed; or the last name of the part is gone.
        """
        if not isinstance(part, LocalPart):
            raise TypeError("a local disk publishes the parts that it opened itself")
        folder, name = os.path.split(final)
        with explained(final):
            part.settle(self._mode)
            with folders.opened(folder) as place:
                publishing.publish(part, name, place, replace=replace)

    def read(self, path: str, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset` of the file at `path`, without a lock; empty when it is not there.

        Raises:
            InvalidDestination: what lies there is no regular file, or may not be read.
        """
        with explained(path):
            return parts.peek(path, offset, count)

    def unlink(self, path: str) -> int:
        """Remove the file at `path` if it is there, and return the bytes that it had.

        With a part goes the name beside it that a publisher which was killed may have left.

        Raises:
            InvalidDestination: it is a folder, or may not be removed.
        """
        with explained(path):
            try:
                status = os.lstat(path)
                if status.st_nlink > 1:
                    publishing.clear(path, (status.st_dev, status.st_ino))
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                return 0
            return status.st_size

    def inode(self, path: str) -> int | None:
        """Return the inode number of what lies at `path` (a symbolic link itself, not what it names), or None."""
        with explained(path):
            found = folders.identity(path)
            return found[1] if found else None

    def storage(self, folder: str) -> str:
        """Return the id of the file system on which `folder` lies or would lie.

        The file system's own UUID where the kernel tells it, which outlives reboots and moves with the disk; else what
        statvfs(3) calls it, else its device number, these two with the machine's id, since another machine may have
        the same.
        """
        with explained(folder):
            here = folders.nearest(folder)
            with folders.opened(here) as place:
                uuid = kernel.file_system_uuid(place)
            if uuid is not None:
                return f"uuid:{uuid}"
            number = os.statvfs(here).f_fsid
            if number:
                return f"fsid:{_machine()}:{number:x}"
            return f"dev:{_machine()}:{os.stat(here).st_dev:x}"

    def free(self, folder: str) -> int:
        """Return the bytes that are free for us where `folder` lies or would lie."""
        with explained(folder):
            room = os.statvfs(folders.nearest(folder))
            return room.f_bavail * room.f_frsize

    def check(self, root: str, path: str) -> None:
        """Refuse a `path` that, symbolic links followed, does not stay inside `root`.

        Raises:
            InvalidDestination: it leaves the folder, or is the folder itself.
        """
        try:
            folder, place = os.path.realpath(root), os.path.realpath(path)
            inside = place != folder and os.path.commonpath([folder, place]) == folder
        except ValueError:
            inside = False
        if not inside:
            raise InvalidDestination(f"{path!r} does not stay inside {root!r}")


@functools.cache
def _machine() -> str:
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            return file.read().strip() or socket.gethostname()
    except (OSError, UnicodeDecodeError):
        return socket.gethostname()
