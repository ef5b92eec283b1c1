"""A disk in memory that forgets what was not flushed: what real ones do when the power goes.

Files are inodes with two contents: what programs read, and what would survive. Names survive when their folder was
flushed, as `publish` and the first flush of a part do. `crash` drops everything that would not survive; `room` bounds
the space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import PurePosixPath
from typing import Any

from lading.domain.disks import Publication
from lading.domain.errors import DestinationTaken, DiskFull, InvalidDestination, LadingError
from lading.domain.upkeep import Look

ENDLESS = 1 << 60
PAGE_BYTES = 4096
MUCH_BYTES = 256 * 1024


class _File:
    def __init__(self, inode: int) -> None:
        self.inode = inode
        self.data = bytearray()
        self.durable = b""
        self.mtime_ns = 0
        self.locked_by: MemoryPart | None = None

    def copy(self) -> _File:
        other = _File(self.inode)
        other.data, other.durable, other.mtime_ns = bytearray(self.data), self.durable, self.mtime_ns
        return other

    def lose_power(self, survives: Callable[[], bool]) -> None:
        """Fall back to what was flushed, but for the pages that had reached the disk by chance."""
        kept = bytearray(self.durable)
        for start in range(0, len(self.data), PAGE_BYTES):
            page = self.data[start : start + PAGE_BYTES]
            if page != kept[start : start + len(page)] and survives():
                kept.extend(bytes(max(0, start + len(page) - len(kept))))
                kept[start : start + len(page)] = page
        self.data, self.durable, self.locked_by = kept, bytes(kept), None


class MemoryPart:
    """An open, locked part file of a `MemoryDisk`."""

    def __init__(self, disk: MemoryDisk, path: str, file: _File) -> None:
        self._disk = disk
        self._file = file
        self._direct = True
        self.path = path
        file.locked_by = self

    @property
    def inode(self) -> int:
        """Its inode number."""
        return self._file.inode

    @property
    def refusal(self) -> str | None:
        """Why it is not written past a cache: as the test has the disk say, once much was written."""
        return self._disk.refusal if self._direct and len(self._file.data) >= MUCH_BYTES else None

    def stay_in_cache(self) -> None:
        """Note that nothing is to be written past a cache."""
        self._direct = False

    def size(self) -> int:
        """Return its length in bytes."""
        return len(self._file.data)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`, if there is room."""
        assert self._file.locked_by is self, "only the holder of the lock writes"
        grown = max(0, offset + len(data) - len(self._file.data))
        if grown > self._disk.left():
            raise DiskFull("the simulated disk is full")
        self._file.data.extend(bytes(grown))
        self._file.data[offset : offset + len(data)] = data

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset`."""
        return bytes(self._file.data[offset : offset + count])

    def has_data(self, start: int, end: int) -> bool:
        """Tell whether anything lies there but zeros."""
        return any(self._file.data[start:end])

    def preallocate(self, end: int) -> None:
        """Do nothing: memory needs no blocks."""

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes."""
        del self._file.data[size:]

    def clone(self, descriptor: int) -> bool:  # noqa: ARG002 # nothing in memory has one
        """Say that this cannot be."""
        return False

    def flush(self) -> None:
        """Make what was written survive, unless the test has broken the disk."""
        if self._disk.broken:
            raise OSError(5, "the simulated disk failed to flush")
        self._file.durable = bytes(self._file.data)
        self._disk.keep_name(self.path, self._file)

    def close(self) -> None:
        """Let go of the lock."""
        if self._file.locked_by is self:
            self._file.locked_by = None


class MemoryDisk:
    """Files in memory, with durability, locks, inodes and bounded room."""

    def __init__(self, room: int = ENDLESS) -> None:
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._inodes = count(1)
        self._folders: dict[str, int] = {}
        self._folder_inodes = count(ENDLESS)
        self.room = room
        self.broken = False
        self.refusal: str | None = None

    def left(self) -> int:
        """Return the bytes that are free."""
        files = {id(file): file for file in self._names.values()}
        return self.room - sum(len(file.data) for file in files.values())

    def copy(self) -> MemoryDisk:
        """Return another disk with the same files, and no locks: what is there when every program has been killed."""
        other = MemoryDisk(self.room)
        files = {id(file): file.copy() for file in (*self._names.values(), *self._durable_names.values())}
        other._names = {path: files[id(file)] for path, file in self._names.items()}
        other._durable_names = {path: files[id(file)] for path, file in self._durable_names.items()}
        other._inodes = count(1 + max((file.inode for file in files.values()), default=0))
        other._folders = dict(self._folders)
        other._folder_inodes = count(1 + max(self._folders.values(), default=ENDLESS))
        return other

    def crash(self, survives: Callable[[], bool] = lambda: False) -> None:
        """Lose power: unflushed bytes, unflushed names and all locks are gone.

        `survives` is asked for each unflushed page of 4 KiB whether it had reached the disk all the same: disks write
        in an order of their own.
        """
        self._names = dict(self._durable_names)
        for file in {id(file): file for file in self._names.values()}.values():
            file.lose_power(survives)

    def keep_name(self, path: str, file: _File) -> None:
        """Let the name of a file survive, if it is still this file's."""
        if self._names.get(path) is file:
            self._durable_names[path] = file

    def content(self, path: str) -> bytes | None:
        """Return what a program would read at `path`, or None."""
        file = self._names.get(path)
        return None if file is None else bytes(file.data)

    def durable(self, path: str) -> bytes | None:
        """Return what would survive at `path`, or None."""
        file = self._durable_names.get(path)
        return None if file is None else file.durable

    def paths(self) -> list[str]:
        """Return every name on the disk."""
        return sorted(self._names)

    def put(self, path: str, data: bytes, *, mtime_ns: int = 0) -> None:
        """Place a durable file, as somebody else would have, last written at `mtime_ns` (UTC)."""
        file = _File(next(self._inodes))
        file.mtime_ns = mtime_ns
        file.data, file.durable = bytearray(data), data
        self._names[path] = self._durable_names[path] = file
        self._make_folders(path)

    def _make_folders(self, path: str) -> None:
        """Let the folders be there in which `path` lies; they survive everything but their removal."""
        folder = path.rpartition("/")[0]
        while folder and folder not in self._folders:
            self._folders[folder] = next(self._folder_inodes)
            folder = folder.rpartition("/")[0]

    def open_part(self, path: str, *, create: bool) -> MemoryPart | None:
        """Open and lock a part, made anew when `create`."""
        file = self._names.get(path)
        if create:
            if file is not None and file.locked_by is not None:
                return None
            file = self._names[path] = _File(next(self._inodes))
            self._make_folders(path)
        if file is None or file.locked_by is not None:
            return None
        return MemoryPart(self, path, file)

    def publish(self, group: Sequence[Publication]) -> list[Exception | None]:
        """Link parts to their final names, durably; what was not flushed is flushed first."""
        answers: list[Exception | None] = []
        for publication in group:
            try:
                self._publish(publication)
                answers.append(None)
            except (LadingError, OSError) as error:
                answers.append(error)
        return answers

    def _publish(self, publication: Publication) -> None:
        part, final, replace = publication
        file = self._names[part.path]
        if file.durable != file.data:
            part.flush()
        self.keep_name(part.path, file)  # the folder is flushed, in which both names are
        held = self._names.get(final)
        if held is file:
            return
        if (held is not None and not replace) or final in self._folders:
            raise DestinationTaken(f"{final} exists already")
        self._names[final] = self._durable_names[final] = file

    def read(self, path: str, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset` of the file at `path`."""
        file = self._names.get(path)
        return b"" if file is None else bytes(file.data[offset : offset + count])

    def unlink(self, path: str) -> int:
        """Remove a name, and return the bytes that its file had."""
        file = self._names.pop(path, None)
        self._durable_names.pop(path, None)
        return 0 if file is None else len(file.data)

    def rename(self, source: str, target: str) -> None:
        """Give a file or a folder another name, durably, if nothing has that."""
        if self.inode(target) is not None:
            raise DestinationTaken(f"{target} exists already")
        if self.inode(source) is None:
            raise FileNotFoundError(2, "nothing of that name is there", source)
        for names in (self._names, self._durable_names, self._folders):
            self._move_names(names, source, target)
        if target in self._names:
            self._durable_names[target] = self._names[target]

    @staticmethod
    def _move_names(names: dict[str, Any], source: str, target: str) -> None:
        for path in [path for path in names if path == source or path.startswith(f"{source}/")]:
            names[target + path[len(source) :]] = names.pop(path)

    def retract(self, paths: Sequence[str]) -> None:
        """Take names away, durably: of files, and of folders that are empty."""
        for path in paths:
            self.unlink(path)
            if path in self._folders and not any(
                other.startswith(f"{path}/") for other in (*self._names, *self._folders)
            ):
                self._folders.pop(path, None)

    def set_aside(self, path: str, to: str, *, stay: bool = False) -> bool:
        """Give a file another name, durably; with `stay`, a second one."""
        file = self._names.get(path)
        if file is None:
            return False
        if to in self._names:
            raise DestinationTaken(f"{to} exists already")
        self._names[to] = self._durable_names[to] = file
        if not stay:
            del self._names[path]
            self._durable_names.pop(path, None)
        return True

    def inode(self, path: str) -> int | None:
        """Return the inode at `path`, or None."""
        file = self._names.get(path)
        return self._folders.get(path) if file is None else file.inode

    def look(self, path: str) -> Look | None:
        """Return what lies at `path`, or None; what programs of ours wrote was written at the beginning of time."""
        file = self._names.get(path)
        return None if file is None else Look(len(file.data), file.mtime_ns, path)

    def names(self, folder: str, wanted: Callable[[str], bool], limit: int) -> list[str]:
        """Return at most `limit` names in `folder` that are `wanted`."""
        inside = (path.rpartition("/") for path in self.paths())
        return [name for above, _, name in inside if above == folder.rstrip("/") and wanted(name)][:limit]

    def storage(self, folder: str) -> str:  # noqa: ARG002 # one disk holds every folder
        """Return the id of this disk."""
        return "memory"

    def free(self, folder: str) -> int:  # noqa: ARG002 # one disk holds every folder
        """Return the bytes that are free."""
        return self.left()

    def capacity(self, folder: str) -> int:  # noqa: ARG002 # one disk holds every folder
        """Return the room of this disk."""
        return self.room

    def check(self, root: str, path: str) -> None:
        """Refuse a path outside `root`; there are no links here to follow."""
        if not PurePosixPath(path).is_relative_to(root) or ".." in PurePosixPath(path).parts:
            raise InvalidDestination(f"{path} leaves {root}")
