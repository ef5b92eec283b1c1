"""Giving back what a long walk through a mapped file has made resident.

LMDB maps its file, so that every page that was read counts as memory of the process for as long as the system has no
better use for it: a million events look like hundreds of megabytes. They are the file's own pages, and lose nothing
when they are let go of; the next look maps them again.
"""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path
from typing import Any

from lading.adapters.lmdb.ground import DATA_FILE

MADV_DONTNEED = 4


@functools.cache
def _libc() -> Any:
    library = ctypes.CDLL(None, use_errno=True)
    library.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return library


def forget(data: Path | None = None) -> None:
    """Let go of the pages of a data file that this process has mapped, or of all; else do nothing."""
    name = f"/{DATA_FILE}" if data is None else os.path.realpath(data)
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as table:
            for line in table:
                if line.rstrip("\n").endswith(name):
                    first, _, last = line.split(" ", 1)[0].partition("-")
                    start = int(first, 16)
                    _libc().madvise(start, int(last, 16) - start, MADV_DONTNEED)
    except OSError:
        return
