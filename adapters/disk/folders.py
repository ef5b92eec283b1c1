"""Folders and the names in them: which inode a name means now, and how a new name is made to last."""

from __future__ import annotations

import contextlib
import errno
import os
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

    Raises:
        OSError: the device failed.
    """
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in kernel.NOT_HERE:
            raise


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
