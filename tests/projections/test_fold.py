"""The fold: whatever happened, and however it was cut into batches, the views hold the same."""

from __future__ import annotations

import contextlib
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.errors import ViewsDamaged
from lading.domain.facts import Context, Fact
from lading.projections import VIEWS, progress
from lading.projections.fold import OF_DOWNLOADS, Fold
from lading.testing import MemoryStore
from lading.views import ROWS

pytestmark = [pytest.mark.row("C.2"), pytest.mark.law(3)]

COUNTED = {b"sc", b"st", b"sh", b"sn", b"sd"}


@settings(deadline=None)
@given(data=st.data())
def test_batches_of_any_size_leave_the_same_bytes(data, worlds, make):
    """Folding in one batch, event by event, or in random batches gives equal stores, whatever is remembered between."""
    facts = data.draw(worlds).facts()
    at_once = make.contents(make.fold(facts))
    sizes = data.draw(st.lists(st.integers(1, 9), max_size=30))
    assert make.contents(make.fold(facts, sizes)) == at_once
    assert make.contents(make.fold(facts, [1] * len(facts), remembered=data.draw(st.integers(0, 3)))) == at_once


@settings(deadline=None)
@given(data=st.data())
def test_the_states_are_those_that_the_domain_folds(data, worlds, make):
    """Every download's row is its state, with the position of its first event as its age."""
    world = data.draw(worlds)
    with make.fold(world.facts(), [3] * 20).read() as reader:
        held = {id: progress.find(reader, id, ROWS) for id in progress.ids(reader)}
    assert held == {id: (world.ages[id], state) for id, state in world.downloads.items()}


def test_a_batch_that_is_undone_leaves_no_trace(make):
    """After a transaction that failed at its end, the same facts fold to the same views."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    facts = world.facts()
    store, fold = MemoryStore(), Fold(ROWS)
    with store.write() as txn:
        fold.apply(txn, facts[:1])
    with contextlib.suppress(OSError), store.write() as txn:
        fold.apply(txn, facts[1:])
        raise OSError("power cut")
    assert make.contents(store) == make.contents(make.fold(facts[:1]))
    with store.write() as txn:
        fold.apply(txn, facts[1:])
    assert make.contents(store) == make.contents(make.fold(facts))


def test_what_another_process_folded_meanwhile_is_not_overwritten_with_older_states(make):
    """A remembered state is used only at its own version: two folders that take turns agree with one."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.vouch(world.downloads[id], 0, 10))
    world.do(id, make.complete(world.downloads[id]))
    store, folders = MemoryStore(), (Fold(ROWS), Fold(ROWS))
    for number, fact in enumerate(world.facts()):
        with store.write() as txn:
            folders[number % 2].apply(txn, [fact])
    assert make.contents(store) == make.contents(make.fold(world.facts()))


@pytest.mark.parametrize("wrong", ["twice", "skipped", "unknown", "illegal", "queued again"])
def test_a_fact_that_does_not_follow_is_refused_and_names_its_stream(wrong, make):
    """Folding twice, skipping an event or a stream, or an event that cannot be: the views say that they are damaged."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.vouch(world.downloads[id], 0, 10), make.vouch(world.downloads[id], 10, 20))
    queued, started, progressed, again = world.facts()
    batches = {
        "twice": ([queued, started, progressed], [progressed]),
        "skipped": ([queued, started], [again]),
        "unknown": ([], [progressed]),
        "queued again": ([queued, started], [queued._replace(version=3)]),
        "illegal": ([queued], [started._replace(event=e.Unblocked(reason="disk"))]),
    }
    store, fold = MemoryStore(), Fold(ROWS)
    first, second = batches[wrong]
    with store.write() as txn:
        fold.apply(txn, first)
    before = make.contents(store)
    with pytest.raises(ViewsDamaged) as caught, store.write() as txn:
        fold.apply(txn, second)
    assert caught.value.stream == id
    assert "rebuild" in caught.value.hint
    assert make.contents(store) == before


@pytest.mark.parametrize("damage", [b"", b"\0" * 8, b"\0" * 8 + b"{}", b"\0" * 8 + b"[]", b"\0" * 8 + b'{"id":5}'])
def test_a_row_that_cannot_be_read_is_refused(damage, make):
    """A download whose row is not one stops the fold with the download's name, and nothing is written."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    queued, started = world.facts()
    store = make.fold([queued])
    with store.write() as txn:
        txn.put(progress.ROW + id.bytes, damage)
    with pytest.raises(ViewsDamaged) as caught, store.write() as txn:
        Fold(ROWS).apply(txn, [started])
    assert caught.value.stream == id
    with store.read() as reader, pytest.raises(ViewsDamaged):
        progress.get(reader, id, ROWS)


def test_events_of_keys_and_workers_fold_into_no_download(make):
    """Facts of other streams leave the views as they are, but for what is counted of engines."""
    events = [
        e.KeyClaimed(key="k", download=UUID(int=1)),
        e.EngineOpened(worker=UUID(int=2), version="1"),
        e.EngineClosed(worker=UUID(int=2)),
    ]
    facts = [
        Fact(position, UUID(int=9), position, UUID(int=position).bytes, 0, event, Context())
        for position, event in enumerate(events, 1)
    ]
    assert {key[:2] for key in make.contents(make.fold(facts))} == {b"sc"}


def test_every_event_of_a_download_is_folded():
    """An event is either of a download or one of the few that are known not to be."""
    rooms = {kind.__module__.rpartition(".")[2] for kind in set(e.EVENTS.values()) - OF_DOWNLOADS}
    assert rooms == {"of_bundles", "of_engines"}
    assert {kind.__module__.rpartition(".")[2] for kind in OF_DOWNLOADS} == {"of_downloads"}


def test_no_index_of_one_view_lies_within_another(make):
    """The first two bytes of a key say whose it is: no two indexes share them."""
    owners: dict[bytes, str] = {}
    for view in VIEWS:
        for name, value in vars(view).items():
            if name.isupper() and isinstance(value, bytes):
                assert len(value) == 2
                assert owners.setdefault(value, name) == name, f"{value!r} of {view}"
    assert len(owners) >= 15


@settings(deadline=None)
@given(data=st.data())
def test_what_is_removed_leaves_only_its_past_behind(data, worlds, make):
    """Once everything is removed and swept, no index promises anything that is still to come; what was, is counted."""
    world = data.draw(worlds)
    for id in list(world.downloads):
        state = world.do(id, c.Remove())
        if state.state == "removing":
            state = world.do(id, make.stop(state))
        world.do(id, c.Discard(size=0))
    letters = {key[:2] for key in make.contents(make.fold(world.facts()))}
    assert letters <= {b"pp", b"rs", b"rt", b"rc", b"he", b"ht", b"hu", b"ha", b"cq", b"uf", *COUNTED}


def test_the_row_of_a_download_is_read_back_as_it_was(make):
    """States with every kind of field come back equal, with the types that they had."""
    world = make.World()
    id = world.submit(1, digest="sha256:" + "0" * 64, headers=("authorization",), key="k")
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.vouch(world.downloads[id], 0, 10), make.vouch(world.downloads[id], 30, 40))
    state = world.downloads[id]
    back = ROWS.load(ROWS.dump(state))
    assert back == state
    assert {name: type(value) for name, value in attrs.asdict(back, recurse=False).items()} == {
        name: type(value) for name, value in attrs.asdict(state, recurse=False).items()
    }
