"""The right edge of a ledger that grows in memory: of each level the latest tile, all that the next leaf needs.

So the root over any number of events is told in one pass over them, in memory that grows with its logarithm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from lading.domain.ports import Recorded
from lading.projections import ledger

TOGETHER = 4 * ledger.WIDTH
"""So many events are taken in at once by `Edge.over`."""


class Edge:
    """What `lading.projections.ledger` keeps its tiles in where nobody will ask for a proof."""

    def __init__(self) -> None:
        self._tiles: dict[bytes, tuple[bytes, bytes]] = {}
        self._size: bytes | None = None
        self.written: list[tuple[bytes, bytes]] = []

    def get(self, key: bytes) -> bytes | None:
        """Return a tile of the edge, or the size."""
        if key == ledger.SIZE:
            return self._size
        held, value = self._tiles.get(_level(key), (b"", b""))
        return value if held == key else None

    def put(self, key: bytes, value: bytes) -> None:
        """Take in a tile, or the size; tiles of leaves are noted in `written`."""
        if key == ledger.SIZE:
            self._size = value
        elif key.startswith(ledger.TILE):
            self._tiles[_level(key)] = key, value
            if key.startswith(ledger.LEAVES):
                self.written.append((key, value))

    def over(self, records: Iterable[Recorded]) -> Iterator[Recorded]:
        """Yield events as they are, and take them in on the way."""
        walk = iter(records)
        while page := list(islice(walk, TOGETHER)):
            ledger.append(self, page)
            self.written.clear()
            yield from page

    @property
    def root(self) -> bytes:
        """The root over everything that was taken in."""
        return ledger.root(self)


def _level(key: bytes) -> bytes:
    return key[: len(ledger.TILE) + 1]
