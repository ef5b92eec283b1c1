"""Headroom: zeroed blocks behind the last page of the data file, laid before they are needed.

LMDB lets its file grow page by page, so that nearly every commit changes the file's length and blocks, and the flush of
that commit has to wait for the file system's own journal too. Into blocks that were written before, a flush writes just
the data: measured on ext4, a tenth of a millisecond less. The room is laid by whoever holds the write lock, and behind
everything that LMDB has ever used, in steps as large as what is used: they must be many commits long to pay, and a file
is never more than twice, nor more than a megabyte, longer for them than it need be.
"""

from __future__ import annotations

import os

STEP_BYTES_MIN = 256 * 1024
STEP_BYTES_MAX = 1024 * 1024
SPENT = 8
"""The next step is laid when no more than such a part of one is left."""

SPARE_SHARE = 64
"""Room is laid only on a file system that has this many times as much left."""


def lay(path: str, size: int, used: int) -> None:
    """Lengthen the data file when little of it is left behind the bytes in use; what cannot be had is done without.

    Args:
        path: the data file, whose write lock the caller holds.
        size: its length in bytes.
        used: the end of its last used page.
    """
    step = min(max(used, STEP_BYTES_MIN), STEP_BYTES_MAX)
    if size - used >= step // SPENT or size < used:
        return
    descriptor = -1
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        room = os.fstatvfs(descriptor)
        if room.f_bavail * room.f_frsize < step * SPARE_SHARE:
            return
        if os.pwrite(descriptor, bytes(step), size) < step:
            os.ftruncate(descriptor, size)
    except OSError:
        return
    finally:
        if descriptor >= 0:
            os.close(descriptor)
