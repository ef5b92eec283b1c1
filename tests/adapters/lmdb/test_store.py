"""The key-value store holds the contract of `lading.domain.ports.Store`, against a dict."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.adapters.lmdb import LMDBStore
from lading.adapters.lmdb.environment import Environment
from lading.adapters.lmdb.faults import CommitUnknown
from lading.domain.errors import StoreUnavailable
from lading.domain.ports import Store

keys = st.binary(min_size=1, max_size=4) | st.sampled_from([b"a", b"ab", b"\xff", b"\xff\xff", b"b" * 511])
starts = st.none() | st.binary(max_size=5) | st.sampled_from([b"a", b"\xff" * 600])
prefixes = st.binary(max_size=2) | st.sampled_from([b"\xff", b"\xff\xff"])
changes = st.lists(st.tuples(keys, st.none() | st.binary(max_size=8)), max_size=12)


def walk(model: dict[bytes, bytes], prefix: bytes, start: bytes | None, *, reverse: bool) -> list[tuple[bytes, bytes]]:
    """What a scan of a plain dict would be."""
    found = sorted((key, value) for key, value in model.items() if key.startswith(prefix))
    if reverse:
        return [item for item in reversed(found) if start is None or item[0] <= start]
    return [item for item in found if start is None or item[0] >= start]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LMDBStore]:
    """One store for all examples, each of which empties it first."""
    made = LMDBStore(tmp_path_factory.mktemp("store"), trust_file_system=True)
    yield made
    made.close()


@settings(deadline=None, max_examples=100)
@given(st.lists(changes, max_size=4), st.booleans(), st.lists(st.tuples(prefixes, starts), min_size=1, max_size=4))
def test_the_store_answers_as_a_dict_does(
    shared: LMDBStore,
    blocks: list[list[tuple[bytes, bytes | None]]],
    fails: bool,
    scans: list[tuple[bytes, bytes | None]],
) -> None:
    """Puts, deletions, blocks that raise, and scans from anywhere both ways, inside and outside a transaction."""
    with shared.write() as txn:
        for key, _ in txn.scan(b""):
            txn.delete(key)
    model: dict[bytes, bytes] = {}
    for number, changed in enumerate(blocks):
        ahead = dict(model)
        try:
            with shared.write() as txn:
                for key, value in changed:
                    if value is None:
                        txn.delete(key)
                        ahead.pop(key, None)
                    else:
                        txn.put(key, value)
                        ahead[key] = value
                    assert txn.get(key) == value
                _compare(txn, ahead, scans)
                rows = {key + b"!": value for key, value in changed[::2]} | dict(changed[1::2])
                txn.change({key: value for key, value in rows.items() if len(key) <= 511})
                for key, value in rows.items():
                    if len(key) <= 511:
                        ahead.pop(key, None) if value is None else ahead.update({key: value})
                _compare(txn, ahead, scans)
                if fails and number % 2:
                    raise InterruptedError
        except InterruptedError:
            continue
        model = ahead
    with shared.read() as look:
        _compare(look, model, scans)
        assert {key: look.get(key) for key in model} == model


def _compare(reader: Any, model: dict[bytes, bytes], scans: list[tuple[bytes, bytes | None]]) -> None:
    for prefix, start in scans:
        for reverse in (False, True):
            assert list(reader.scan(prefix, start=start, reverse=reverse)) == walk(
                model, prefix, start, reverse=reverse
            )


def test_it_is_a_store(store: LMDBStore) -> None:
    """The type checker accepts it as the port."""
    port: Store = store
    with port.write() as txn:
        txn.put(b"k", b"")
    with port.read() as look:
        assert look.get(b"k") == b""


def test_a_look_stays_as_it_was(store: LMDBStore) -> None:
    """What is committed while it is open is seen by the next one."""
    with store.write() as txn:
        txn.put(b"k", b"old")
    with store.read() as look:
        with store.write() as txn:
            txn.put(b"k", b"new")
            txn.put(b"l", b"new")
        assert look.get(b"k") == b"old"
        assert list(look.scan(b"")) == [(b"k", b"old")]
    with store.read() as look:
        assert list(look.scan(b"")) == [(b"k", b"new"), (b"l", b"new")]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_meets_what_is_written_ahead_of_it(store: LMDBStore, reverse: bool) -> None:
    """And not what is deleted ahead of it; what it has passed does not come again."""
    with store.write() as txn:
        for key in (b"b", b"d", b"f", b"h"):
            txn.put(key, b"old")
    with store.write() as txn:
        met = []
        for key, value in txn.scan(b"", reverse=reverse):
            met.append((key, value))
            if key == (b"f" if reverse else b"d"):
                txn.put(b"e", b"ahead")
                txn.put(b"g" if reverse else b"c", b"behind")
                txn.delete(b"d" if reverse else b"f")
                txn.put(b"b" if reverse else b"h", b"changed")
        order = [b"h", b"f", b"e", b"b"] if reverse else [b"b", b"d", b"e", b"h"]
        assert [key for key, _ in met] == order
        assert met[2:] == [(b"e", b"ahead"), (order[3], b"changed")]


def test_deleting_while_scanning_empties_the_range(store: LMDBStore) -> None:
    """The usual way to drop a prefix."""
    with store.write() as txn:
        for n in range(100):
            txn.put(b"row%02d" % n, b"")
        txn.put(b"s", b"")
    with store.write() as txn:
        for key, _ in txn.scan(b"row"):
            txn.delete(key)
    with store.read() as look:
        assert list(look.scan(b"")) == [(b"s", b"")]


def test_a_key_put_often_costs_one_put(store: LMDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A counter that a thousand events raise is put into the tree once."""
    put: list[list[Any]] = []
    apply = type(store.write())._apply
    monkeypatch.setattr(type(store.write()), "_apply", lambda txn, items: (put.append(items), apply(txn, items)))
    with store.write() as txn:
        for _ in range(1000):
            txn.put(b"count", str(int(txn.get(b"count") or b"0") + 1).encode())
    assert put == [[(b"count", b"1000")]]


