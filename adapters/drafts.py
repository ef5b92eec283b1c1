"""Files that appear whole or not at all: written as a draft beside their place, flushed, and renamed.

A draft is held by `flock` for as long as somebody writes it, so one that a killed process left behind is known by its
lock being free, and the next export to the same folder removes it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from lading.domain.errors import DestinationTaken, DiskFull, StoreLocked, UsageError

_SUFFIX = ".lading-draft"


class Draft:
    """A file on its way to `path`; use it as a context, in which `publish` ends it well and anything else removes it.

    Args:
        path: where it is to be.
        replace: whether it may take the place of a file that is there.

    Raises:
        DestinationTaken: something is there, and may not be replaced.
        UsageError: its folder is missing or cannot be written to.
    """

    def __init__(self, path: Path, *, replace: bool = False) -> None:
        if not replace and os.path.lexists(path):
            raise _taken(path)
        self.path = path
        self._replace = replace
        self._draft = path.with_name(f".{path.name}.{os.getpid()}{_SUFFIX}")
        clear(path.parent)
        with refusals(path):
            self.file: BinaryIO = self._begin()

    def _begin(self) -> BinaryIO:
        while True:
            file = self._draft.open("wb")
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                return file
            file.close()  # somebody who was clearing up took it for one that was left behind

    @property
    def inode(self) -> int:
        """The number of the file, which it keeps when it is published."""
        return os.fstat(self.file.fileno()).st_ino

    def publish(self) -> None:
        """Make the file durable, and then let it appear under its name, durably too.

        Raises:
            DestinationTaken: something has appeared there meanwhile.
            DiskFull, UsageError: it cannot be written.
        """
        with refusals(self.path):
            self.file.flush()
            os.fsync(self.file.fileno())
            if self._replace:
                os.replace(self._draft, self.path)
            else:
                try:
                    os.link(self._draft, self.path)
                except FileExistsError:
                    raise _taken(self.path) from None
                self._draft.unlink()
            sync(self.path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draft.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # what could not be flushed was told where it was written
            self.file.close()


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Say what the file system refuses in errors of ours."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(f"there is no room for {path}", hint="free some space and do it again") from error
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name another place with --to") from error


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Be the only one who adds to a folder, which is made when it is missing.

    Raises:
        StoreLocked: somebody else does.
        UsageError: it cannot be made or opened.
    """
    with refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreLocked(f"another export adds to {folder}", hint="wait until it has ended") from None
        yield
    finally:
        os.close(descriptor)


def rename(path: Path, to: Path) -> None:
    """Give a file another name in its folder, durably, in the place of what has it now."""
    with refusals(to):
        os.replace(path, to)
        sync(to.parent)


def clear(folder: Path) -> None:
    """Remove the drafts in a folder that nobody writes any more."""
    for draft in folder.glob(f".*{_SUFFIX}"):
        with contextlib.suppress(OSError), draft.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()


def sync(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _taken(path: Path) -> DestinationTaken:
    return DestinationTaken(f"{path} is there already", hint="--force replaces it, or name another file with --to")
