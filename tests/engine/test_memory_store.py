"""The store in memory against LMDB's: the same writes and reads give the same answers, and misuse is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.adapters.lmdb.store import LMDBStore
from lading.domain.errors import StoreUnavailable
from lading.testing import MemoryStore

pytestmark = pytest.mark.row("S1.8")

LETTERS = st.sampled_from([b"a", b"b", b"\0", b"\xff"])
KEYS = st.lists(LETTERS, min_size=1, max_size=3).map(b"".join)
PREFIXES = st.lists(LETTERS, max_size=3).map(b"".join)
WRITES = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=2)), max_size=12)
SCANS = st.tuples(PREFIXES, st.none() | PREFIXES, st.booleans())


@pytest.fixture(scope="module")
def lmdb_store(tmp_path_factory):
    with contextlib.closing(LMDBStore(tmp_path_factory.mktemp("store"), metasync=False, map_size=2**22)) as store:
        yield store


def write(txn, writes):
    for key, value in writes:
        if value is None:
            txn.delete(key)
        else:
            txn.put(key, value)


def look(reader, scans, keys):
    walks = [list(reader.scan(prefix, start=start, reverse=reverse)) for prefix, start, reverse in scans]
    return walks, [reader.get(key) for key in keys]


@settings(deadline=None)
@given(st.lists(WRITES, max_size=3), WRITES, st.lists(SCANS, max_size=6))
def test_both_stores_give_the_same_answers(lmdb_store, commits, undone, scans):
    """Gets and scans in any direction, inside a transaction and after it, committed or undone."""
    memory = MemoryStore()
    with lmdb_store.write() as txn:
        write(txn, [(key, None) for key, _ in list(txn.scan(b""))])
    keys = [key for writes in [*commits, undone] for key, _ in writes]
    seen: list[list[object]] = []
    for store in (memory, lmdb_store):
        answers: list[object] = []
        for writes in commits:
            with store.write() as txn:
                write(txn, writes)
                answers.append(look(txn, scans, keys))
        with contextlib.suppress(ZeroDivisionError), store.write() as txn:
            write(txn, undone)
            answers.append(look(txn, scans, keys))
            raise ZeroDivisionError
        with store.read() as reader:
            answers.append(look(reader, scans, keys))
        seen.append(answers)
    assert seen[0] == seen[1]


def test_a_look_does_not_see_what_is_committed_after_it_began():
    """Rows change for those who look later, not for those who look already."""
    store = MemoryStore()
    with store.write() as txn:
        txn.put(b"a", b"1")
    with store.read() as before:
        walk = before.scan(b"")
        with store.write() as txn:
            txn.put(b"a", b"2")
            txn.put(b"b", b"2")
        assert list(walk) == [(b"a", b"1")]
        assert before.get(b"b") is None
        with store.read() as after:
            assert dict(after.scan(b"")) == {b"a": b"2", b"b": b"2"}


def test_what_is_not_committed_is_seen_by_nobody_else():
    """A transaction's writes are its own until it ends well."""
    store = MemoryStore()
    with store.write() as txn:
        txn.put(b"a", b"1")
        with store.read() as reader:
            assert reader.get(b"a") is None


@pytest.mark.parametrize("key", [b"", b"x" * 512])
def test_keys_that_no_store_takes_are_refused(key):
    """A key has 1 to 511 bytes."""
    with MemoryStore().write() as txn, pytest.raises(ValueError, match="511"):
        txn.put(key, b"")


def test_misuse_is_refused_and_not_hung():
    """A look after its end, a transaction within a transaction, a closed store: each says what it is."""
    store = MemoryStore()
    with store.read() as reader:
        walk = reader.scan(b"")
    with pytest.raises(RuntimeError, match="ended"):
        reader.get(b"a")
    with pytest.raises(RuntimeError, match="ended"):
        next(walk)
    with store.write(), pytest.raises(RuntimeError, match="within"), store.write():
        pass
    with store.write() as txn:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        txn.put(b"a", b"")
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable), store.read():
        pass
    with pytest.raises(StoreUnavailable), store.write():
        pass