def test_a_block_that_writes_nothing_commits_nothing(store: LMDBStore) -> None:
    """No flush for a look that might have written."""
    before = store.environment.last_transaction()
    with store.write() as txn:
        txn.get(b"k")
    assert store.environment.last_transaction() == before


@pytest.mark.parametrize("key", [b"", b"k" * 512])
def test_a_key_of_a_wrong_length_is_refused_where_it_is_put(store: LMDBStore, key: bytes) -> None:
    """Not only when the block ends."""
    with store.write() as txn:
        with pytest.raises(ValueError, match="511"):
            txn.put(key, b"")
        with pytest.raises(ValueError, match="511"):
            txn.change({b"k": b"", key: b""})
        assert txn.get(b"k") is None


def test_stores_under_two_names_share_an_environment_and_nothing_else(tmp_path: Path) -> None:
    """Each has its own keys."""
    one, other = LMDBStore(tmp_path / "both", name="one"), LMDBStore(tmp_path / "both", name="other")
    assert one.environment is other.environment
    with one.write() as txn:
        txn.put(b"k", b"one")
    with other.read() as look:
        assert look.get(b"k") is None
    one.close()
    other.close()


def test_a_store_without_metasync_says_so_to_lmdb(tmp_path: Path) -> None:
    """Views flush less; everything else keeps the default, and nothing is ever written through the map."""
    views, vault = LMDBStore(tmp_path / "views", metasync=False), LMDBStore(tmp_path / "vault")
    kept = {"sync": True, "writemap": False, "map_async": False, "lock": True}
    assert kept.items() <= views.environment._handle.lmdb.flags().items()
    assert views.environment._handle.lmdb.flags()["metasync"] is False
    assert vault.environment._handle.lmdb.flags()["metasync"] is True
    views.close()
    vault.close()


def test_writers_of_two_threads_take_turns(store: LMDBStore) -> None:
    """Six threads that each raise a counter twenty times lose nothing."""

    def work() -> None:
        for _ in range(20):
            with store.write() as txn:
                txn.put(b"n", str(int(txn.get(b"n") or b"0") + 1).encode())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as look:
        assert look.get(b"n") == b"120"


def test_a_store_that_is_closed_within_its_own_block_stores_nothing(tmp_path: Path) -> None:
    """It neither waits for itself nor commits, and can be opened again."""
    store = LMDBStore(tmp_path / "store")

    def close_within() -> None:
        with store.write() as txn:
            txn.put(b"k", b"v")
            store.close()

    with pytest.raises(StoreUnavailable):
        close_within()
    store = LMDBStore(tmp_path / "store")
    with store.read() as look:
        assert look.get(b"k") is None
    store.close()


def test_a_commit_that_fails_raises_why(store: LMDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the domain's words, and the next block succeeds."""

    def fail(environment: Environment, txn: Any) -> None:
        raise CommitUnknown(StoreUnavailable("the disk went away")) from lmdb.Error("eio")

    with monkeypatch.context() as patch:
        patch.setattr(Environment, "commit", fail)
        with pytest.raises(StoreUnavailable, match="the disk went away"), store.write() as txn:
            txn.put(b"k", b"v")
    with store.write() as txn:
        assert txn.get(b"k") is None
        txn.put(b"k", b"v")
