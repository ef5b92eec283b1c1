"""Archived history: it leaves the views by one event, whatever the batches, and comes back with its own next one."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import archiving
from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.archiving import is_closed
from lading.projections import failures, history, progress, roster, statistics, upkeep
from lading.projections.fold import parts
from lading.views import ROWS

pytestmark = [pytest.mark.row("S0.5"), pytest.mark.row("C.2"), pytest.mark.law(3)]

BY_KEY = (history.ENDING, history.TAG, history.URL, upkeep.STALE, upkeep.INVALID)
"""Indexes that end with the id of a download; `ha` has the number of an attempt behind it."""
BY_VALUE = (roster.STATE, roster.TAG, failures.FAILED)
COUNTED = (roster.COUNT, failures.COUNT)


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_batches_of_any_size_leave_the_same_bytes(data, archived_worlds, make):
    """What replay makes is what was folded live, byte for byte, wherever an archive falls in a batch."""
    facts = data.draw(archived_worlds).facts()
    at_once = make.contents(make.fold(facts))
    sizes = data.draw(st.lists(st.integers(1, 9), max_size=30))
    assert make.contents(make.fold(facts, sizes)) == at_once
    assert make.contents(make.fold(facts, [1] * len(facts), remembered=data.draw(st.integers(0, 3)))) == at_once


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_only_what_was_archived_is_missing_and_all_of_that(data, archived_worlds, make):
    """The views are those of the same log without its archives, less the rows of what is archived now."""
    world = data.draw(archived_worlds)
    facts = world.facts()
    held = make.contents(make.fold(facts))
    all_of_it = make.contents(make.fold([f for f in facts if not isinstance(f.event, e.HistoryArchived)]))
    gone = {id.bytes for id in world.downloads if world.is_archived(id)}
    ever = {id.bytes for id in world.archived}

    def stays(key, value):
        if key[:2] in BY_KEY:
            return key[-16:] not in gone
        if key[:2] in BY_VALUE:
            return value not in gone
        return key[:2] not in COUNTED and key[2:18] not in (ever if key[:2] in {history.ATTEMPT, progress.ROW} else ())

    assert {k: v for k, v in held.items() if stays(k, v)} == {k: v for k, v in all_of_it.items() if stays(k, v)}
    assert not [k for k in held if k[:2] in BY_KEY and k[-16:] in gone]
    assert not [k for k, v in held.items() if k[:2] in BY_VALUE and v in gone]
    assert not [k for k in held if k[:2] == history.ATTEMPT and k[2:18] in gone]


@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_counts_are_of_what_is_listed_and_attempts_can_be_told_from_the_log(data, archived_worlds, make):
    """The state is kept by id; of the attempts of any download, its facts make what the view had."""
    world = data.draw(archived_worlds)
    facts = world.facts()
    plain = make.fold([f for f in facts if not isinstance(f.event, e.HistoryArchived)])
    with make.fold(facts).read() as reader, plain.read() as whole:
        listed = [d for d in world.downloads.values() if not world.is_archived(d.id)]
        assert sum(roster.counts(reader).values()) == len(listed)
        assert sorted(roster.ids(reader)) == sorted(d.id for d in listed)
        assert {row["id"] for row in history.ended(reader, ROWS)} == {str(d.id) for d in listed if d.ended}
        assert sum(failures.counts(reader).values()) == len(list(failures.failed(reader)))
        for id in world.downloads:
            assert progress.get(reader, id, ROWS).archived == world.is_archived(id)
            told = history.told([fact for fact in facts if fact.stream == id], ROWS)
            assert told == list(history.attempts(whole, id, ROWS))


def _completed(make, **wanted):
    world = make.World()
    id = world.submit(1, **wanted)
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.complete(world.downloads[id]))
    return world, id


def _archive(world, *ids, versions=None):
    told = tuple(versions or (world.downloads[id].version for id in ids))
    world.note(
        e.HistoryArchived(
            file="f", digest="d", size=1, format="jsonl", before_ns=0, downloads=tuple(ids), versions=told
        )
    )


def test_what_has_gone_on_since_the_file_was_made_stays(make):
    """The event names versions: of one that moved between the file and the event, the file is out of date."""
    world, id = _completed(make)
    version = world.downloads[id].version
    world.do(id, c.Remove())
    _archive(world, id, versions=[version])
    with make.fold(world.facts()).read() as reader:
        assert [row["state"] for row in history.ended(reader, ROWS)] == ["removed"]


def test_attempts_leave_with_their_download_and_those_of_others_stay(make):
    """Nobody asks a list for them; by id they are made of the log."""
    world, id = _completed(make)
    other = world.submit(0)
    world.do(other, make.start(world.downloads[other]))
    _archive(world, id)
    attempts = [key for key in make.contents(make.fold(world.facts())) if key[:2] == history.ATTEMPT]
    assert [key[2:18] for key in attempts] == [other.bytes]


def test_statistics_stay(make):
    """They are sums over what happened, which an archive does not undo."""
    world, id = _completed(make)
    before = make.contents(make.fold(world.facts()))
    _archive(world, id)
    after = make.contents(make.fold(world.facts()))
    letters = (statistics.COUNTER, statistics.GAUGE, statistics.TIMED, b"sh", b"sd")
    assert {k: v for k, v in after.items() if k[:2] in letters} == {k: v for k, v in before.items() if k[:2] in letters}
    assert {k: v for k, v in before.items() if k[:2] == history.ENDING}


def test_what_is_taken_up_again_comes_back_and_can_be_archived_again(make):
    """With its tags, into list and history."""
    world = make.World()
    id = world.submit(2, tags=("night",))
    world.do(id, c.Cancel())
    _archive(world, id)
    world.do(id, c.Retry())
    with make.fold(world.facts()).read() as reader:
        assert list(roster.by_tag(reader, "night")) == [id]
        assert roster.counts(reader)["queued"] == 1
    world.do(id, c.Cancel())
    _archive(world, id)
    with make.fold(world.facts()).read() as reader:
        assert list(roster.by_tag(reader, "night")) == []
        assert list(history.ended(reader, ROWS)) == []


def test_what_an_engine_has_to_look_after_is_not_closed(make):
    """Bytes of a failed download, a part to be swept, a file that is kept to be put back."""
    world = make.World()
    failed = world.submit(0)
    world.do(failed, make.start(world.downloads[failed]))
    world.do(failed, make.vouch(world.downloads[failed], 0, 10))
    world.do(failed, make.falter(world.downloads[failed], budget=0))
    assert world.downloads[failed].ended
    assert not is_closed(world.downloads[failed])
    world.do(failed, c.Remove())
    assert not is_closed(world.downloads[failed])
    world.do(failed, c.Quarantine(size=10, until_ns=10**19, part=".kept"))
    assert not is_closed(world.downloads[failed])
    world.do(failed, c.Discard(size=10))
    assert is_closed(world.downloads[failed])
    _archive(world, failed, versions=[world.downloads[failed].version - 1])
    with make.fold(world.facts()).read() as reader:
        assert len(list(history.ended(reader, ROWS))) == 1


def test_a_transaction_takes_one_archive_at_most(make):
    """So that a fold of many archives in a row is bounded as each of them is."""
    world, id = _completed(make)
    for _ in range(3):
        _archive(world, id)
    world.note(e.EngineClosed(worker=UUID(int=1)))
    cut = [[type(fact.event).__name__ for fact in part] for part in parts(world.facts())]
    archived = ["HistoryArchived"]
    assert cut == [["Queued", "Started", "Completed"], archived, archived, archived, ["EngineClosed"]]
    assert list(parts([])) == []
    assert archiving.MOST_DOWNLOADS <= 1000
