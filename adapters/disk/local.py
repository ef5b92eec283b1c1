"""The file systems of this machine, as the port `Disk`."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import socket
import stat
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from lading.adapters.disk import folders, kernel, publishing
from lading.adapters.disk import part as parts
from lading.adapters.disk.part import LocalPart
from lading.adapters.disk.refusals import explained
from lading.domain.disks import Part, Publication
from lading.domain.errors import InvalidDestination, LadingError
from lading.domain.upkeep import Look


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
            try:
                return parts.create(path)
            except FileNotFoundError:
                folders.make(os.path.dirname(path))
                return parts.create(path)

    def publish(self, group: Sequence[Publication]) -> list[Exception | None]:
        """Give parts their final names, durably: link, then flush the folders; their own names stay.

        What was not flushed yet is flushed first, and the files get the mode of any new file of this process. Where the
        file system has no links a part is renamed instead, and its own name goes. Where one is to replace, whatever
        file (or symbolic link) lies there is replaced atomically. What is to be written of several parts is begun for
        all of them before any is waited for, and a folder is flushed once for all its new names.

        Returns:
            For each why it was not published, or None for those that were. `DestinationTaken`: something else lies at
            `final`. `InvalidDestination`: the folder cannot be written, or has neither links nor a rename that never
            replaces. `DiskFull`: there is no room for the name. `OSError`: a flush failed; or the last name of the
            part is gone.
        """
        answers: list[Exception | None] = [None] * len(group)
        folders_of: dict[str, list[int]] = {}
        for publication in group if len(group) > 1 else ():
            _own(publication.part).begin_flush()
        for number, publication in enumerate(group):
            try:
                with explained(publication.final):
                    _own(publication.part).settle(self._mode)
                folders_of.setdefault(os.path.dirname(publication.final), []).append(number)
            except (LadingError, OSError) as error:
                answers[number] = error
        for folder, numbers in folders_of.items():
            self._publish_in(folder, {number: group[number] for number in numbers}, answers)
        return answers

    def _publish_in(self, folder: str, group: Mapping[int, Publication], answers: list[Exception | None]) -> None:
        try:
            with explained(folder), folders.opened(folder) as place:
                for number, (part, final, replace) in group.items():
                    try:
                        with explained(final):
                            publishing.publish(_own(part), os.path.basename(final), place, replace=replace)
                    except (LadingError, OSError) as error:
                        answers[number] = error
                folders.flush(place)
        except (LadingError, OSError) as error:
            for number in group:
                answers[number] = answers[number] or error

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

    def rename(self, source: str, target: str) -> None:
        """Give a file or a folder another name on its file system, durably, and never over what lies there.

        Raises:
            DestinationTaken: something lies at `target`.
            InvalidDestination: it may not be done, or that file system has no rename that never replaces.
            OSError: the disk failed; or nothing lies at `source`.
        """
        with explained(target), folders.opened(os.path.dirname(target)) as place:
            publishing.move(source, os.path.basename(target), place)
            folders.flush(place)
            if os.path.dirname(source) != os.path.dirname(target):
                folders.flush_at(os.path.dirname(source))

    def retract(self, paths: Sequence[str]) -> None:
        """Take names away, durably: of files, and of folders that are empty; what is not there needs nothing.

        Raises:
            InvalidDestination: it may not be done.
            OSError: the disk failed.
        """
        changed = {os.path.dirname(path): path for path in paths if _is_removed(path)}
        for folder in changed:
            with contextlib.suppress(FileNotFoundError), explained(folder):
                folders.flush_at(folder)

    def set_aside(self, path: str, to: str, *, stay: bool = False) -> bool:
        """Give the file at `path` the name `to` in the same folder, durably, and never in the place of another.

        With `stay` it keeps its own name as well, where the file system lets a file have two.

        Returns:
            Whether a file (or a symbolic link) lay there; nothing else is touched.

        Raises:
            DestinationTaken: something lies at `to`.
            InvalidDestination: the folder may not be written, or cannot rename without ever replacing.
        """
        with explained(path):
            try:
                with folders.opened(os.path.dirname(path)) as place:
                    moved = publishing.set_aside(os.path.basename(path), os.path.basename(to), place, stay=stay)
                    if moved:
                        folders.flush(place)
            except FileNotFoundError:
                return False
            return moved

    def inode(self, path: str) -> int | None:
        """Return the inode number of what lies at `path` (a symbolic link itself, not what it names), or None."""
        with explained(path):
            found = folders.identity(path)
            return found[1] if found else None

    def look(self, path: str) -> Look | None:
        """Return what lies at `path`, symbolic links followed, or None for nothing.

        Raises:
            InvalidDestination: it may not be looked at.
        """
        with explained(path):
            try:
                status = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
            regular = stat.S_ISREG(status.st_mode)
            return Look(status.st_size, status.st_mtime_ns, os.path.realpath(path), is_file=regular)

    def names(self, folder: str, wanted: Callable[[str], bool], limit: int) -> list[str]:
        """Return at most `limit` names in `folder` that are `wanted`, in no order; none where there is no folder.

        Raises:
            InvalidDestination: it may not be read.
        """
        with explained(folder):
            try:
                with os.scandir(folder) as entries:
                    return list(islice((entry.name for entry in entries if wanted(entry.name)), limit))
            except (FileNotFoundError, NotADirectoryError):
                return []

    def storage(self, folder: str) -> str:
        """Return the id of the file system on which `folder` lies or would lie.

        The file system's own UUID where the kernel tells it, which outlives reboots and moves with the disk; else what
        statvfs(3) calls it, else its device number, these two with the machine's id, since another machine may have
        the same.
        """
        with explained(folder):
            try:
                uuid, here = _uuid(folder), folder
            except (FileNotFoundError, NotADirectoryError):
                here = folders.nearest(folder)
                uuid = _uuid(here)
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

    def capacity(self, folder: str) -> int:
        """Return the bytes, free or not, of the file system where `folder` lies or would lie.

        Raises:
            InvalidDestination: it cannot be looked at.
        """
        with explained(folder):
            room = os.statvfs(folders.nearest(folder))
            return room.f_blocks * room.f_frsize

    def check(self, root: str, path: str) -> None:
        """Refuse a `path` that, symbolic links followed, does not stay inside `root`.

        Nothing leaves `/`; and of a name right below `root` only a link of that name could lead out, so that what most
        downloads are asked for costs one look and not one for each folder above.

        Raises:
            InvalidDestination: it leaves the folder, or is the folder itself.
        """
        if root == "/" and os.path.normpath(path) not in {"/", "//"} and "\0" not in path:
            return
        if os.path.dirname(path) == root and os.path.basename(path) not in {"", ".", ".."} and not _is_link(path):
            return
        try:
            folder, place = os.path.realpath(root), os.path.realpath(path)
            inside = place != folder and os.path.commonpath([folder, place]) == folder
        except ValueError:
            inside = False
        if not inside:
            raise InvalidDestination(f"{path!r} does not stay inside {root!r}")


def _is_removed(path: str) -> bool:
    """Remove the file or the empty folder at `path`; tell whether that changed anything."""
    with explained(path):
        try:
            (os.rmdir if stat.S_ISDIR(os.lstat(path).st_mode) else os.unlink)(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                return False
            raise
    return True


def _own(part: Part) -> LocalPart:
    if not isinstance(part, LocalPart):
        raise TypeError("a local disk publishes the parts that it opened itself")
    return part


def _uuid(folder: str) -> str | None:
    with folders.opened(folder) as place:
        return kernel.file_system_uuid(place)


def _is_link(path: str) -> bool:
    """Tell whether a symbolic link lies at `path`; what cannot be looked at may be one."""
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


@functools.cache
def _machine() -> str:
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            return file.read().strip() or socket.gethostname()
    except (OSError, UnicodeDecodeError):
        return socket.gethostname()
