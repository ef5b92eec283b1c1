"""What the domain asks of the disks that parts and files lie on; like all ports, Protocols that the domain owns.

Every method may block: the engine decides in which thread it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from lading.domain.upkeep import Look


class Part(Protocol):
    """An open part file that this worker alone may write: it holds a `flock` on it until closed (law 6)."""

    @property
    def path(self) -> str:
        """Where it lies, absolute."""
        ...

    @property
    def inode(self) -> int:
        """Its inode number, by which a published link is known as ours."""
        ...

    @property
    def refusal(self) -> str | None:
        """Why nothing is written past the page cache any more: the file system has refused that; else None."""
        ...

    def stay_in_cache(self) -> None:
        """Write through the page cache from now on."""
        ...

    def size(self) -> int:
        """Return the file's length in bytes, preallocated room not counted."""
        ...

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`.

        Raises:
            DiskFull: there was no room; what was flushed before is still there.
        """
        ...

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset`; fewer only at the end of the file."""
        ...

    def has_data(self, start: int, end: int) -> bool:
        """Tell whether anything may have been written from `start` up to `end`; a hole has no data."""
        ...

    def preallocate(self, end: int) -> None:
        """Set blocks aside up to byte `end` where the file system can, without changing what `size` says.

        Raises:
            DiskFull: there is no room for them.
        """
        ...

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes."""
        ...

    def clone(self, descriptor: int) -> bool:
        """Become what an open file is, sharing its blocks; tell whether the file system can, and leave it if not."""
        ...

    def flush(self) -> None:
        """Make everything written before this call durable (`fdatasync`), and the part's name with it.

        Raises:
            OSError: nothing since the last good flush may be believed; do not retry (law 2).
        """
        ...

    def close(self) -> None:
        """Close the file and let go of its lock; a second call does nothing."""
        ...


class Publication(NamedTuple):
    """A part and the path that it is to get, absolute; `replace` what lies there, or refuse."""

    part: Part
    final: str
    replace: bool


class Disk(Protocol):
    """Where parts and files lie; every method may block. Paths are absolute and use `/`."""

    def open_part(self, path: str, *, create: bool) -> Part | None:
        """Open and lock the part file at `path`, made anew and empty when `create`, its folders made as needed.

        A new part's name is durable once the part was flushed.

        Returns:
            The locked part; or None when it is not there (without `create`), or another worker holds its lock.

        Raises:
            InvalidDestination: a folder or something else is in the way, or it cannot be written.
            DiskFull: there is no room.
        """
        ...

    def publish(self, group: Sequence[Publication]) -> Sequence[Exception | None]:
        """Give parts their final names, durably: flush what was not, link, flush the folders; their own names stay.

        Publishing several at once is much faster than one after the other. Where one is to replace, whatever file lies
        there is replaced atomically. A part that has its name already needs nothing.

        Returns:
            For each why it was not published, or None: `DestinationTaken` when something else lies there, an OSError
            when a flush failed.
        """
        ...

    def read(self, path: str, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset` of the file at `path`, without a lock; none when it is missing."""
        ...

    def unlink(self, path: str) -> int:
        """Remove the file at `path` if it is there, and return the bytes that it had."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Give a file or a folder another name on its file system, durably, and never over what lies there.

        Raises:
            DestinationTaken: something lies at `target`.
            InvalidDestination: it may not be done, or that file system has no rename that never replaces.
            OSError: the disk failed.
        """
        ...

    def retract(self, paths: Sequence[str]) -> None:
        """Take names away, durably: of files, and of folders that are empty; what is not there needs nothing.

        Raises:
            InvalidDestination: it may not be done.
            OSError: the disk failed.
        """
        ...

    def set_aside(self, path: str, to: str, *, stay: bool = False) -> bool:
        """Give the file at `path` the name `to` in the same folder, durably, and never in the place of another.

        With `stay` it keeps its own name as well, where the file system lets a file have two.

        Returns:
            Whether a file (or a symbolic link) lay there; nothing else is touched.

        Raises:
            DestinationTaken: something lies at `to`.
            InvalidDestination: the folder may not be written, or cannot rename without ever replacing.
        """
        ...

    def inode(self, path: str) -> int | None:
        """Return the inode number of what lies at `path` (a symbolic link itself, not what it names), or None."""
        ...

    def look(self, path: str) -> Look | None:
        """Return what lies at `path`, symbolic links followed, or None for nothing."""
        ...

    def names(self, folder: str, wanted: Callable[[str], bool], limit: int) -> Sequence[str]:
        """Return at most `limit` names in `folder` that are `wanted`, in no order; none where there is no folder."""
        ...

    def storage(self, folder: str) -> str:
        """Return the id of the file system on which `folder` lies or would lie."""
        ...

    def free(self, folder: str) -> int:
        """Return the bytes that are free for us where `folder` lies or would lie."""
        ...

    def capacity(self, folder: str) -> int:
        """Return the bytes, free or not, of the file system where `folder` lies or would lie."""
        ...

    def check(self, root: str, path: str) -> None:
        """Refuse a `path` that, symbolic links followed, does not stay inside `root`.

        Raises:
            InvalidDestination: it leaves the folder.
        """
        ...
