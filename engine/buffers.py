"""Where bodies are received: page-aligned buffers from one bounded pool for all transfers of an engine.

A transfer begins with a small buffer of its own and proves that it is fast before it gets larger ones; the largest come
out of the pool, so that a thousand transfers do not take a thousand times as much as one (law 9). Aligned memory can go
to the disk past the page cache.
"""

from __future__ import annotations

import mmap

SIZES = (16 * 1024, 64 * 1024, 256 * 1024, 1024 * 1024, 4 * 1024 * 1024)
"""What buffers there are, in bytes."""
OWN_BYTES = SIZES[1]
"""Up to this size a buffer is a transfer's own, and not counted."""
POOL_BYTES = 96 * 1024 * 1024


class Buffers:
    """The pool; for use from one thread.

    Args:
        most_bytes: how much memory all larger buffers may take.
    """

    def __init__(self, most_bytes: int = POOL_BYTES) -> None:
        self._left = most_bytes
        self._idle: dict[int, list[memoryview]] = {size: [] for size in SIZES}

    def take(self, size: int) -> memoryview:
        """Return a buffer of `size`, one of `SIZES`, or of the next smaller one that there is room for."""
        while size > OWN_BYTES:
            if self._idle[size]:
                return self._idle[size].pop()
            if self._left >= size or self._drop_idle(size):
                self._left -= size
                return memoryview(mmap.mmap(-1, size))
            size = SIZES[SIZES.index(size) - 1]
        return memoryview(bytearray(size))

    def give_back(self, buffer: memoryview) -> None:
        """Let another transfer have a buffer, which nobody may touch any more."""
        if len(buffer) > OWN_BYTES:
            self._idle[len(buffer)].append(buffer)

    def _drop_idle(self, wanted: int) -> bool:
        """Give idle buffers of other sizes up until there is room for `wanted` bytes, and tell whether there is."""
        for idle in self._idle.values():
            while idle and self._left < wanted:
                self._left += len(idle.pop())
        return self._left >= wanted
