"""The ledger's tiles hold the tree of the log, whatever the batches were and wherever the events lie."""

from __future__ import annotations

from itertools import accumulate, pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import ledger as tree
from lading.domain.errors import ViewsDamaged
from lading.domain.ports import Recorded
from lading.projections import ledger
from lading.testing import MemoryStore


def record(ordinal, gap=1):
    """Return the event of an ordinal; positions may have gaps."""
    return Recorded((ordinal + 1) * gap, UUID(int=ordinal // 3), ordinal % 3 + 1, "lading.test.v1", b"%d" % ordinal)


def grown(*steps, gap=1):
    """Return a store whose ledger took in the events in such batches."""
    store = MemoryStore()
    for start, end in pairwise([0, *accumulate(steps)]):
        with store.write() as txn:
            ledger.append(txn, [record(ordinal, gap) for ordinal in range(start, end)])
    return store


def rows(store):
    """Return everything that a store holds."""
    with store.read() as reader:
        return dict(reader.scan(b""))


def leaves(count):
    """Return the leaves of the first events."""
    return [tree.leaf(*record(ordinal)[1:]) for ordinal in range(count)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 600), min_size=1, max_size=6))
def test_batches_do_not_show(steps):
    """Whatever batches the events came in, the rows are the same, byte for byte."""
    assert rows(grown(*steps)) == rows(grown(sum(steps)))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 1500), st.data())
def test_tiles_answer_for_every_size_that_there_was(count, data):
    """Roots and proofs out of tiles verify against leaves, for the ledger as it is and as it was."""
    size = data.draw(st.integers(1, count))
    ordinal = data.draw(st.integers(0, size - 1))
    known = leaves(count)
    with grown(count).read() as reader:
        root = tree.root_of(known[:size])
        assert ledger.size(reader) == count
        assert ledger.root(reader, size) == root
        assert tree.verify_inclusion(known[ordinal], ordinal, size, ledger.inclusion(reader, ordinal, size), root)
        path = ledger.consistency(reader, size)
        assert tree.verify_consistency(size, count, root, ledger.root(reader), path)


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 65_535, 65_536, 66_000])
def test_the_root_at_the_edges_of_tiles(count):
    """A tile that is just full, or just begun, makes no difference."""
    with grown(count // 2, count - count // 2).read() as reader:
        assert ledger.root(reader) == tree.root_of(leaves(count))
        assert all(len(ledger.tile(reader, 0, index)) == 256 * 32 for index in range(count // 256))


def test_gaps_in_positions_change_no_root():
    """A log that leaves gaps in its positions has the same tree, and its events are found by their positions."""
    dense, sparse = grown(1000), grown(1000, gap=7)
    with dense.read() as one, sparse.read() as other:
        assert ledger.root(one) == ledger.root(other)
        for ordinal in (0, 1, 255, 256, 511, 512, 999):
            position, near = ledger.place(other, record(ordinal, 7).position)
            assert near == ordinal // 256 * 256
            assert position == record(near, 7).position
        assert ledger.place(other, 3) == (0, 0)


def test_a_tile_that_is_gone_is_noticed():
    """Nothing is folded on a part that is missing, and no root is made up."""
    store = grown(300)
    with store.write() as txn:
        txn.delete(ledger.TILE + bytes((0,)) + (1).to_bytes(8, "big"))
    with store.read() as reader, pytest.raises(ViewsDamaged):
        ledger.root(reader)
    with pytest.raises(ViewsDamaged), store.write() as txn:
        ledger.append(txn, [record(300)])


def test_more_than_there_is_is_refused():
    """The ledger has no root of the future."""
    with grown(3).read() as reader, pytest.raises(ValueError, match="has 3 events"):
        ledger.root(reader, 4)
