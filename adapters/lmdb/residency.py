"""What of LMDB's maps is resident in this process, and how a long reader gives it back.

A reader of a whole log touches all of its pages once. They are the kernel's, clean, and could go at any time, but for
as long as nobody else wants the memory they stay mapped and are counted as this process's own: a container's limit, and
people who look at it, see a program that grows with its history. So whoever walks a whole environment says now and then
that what it has read may leave the map. The pages stay in the kernel's cache, and come back when they are touched.

That is harmless to everybody else in the process: without `writemap` LMDB's maps are for reading only, and what was
written lies elsewhere until it is committed. Where a system has no such call, nothing happens.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

from lading.adapters.lmdb.ground import DATA_FILE

_MAPS = Path("/proc/self/maps")
_DONT_NEED = 4
"""MADV_DONTNEED; of a shared map of a file it takes pages out of the map, and out of nothing else."""


def give_back() -> None:
    """Take the pages of all environments of this process out of its memory; they come back when they are touched."""
    if sys.platform != "linux":
        return
    advise = ctypes.CDLL(None).madvise
    for start, end in _maps():
        advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONT_NEED)


def _maps() -> Iterator[tuple[int, int]]:
    """Walk the shared read-only maps of LMDB's files: from where to where."""
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # a system without /proc tells nothing
        return
    for line in lines:
        words = line.split(maxsplit=5)
        if len(words) == 6 and words[1] == "r--s" and words[5].endswith(f"/{DATA_FILE}"):
            start, _, end = words[0].partition("-")
            yield int(start, 16), int(end, 16)
