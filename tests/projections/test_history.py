"""What happened: ends and attempts, against models that read the facts one by one."""

from __future__ import annotations

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.errors import ViewsDamaged
from lading.domain.faults import Cause
from lading.domain.requests import Source
from lading.domain.states import State
from lading.projections import history, progress
from lading.projections.instants import iso
from lading.views import ROWS

pytestmark = pytest.mark.row("S0.5")

FIELDS = {
    *("id", "url", "tags", "started_at", "ended_at", "bytes", "success"),
    *("error", "digest", "assurance", "path", "transport", "attempts"),
}


@settings(deadline=None)
@given(data=st.data())
def test_every_ended_download_is_there_the_latest_end_first(data, worlds, make):
    """One row for each download that has ended, by its last end; by tag and by URL those that have it."""
    world = data.draw(worlds)
    limit = data.draw(st.none() | st.integers(0, 3))
    ended = [download for download in world.downloads.values() if download.ended]
    ended.sort(key=lambda download: (download.ended_at_ns, download.id), reverse=True)
    with make.fold(world.facts(), data.draw(st.lists(st.integers(1, 5), max_size=20))).read() as reader:
        for tag in (None, "iso", "none"):
            for url in {None, "https://a.example/0.bin", *(d.order.url for d in ended)}:
                rows = history.ended(reader, ROWS, limit=limit, tag=tag, url=url)
                expected = [
                    str(download.id)
                    for download in ended
                    if (tag is None or tag in download.order.tags) and (url is None or download.order.url == url)
                ]
                assert [row["id"] for row in rows] == expected[:limit]


class Tried:
    """What one attempt must look like, told from its facts."""

    def __init__(self, started: e.Started, at_ns: int) -> None:
        self.number, self.started_at, self.ended_at = started.attempt, iso(at_ns), None
        self.state = "active"


def attempts_of(facts, id) -> list[Tried]:
    """Tell the attempts of a download from its facts, the latest first."""
    tried: list[Tried] = []
    ends = {e.Completed: "completed", e.Failed: "failed", e.RetryScheduled: "faltered", e.Stopped: "stopped"}
    for fact in facts:
        if fact.stream != id:
            continue
        if isinstance(fact.event, e.Started):
            tried.append(Tried(fact.event, fact.at_ns))
        elif tried and tried[-1].ended_at is None and type(fact.event) in ends | {e.Blocked: "blocked"}:
            tried[-1].ended_at = iso(fact.at_ns)
            tried[-1].state = (ends | {e.Blocked: "blocked"})[type(fact.event)]
    return tried[::-1]


@settings(deadline=None)
@given(data=st.data())
def test_every_attempt_is_there_with_its_times_and_its_end(data, worlds, make):
    """However the log was cut into batches, each attempt has the facts' own times, and at most the last is open."""
    world = data.draw(worlds)
    facts = world.facts()
    with make.fold(facts, data.draw(st.lists(st.integers(1, 5), max_size=20))).read() as reader:
        for id in world.downloads:
            rows = list(history.attempts(reader, id, ROWS))
            assert [(row["attempts"], row["started_at"], row["ended_at"], row["state"]) for row in rows] == [
                (tried.number, tried.started_at, tried.ended_at, tried.state) for tried in attempts_of(facts, id)
            ]
            assert all(row["success"] == (row["state"] == "completed") for row in rows)
            assert all(set(row) == FIELDS | {"state"} for row in rows)


def test_a_completed_download_is_a_row_with_all_that_the_log_says_of_it(make):
    """The row of the feature list, field by field."""
    world = make.World()
    id = world.submit(1)
    world.do(id, make.start(world.downloads[id], 2))
    state = world.do(id, make.complete(world.downloads[id], size=123, path="2.bin"))
    with make.fold(world.facts()).read() as reader:
        (row,) = history.ended(reader, ROWS)
    assert row == {
        "id": str(id),
        "url": state.order.url,
        "tags": ["iso"],
        "started_at": "2023-11-14T22:13:22.000000Z",
        "ended_at": "2023-11-14T22:13:23.000000Z",
        "bytes": 123,
        "success": True,
        "error": None,
        "digest": "sha256:00",
        "assurance": "length",
        "path": "2.bin",
        "transport": "http",
        "attempts": 1,
        "state": "completed",
    }


