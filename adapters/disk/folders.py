"""Folders and the names in them: which inode a name means now, and how a new name is made to last."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import weakref
from collections.abc import Iterator

from lading.adapters.disk import kernel

Identity = tuple[int, int]
"""Device and inode numbers: which file it is, whatever it is called."""


def identity(path: str, folder: int | None = None) -> Identity | None:
    """Return what lies at `path` (below the open `folder` if given), a symbolic link itself, or None for nothing."""
    try:
        status = os.lstat(path, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def opened(folder: str) -> Iterator[int]:
    """Hold `folder` open, so that what is done below its descriptor happens in this very folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def flush(folder: int) -> None:
    """Make the names in an open folder durable; a file system that cannot be asked for that is believed.

    Threads that ask while another flushes the same folder share the next flush, which begins after all of them asked:
    a thousand new names are not a thousand waits.

    Raises:
        OSError: the device failed.
    """
    status = os.fstat(folder)
    with _guard:
        shared = _shared.setdefault((status.st_dev, status.st_ino), _SharedFlush())
    shared.flush(folder)


class _SharedFlush:
    """The flushes of one folder, numbered; a flush is good for all who asked before it began."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._begun = 0
        self._done = 0
        self._failed = 0
        self._error: OSError | None = None

    def flush(self, folder: int) -> None:
        wanted = self._begun + 1
        with self._turn:
            if self._done < wanted:
                self._begun += 1
                self._flush(folder)
                self._done = self._begun
            if self._error is not None and wanted <= self._failed:
                raise OSError(self._error.errno, self._error.strerror)

    def _flush(self, folder: int) -> None:
        try:
            os.fsync(folder)
        except OSError as error:
            if error.errno not in kernel.NOT_HERE:
                # Who asked while this one ran may have lost names by it too, and the next would not tell.
                self._failed, self._error = self._begun + 1, error


_guard = threading.Lock()
_shared: weakref.WeakValueDictionary[Identity, _SharedFlush] = weakref.WeakValueDictionary()


def flush_at(path: str) -> None:
    """Make the names in the folder at `path` durable; see `flush`."""
    with opened(path) as folder:
        flush(folder)


def make(folder: str) -> None:
    """Make `folder` and what is missing above it, and make the name of each durable."""
    missing: list[str] = []
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for each in reversed(missing):
        try:
            os.mkdir(each)
        except FileExistsError:
            if not os.path.isdir(each):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), each) from None
        flush_at(os.path.dirname(each))


def nearest(folder: str) -> str:
    """Return `folder`, or the nearest folder above it that is there."""
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder
