"""The ledger of a log: its Merkle tree, kept as tiles, so that what is appended costs the same however long the log is.

    ms                       how many leaves there are
    mt ‖ level ‖ index       a tile: up to 256 hashes in a row; those of level 0 are leaves, those of level n + 1 the
                             hashes above whole tiles of level n (the tiles of C2SP's tlog-tiles, which can be served)
    mo ‖ position            the ordinal of the event at that position, for the first event of each tile

Of the latest tile of each level a part is there, and is written anew with each batch; whole tiles never change. What
the rows hold depends on the events and on nothing else, so the ledger is folded, verified and rebuilt with all other
views.
The tree itself is `lading.domain.ledger`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from lading.domain import ledger
from lading.domain.errors import ViewsDamaged
from lading.domain.ledger import HASH_BYTES, Subtree
from lading.domain.ports import Reader, Recorded
from lading.projections.keys import number, read_number

SIZE, TILE, PLACE = b"ms", b"mt", b"mo"
HEIGHT = 8
WIDTH = 1 << HEIGHT
"""So many hashes has a whole tile."""

LEAVES = TILE + bytes(1)
"""What the keys of tiles of leaves begin with."""

_TILE_BYTES = WIDTH * HASH_BYTES


class Tiles(Protocol):
    """Where tiles are looked up: any `lading.domain.ports.Reader`, or less."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""
        ...


class Growing(Tiles, Protocol):
    """Where tiles are kept: any `lading.domain.ports.Transaction`, or less."""

    def put(self, key: bytes, value: bytes) -> None:
        """Store `value` under `key`."""
        ...


def append(txn: Growing, records: Sequence[Recorded]) -> None:
    """Take in events that follow on those that the ledger has."""
    start = size(txn)
    for ahead in range(-start % WIDTH, len(records), WIDTH):
        txn.put(PLACE + number(records[ahead].position), number(start + ahead))
    txn.put(SIZE, number(start + len(records)))
    leaf = ledger.leaf
    hashes = [leaf(stream, version, topic, state) for _, stream, version, topic, state in records]
    level = 0
    while hashes:
        index, filled = divmod(start, WIDTH)
        row = _part(txn, level, index, filled) + b"".join(hashes)
        hashes = []
        while row:
            tile, row = row[:_TILE_BYTES], row[_TILE_BYTES:]
            txn.put(_key(level, index), tile)
            if len(tile) == _TILE_BYTES:
                hashes.append(_above(_split(tile)))
                index += 1
        level, start = level + 1, start // WIDTH


def _part(txn: Growing, level: int, index: int, filled: int) -> bytes:
    held = (txn.get(_key(level, index)) or b"") if filled else b""
    if len(held) != filled * HASH_BYTES:
        raise ViewsDamaged(f"the ledger lacks hashes of its level {level}")
    return held


# -- looking -----------------------------------------------------------------------------------------------------------


def size(reader: Tiles) -> int:
    """Return how many events are in the ledger."""
    held = reader.get(SIZE)
    return 0 if held is None else read_number(held)


def root(reader: Tiles, size: int | None = None) -> bytes:
    """Return the root over the first `size` events, by default over all.

    Raises:
        ValueError: there are not so many.
    """
    return ledger.root(_checked(reader, size), subtree(reader))


def inclusion(reader: Tiles, ordinal: int, size: int | None = None) -> list[bytes]:
    """Return the proof that an event is among the first `size`.

    Raises:
        ValueError: it is not, or there are not so many.
    """
    return ledger.inclusion(ordinal, _checked(reader, size), subtree(reader))


def consistency(reader: Tiles, old: int, new: int | None = None) -> list[bytes]:
    """Return the proof that the ledger of `old` events, at least one, is where that of `new` began.

    Raises:
        ValueError: the sizes are not in order, or there are not so many.
    """
    return ledger.consistency(old, _checked(reader, new), subtree(reader))


def tile(reader: Tiles, level: int, index: int) -> bytes:
    """Return a tile, as far as it is filled; empty where there is none."""
    return reader.get(_key(level, index)) or b""


def first_of(key: bytes) -> int:
    """Return the ordinal of the first event of a tile of leaves, by the tile's key."""
    return read_number(key[len(LEAVES) :]) * WIDTH


def place(reader: Reader, position: int) -> tuple[int, int]:
    """Return position and ordinal of an event at or before `position`, at most 255 events before; (0, 0) for none."""
    for key, value in reader.scan(PLACE, start=PLACE + number(position), reverse=True):
        return read_number(key[len(PLACE) :]), read_number(value)
    return 0, 0


def places(reader: Reader) -> Iterator[int]:
    """Yield the position of the first event of each tile of leaves, in order."""
    return (read_number(key[len(PLACE) :]) for key, _ in reader.scan(PLACE))


def subtree(reader: Tiles) -> Subtree:
    """Return what looks up the complete subtrees of the ledger; it holds the few tiles that one question needs."""
    tiles: dict[bytes, list[bytes]] = {}

    def look(level: int, index: int) -> bytes:
        tall, low = divmod(level, HEIGHT)
        number_of_tile, first = divmod(index << low, WIDTH)
        key = _key(tall, number_of_tile)
        if key not in tiles:
            tiles[key] = _split(reader.get(key) or b"")
        hashes = tiles[key][first : first + (1 << low)]
        if len(hashes) != 1 << low:
            raise ViewsDamaged(f"the ledger lacks the hash {index} of its level {level}")
        return _above(hashes)

    return look


def _checked(reader: Tiles, wanted: int | None) -> int:
    there = size(reader)
    if wanted is not None and not 0 <= wanted <= there:
        raise ValueError(f"the ledger has {there} events, not {wanted}")
    return there if wanted is None else wanted


def _key(level: int, index: int) -> bytes:
    return TILE + bytes((level,)) + number(index)


def _split(tile: bytes) -> list[bytes]:
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def _above(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = ledger.level_above(hashes)
    return hashes[0]
