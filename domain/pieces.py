"""Pieces: durable byte ranges with their digests, on a fixed grid.

A `Progressed` event vouches for pieces. A piece lies within one cell of the grid and begins where the cell does, or
where a connection came into the cell; a piece that has grown replaces the shorter one that began at the same byte. So
every byte that the log claims is covered by a digest, the unfinished last cell included, and recovery needs to trust
neither the clock nor the disk.
"""

from __future__ import annotations

import attrs

from lading.domain import digests

SMALLEST_CELL = 4 * 1024 * 1024
MOST_CELLS = 8192


@attrs.frozen(slots=False)
class Piece:
    """The bytes from `start` up to `end`, and the digest that they had when they were flushed.

    `source` is the number of the source that they came from, None for the attempt's own.
    """

    start: int
    end: int
    digest: str
    source: int | None = None

    @property
    def size(self) -> int:
        """Bytes in the piece."""
        return self.end - self.start

    def fits(self, data: bytes | memoryview) -> bool:
        """Tell whether `data` is what this piece vouches for."""
        return len(data) == self.size and digests.of(data, self.digest.partition(":")[0]) == self.digest


def cell_size(total: int | None) -> int:
    """Return the grid's cell in bytes: 4 MiB, or what keeps a file of `total` bytes to about 8,192 cells.

    Rounded up to a whole number of 4 KiB blocks, so that pieces stay aligned.
    """
    cell = max(SMALLEST_CELL, (total or 0) // MOST_CELLS)
    return -(-cell // 4096) * 4096
