"""The tree of the ledger is that of RFC 6962, and its proofs prove what they say and nothing else."""

from __future__ import annotations

import hashlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import ledger

INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The test vectors of Certificate Transparency's reference implementation, for the first one to eight inputs."""

SIZES = st.integers(1, 70)


def leaves(count):
    """Return so many different leaves."""
    return [ledger.leaf_of(bytes((number,))) for number in range(count)]


def subtree_over(given):
    """Return the subtrees over leaves, by the definition of RFC 6962 §2.1."""

    def look(level, index):
        row = given[index << level : (index + 1) << level]
        assert len(row) == 1 << level
        return mth(row)

    return look


def mth(row):
    """Return the Merkle tree hash, word for word as RFC 6962 §2.1 has it."""
    if not row:
        return hashlib.sha256().digest()
    if len(row) == 1:
        return row[0]
    k = 1
    while k * 2 < len(row):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(row[:k]) + mth(row[k:])).digest()


def proof(index, row):
    """Return the audit path, word for word as RFC 6962 §2.1.1 has it."""
    if len(row) == 1:
        return []
    k = 1
    while k * 2 < len(row):
        k *= 2
    if index < k:
        return [*proof(index, row[:k]), mth(row[k:])]
    return [*proof(index - k, row[k:]), mth(row[:k])]


def subproof(old, row, whole):
    """Return the consistency proof, word for word as RFC 6962 §2.1.2 has it."""
    if old == len(row):
        return [] if whole else [mth(row)]
    k = 1
    while k * 2 < len(row):
        k *= 2
    if old <= k:
        return [*subproof(old, row[:k], whole), mth(row[k:])]
    return [*subproof(old - k, row[k:], False), mth(row[:k])]


@pytest.mark.row("C.5")
def test_the_known_vectors_hold():
    """The roots of the first inputs are those that every implementation of RFC 6962 has."""
    row = [ledger.leaf_of(given) for given in INPUTS]
    assert ledger.root(0, subtree_over([])).hex() == hashlib.sha256().hexdigest()
    for count, known in enumerate(ROOTS, 1):
        assert ledger.root(count, subtree_over(row)).hex() == known
        assert ledger.root_of(row[:count]).hex() == known


@given(SIZES, st.data())
def test_roots_and_proofs_are_those_of_the_definition(size, data):
    """Root, inclusion and consistency are what the recursive definitions give."""
    row = leaves(size)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(SIZES.filter(lambda old: old <= size))
    assert ledger.root(size, subtree_over(row)) == mth(row) == ledger.root_of(row)
    assert ledger.inclusion(index, size, subtree_over(row)) == proof(index, row)
    assert ledger.consistency(old, size, subtree_over(row)) == subproof(old, row, True)


@given(SIZES, st.data())
def test_a_proof_proves_one_leaf_at_one_place_under_one_root(size, data):
    """Inclusion verifies as it is, and with nothing about it changed."""
    row = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    path, top = ledger.inclusion(index, size, subtree_over(row)), mth(row)
    assert ledger.verify_inclusion(row[index], index, size, path, top)
    other = bytes(32)
    assert not ledger.verify_inclusion(other, index, size, path, top)
    assert not ledger.verify_inclusion(row[index], index, size, path, other)
    assert not ledger.verify_inclusion(row[index], index, size, [*path, other], top)
    for at in range(len(path)):
        assert not ledger.verify_inclusion(row[index], index, size, path[:at] + path[at + 1 :], top)
        assert not ledger.verify_inclusion(row[index], index, size, [*path[:at], other, *path[at + 1 :]], top)
    assert not any(
        ledger.verify_inclusion(row[index], wrong, size, path, top) for wrong in range(-1, size + 2) if wrong != index
    )


@given(SIZES, SIZES, st.data())
def test_a_later_tree_proves_that_it_began_as_an_earlier_one(old, more, data):
    """Consistency verifies as it is, and with nothing about it changed."""
    row = leaves(old + more)
    before, after = mth(row[:old]), mth(row)
    path = ledger.consistency(old, len(row), subtree_over(row))
    other = bytes(32)
    assert ledger.verify_consistency(old, len(row), before, after, path)
    assert ledger.verify_consistency(old, old, before, before, [])
    assert not ledger.verify_consistency(old, old, before, other, [])
    assert not ledger.verify_consistency(old, len(row), other, after, path)
    assert not ledger.verify_consistency(old, len(row), before, other, path)
    assert not ledger.verify_consistency(old, len(row), before, after, [*path, other])
    at = data.draw(st.integers(0, len(path) - 1))
    assert not ledger.verify_consistency(old, len(row), before, after, [*path[:at], other, *path[at + 1 :]])
    changed = [*row[: old - 1], other, *row[old:]]
    forged = ledger.consistency(old, len(row), subtree_over(changed))
    assert not ledger.verify_consistency(old, len(row), before, mth(changed), forged)


def test_what_cannot_be_proven_is_refused():
    """There is no proof of a leaf that is not there, nor of an order that was not."""
    look = subtree_over(leaves(3))
    for index in (-1, 3):
        with pytest.raises(ValueError, match="not among"):
            ledger.inclusion(index, 3, look)
    for old in (0, 4):
        with pytest.raises(ValueError, match="nothing can be proven"):
            ledger.consistency(old, 3, look)
    assert not ledger.verify_consistency(0, 3, ledger.EMPTY, mth(leaves(3)), [])


def test_a_leaf_tells_apart_whatever_differs():
    """Stream, version, topic and state each change the leaf, and no part can be taken for its neighbour."""
    one = (UUID(int=1), 1, "a.v1", b"state")
    others = [(UUID(int=2), *one[1:]), (one[0], 2, *one[2:]), (*one[:2], "b.v1", b"state"), (*one[:3], b"states")]
    assert len({ledger.leaf(*one), *(ledger.leaf(*other) for other in others)}) == 5
    assert ledger.leaf(*one) == ledger.leaf_of(ledger.entry(*one))