def test_a_failure_says_why_and_keeps_what_it_held(make):
    """A failed download is no success, names its cause, and counts the bytes that are still there."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.vouch(world.downloads[id], 0, 70))
    world.do(id, make.falter(world.downloads[id], Cause.TLS))
    with make.fold(world.facts()).read() as reader:
        (row,) = history.ended(reader, ROWS)
        (attempt,) = history.attempts(reader, id, ROWS)
    assert (row["success"], row["bytes"], row["error"]) == (False, 70, "tls: it broke")
    assert (attempt["success"], attempt["bytes"], attempt["error"]) == (False, 70, "tls: it broke")
    assert row["digest"] is row["assurance"] is None


def test_a_download_that_is_tried_again_has_one_row_by_its_latest_end(make):
    """A retry takes the row out of the history until the download ends again; its attempts stay."""
    world = make.World()
    id, other = world.submit(), world.submit(1)
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.falter(world.downloads[id], Cause.TLS))
    world.do(other, c.Cancel())
    world.do(id, c.Retry())
    with make.fold(world.facts(), [1, 1]).read() as reader:
        assert [row["id"] for row in history.ended(reader, ROWS)] == [str(other)]
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.complete(world.downloads[id]))
    with make.fold(world.facts(), [1, 1]).read() as reader:
        assert [(row["id"], row["state"], row["attempts"]) for row in history.ended(reader, ROWS)] == [
            (str(id), "completed", 2),
            (str(other), "cancelled", 0),
        ]
        assert [row["state"] for row in history.attempts(reader, id, ROWS)] == ["completed", "failed"]


def test_a_removed_download_that_had_completed_stays_a_success(make):
    """Taking a finished download out of the queue does not rewrite what happened."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.complete(world.downloads[id], size=5))
    completed_at = iso(world.downloads[id].ended_at_ns)
    world.do(id, c.Remove())
    with make.fold(world.facts()).read() as reader:
        (row,) = history.ended(reader, ROWS)
    assert (row["success"], row["bytes"], row["state"], row["ended_at"]) == (True, 5, "removed", completed_at)


@pytest.mark.parametrize("sizes", [(), (1, 1, 1, 1, 1)])
def test_an_attempt_counts_what_it_brought_and_not_what_was_there(sizes, make):
    """Resumed bytes are another attempt's; a cancelled one still tells what it had fetched."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.vouch(world.downloads[id], 0, 40))
    world.do(id, make.stop(world.downloads[id]))
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.vouch(world.downloads[id], 40, 100))
    world.do(id, c.Cancel())
    world.do(id, make.stop(world.downloads[id]))
    with make.fold(world.facts(), sizes).read() as reader:
        assert [row["bytes"] for row in history.attempts(reader, id, ROWS)] == [60, 40]


def test_an_attempt_that_was_served_from_the_cache_brought_nothing(make):
    """The bytes of a cached file were fetched by another download; its row still has the file's size."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    world.do(id, attrs.evolve(make.complete(world.downloads[id], size=9), cached=True))
    with make.fold(world.facts()).read() as reader:
        assert [row["bytes"] for row in history.attempts(reader, id, ROWS)] == [0]
        assert [row["bytes"] for row in history.ended(reader, ROWS)] == [9]


def test_a_block_before_any_worker_has_it_ends_no_attempt(make):
    """What is blocked while it waits has not been tried again."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.stop(world.downloads[id]))
    world.do(id, c.Block(reason="secret", message=""))
    with make.fold(world.facts(), [3]).read() as reader:
        assert [row["state"] for row in history.attempts(reader, id, ROWS)] == ["stopped"]


def test_urls_that_share_a_hash_prefix_or_are_very_long_are_told_apart(make):
    """Looking up a URL gives that URL's downloads and no other's."""
    world = make.World()
    long = "https://a.example/" + "x" * 300
    for url in ("https://a.example/", "https://a.example/x", long, long + "y"):
        id = world.submit(sources=(Source(url=url),))
        world.do(id, c.Cancel())
    with make.fold(world.facts()).read() as reader:
        for url in ("https://a.example/", "https://a.example/x", long, long + "y"):
            assert [row["url"] for row in history.ended(reader, ROWS, url=url)] == [url]


def test_rows_are_plain_json(make):
    """Every row can be written as JSON without help."""
    world = make.World()
    id = world.submit(3)
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.falter(world.downloads[id], Cause.TLS))
    with make.fold(world.facts()).read() as reader:
        rows = [*history.ended(reader, ROWS), *history.attempts(reader, id, ROWS)]
    assert orjson.loads(orjson.dumps(rows)) == rows


def test_a_history_without_its_download_is_damage_and_says_so(make):
    """A row that is missing stops the walk instead of being passed over."""
    world = make.World()
    id = world.submit()
    world.do(id, c.Cancel())
    store = make.fold(world.facts())
    with store.write() as txn:
        txn.delete(progress.ROW + id.bytes)
    with store.read() as reader, pytest.raises(ViewsDamaged, match=str(id)):
        list(history.ended(reader, ROWS))


def test_the_outcome_of_every_ending_is_told(make):
    """Each state in which a download can end has a row."""
    world = make.World()
    ends = {}
    for state in (State.COMPLETED, State.FAILED, State.CANCELLED, State.REMOVED):
        id = world.submit()
        match state:
            case State.CANCELLED:
                world.do(id, c.Cancel(reason="the file is there already"))
            case State.REMOVED:
                world.do(id, c.Remove())
            case State.COMPLETED:
                world.do(id, make.start(world.downloads[id]))
                world.do(id, make.complete(world.downloads[id]))
            case _:
                world.do(id, make.start(world.downloads[id]))
                world.do(id, make.falter(world.downloads[id], budget=0))
        ends[str(id)] = state.value
    with make.fold(world.facts()).read() as reader:
        assert {row["id"]: row["state"] for row in history.ended(reader, ROWS)} == ends
