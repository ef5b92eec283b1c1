"""Time travel: a replay is what was recorded live, and a difference is what two replays differ by."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading import past
from lading.adapters import codec
from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.lmdb.store import LMDBStore
from lading.cut import Cut
from lading.domain import events as e
from lading.domain.errors import StoreUnavailable, UnknownDownload, UsageError
from lading.domain.ports import Entry, Log, Recorded
from lading.domain.sightings import Wanted, sightings
from lading.projections import differences, progress
from lading.reading import Reading
from lading.testing import MemoryLog, MemoryStore
from lading.views import ROWS, Views

pytestmark = pytest.mark.row("C.6")

MAP_BYTES = 2**26


def lmdb_store(folder: Path) -> LMDBStore:
    return LMDBStore(folder, metasync=False, map_size=MAP_BYTES)


@pytest.fixture(params=["memory", "lmdb"])
def empty(request, tmp_path) -> Iterator[Reading]:
    """The read side of a log in which nothing has happened yet."""
    if request.param == "memory":
        log: Log = MemoryLog()
        views = Views(log, lambda _: MemoryStore())
    else:
        log = LMDBLog(tmp_path / "log", map_size=MAP_BYTES)
        views = Views(log, lmdb_store, tmp_path, log_id=str(log.log_id))
    with contextlib.closing(Reading(log, views)) as reading:
        yield reading


def in_memory(log: Log) -> Reading:
    return Reading(log, Views(log, lambda _: MemoryStore()))


def print_of(reading: Reading) -> bytes:
    """Return what stands for every byte that the views hold."""
    seen = hashlib.sha256()
    with reading.views.read() as reader:
        for key, value in reader.scan(b""):
            seen.update(len(key).to_bytes(4, "big") + key + len(value).to_bytes(4, "big") + value)
    return seen.digest()


def batches(log: Log, chance: random.Random) -> Iterator[list[Recorded]]:
    """Yield the events of a log in short runs."""
    at = 0
    while page := list(log.read(at, chance.randint(1, 2))):
        yield page
        at = page[-1].position


def record(reading: Reading, log: Log, chance: random.Random, count: int = 0) -> dict[int, bytes]:
    """Append everything of a log to another, and write down after so many of the steps what the views hold."""
    reading.catch_up()
    steps = list(batches(log, chance))
    chosen, seen = {*chance.sample(range(len(steps)), count)}, {}
    for number, step in enumerate(steps):
        (positions,) = reading.log.append([[Entry(*recorded[1:]) for recorded in step]])
        reading.catch_up()
        if number in chosen:
            seen[positions[-1]] = print_of(reading)
    return seen


def replays_agree(reading: Reading, log: Log, chance: random.Random, *, here: int, in_memory: int) -> None:
    """Record positions live, and replay to each afterwards: to some as everybody would, to others in memory."""
    count = here + in_memory
    seen = record(reading, log, chance, count)
    head, at_the_end = reading.log.head(), print_of(reading)
    assert len({*seen.values()}) == len(seen) == count
    beside = Views(reading.log, lambda _: MemoryStore(), log_id=str(getattr(reading.log, "log_id", "")))
    for number, position in enumerate(chance.sample([*seen], count)):
        with (reading if number < here else Reading(reading.log, beside)).as_of(position) as then:
            assert print_of(then) == seen[position], position
    assert (reading.log.head(), print_of(reading)) == (head, at_the_end)


def test_a_replay_to_any_of_200_positions_is_what_was_recorded_live(empty, make):
    """Byte for byte, over a real log and over memory, whatever happened and however clocks stepped back."""
    chance = random.Random(7)
    replays_agree(empty, make.at_random(chance, 1_100).log, chance, here=40, in_memory=160)


@pytest.mark.long
def test_a_replay_to_any_position_of_a_longer_history_is_what_was_recorded_live(empty, make):
    """The same where there is more of it, and with no store in memory beside a real log."""
    chance = random.Random(8)
    replays_agree(empty, make.at_random(chance, 6_000).log, chance, here=200, in_memory=0)


def test_nothing_is_left_of_a_replay(empty, tmp_path, make):
    """Neither of one that ended well, nor of one in which something went wrong."""
    record(empty, make.at_random(random.Random(1), 60).log, random.Random(1))
    before = sorted(path.name for path in tmp_path.iterdir())
    with empty.as_of(9), empty.as_of(3), empty.views.scratch():
        pass
    with pytest.raises(KeyboardInterrupt), empty.as_of(9):
        raise KeyboardInterrupt
    list(empty.diff(0, 9))
    next(empty.diff(0, 9)).__class__  # noqa: B018 # an answer of which no more is wanted
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_past_is_only_read(empty, make):
    """What is asked of it is not asked of the log as it is."""
    record(empty, make.at_random(random.Random(1), 40).log, random.Random(1))
    head = empty.log.head()
    with empty.as_of(5) as then:
        assert (then.log.head(), then.last().position, then.lag()) == (5, 5, 0)
        with pytest.raises(StoreUnavailable):
            then.log.append([[Entry(UUID(int=1), 1, "t", b"")]])
        then.log.close()
    assert empty.log.head() == head
    with empty.as_of(0) as then:
        assert (then.last(), list(then.listing(now_ns=0))) == (None, [])


def test_a_position_that_the_log_has_not_come_to_is_an_error(empty, make):
    """A typing error would look like the present otherwise."""
    record(empty, make.at_random(random.Random(1), 10).log, random.Random(1))
    beyond = empty.log.head() + 1
    with pytest.raises(UsageError, match=str(beyond)), empty.as_of(beyond):
        pass
    for ends in ((0, beyond), (beyond, 0)):
        with pytest.raises(UsageError, match=str(beyond)):
            empty.diff(*ends)


def test_what_is_recorded_meanwhile_is_not_in_the_past(empty, make):
    """A replay of the end is of the end as it was when it was asked for."""
    log = make.at_random(random.Random(3), 60).log
    half = log.head() // 2
    events = [Entry(*recorded[1:]) for recorded in log.read(0, 10**6)]
    empty.log.append([events[:half]])
    with empty.as_of(half) as then:
        before = print_of(then)
        empty.log.append([events[half:]])
        assert (then.log.head(), print_of(then), len(then.facts(0, 10**6))) == (half, before, half)
        assert all(fact.position <= half for id in {r.stream for r in log.read(0, 10**6)} for fact in then.stream(id))


# -- positions and times -----------------------------------------------------------------------------------------------


class Gapped(MemoryLog):
    """A log of which only every seventh position, or so, has an event."""

    def place(self, position: int) -> int:
        return position * 7 + position // 5 * 100

    def _stretched(self, found):
        return [Recorded(self.place(recorded.position), *recorded[1:]) for recorded in found]

    def read(self, after=0, limit=1000):
        whole = self._stretched(super().read(0, 10**9))
        return [recorded for recorded in whole if recorded.position > after][:limit]

    def stream(self, stream, after=0):
        return self._stretched(super().stream(stream, after))

    def head(self):
        return self.place(super().head())


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_a_log_is_cut_wherever_its_positions_have_gaps(worlds, data):
    """PostgreSQL leaves positions out; the last event up to a position is the end."""
    log = Gapped()
    for recorded in data.draw(worlds).log.read(0, 10**9):
        log.append([[Entry(*recorded[1:])]])
    whole = log.read(0, 10**9)
    position = data.draw(st.integers(0, log.head() + 300))
    cut, kept = Cut(log, position), [recorded for recorded in whole if recorded.position <= position]
    assert list(cut.read(0, 10**9)) == kept
    assert cut.head() == (kept[-1].position if kept else 0)
    assert list(cut.read(cut.head())) == []
    for stream in {recorded.stream for recorded in whole}:
        assert list(cut.stream(stream)) == [recorded for recorded in kept if recorded.stream == stream]
    if position <= log.head():
        with in_memory(log).as_of(position) as then:
            assert then.log.head() == cut.head()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 12), max_size=25), st.integers(-1, 13))
def test_a_time_is_the_last_position_by_the_running_maximum_of_times(times, at_ns):
    """A clock that stepped back does not put an event before those that were recorded before it."""
    log = MemoryLog()
    event = e.QueuePaused()
    for version, time_ns in enumerate(times, 1):
        sealed = codec.seal(event, id=UUID(int=version), at_ns=time_ns)
        log.append([[Entry(e.QUEUE, version, event.TOPIC, sealed)]])
    latest = itertools.accumulate(times, max)
    naive = max((position for position, time_ns in enumerate(latest, 1) if time_ns <= at_ns), default=0)
    assert in_memory(log).position_at(at_ns) == naive


# -- differences -------------------------------------------------------------------------------------------------------


def naive(reading: Reading, before: int, after: int) -> dict[str, tuple[object, object]]:
    """Compare two replays, download by download."""
    sides = []
    for position in (before, after):
        with reading.as_of(position) as then, then.views.read() as reader:
            found = {id: progress.get(reader, id, ROWS) for id in progress.ids(reader)}
            sides.append(found)
    ids = {id for side in sides for id in side if sides[0].get(id) != sides[1].get(id)}
    return {id: (sides[0].get(id), sides[1].get(id)) for id in sorted(ids)}


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_a_difference_is_what_two_replays_differ_by(worlds, data):
    """In both directions, in the order of ids, and with as many events as lie between."""
    world = data.draw(worlds)
    reading = in_memory(world.log)
    ends = [data.draw(st.integers(0, world.log.head())) for _ in range(2)]
    found = list(reading.diff(*ends))
    assert {(d.after or d.before).id: (d.before, d.after) for d in found} == naive(reading, *ends)
    assert [(d.after or d.before).id for d in found] == sorted((d.after or d.before).id for d in found)
    between = [f for f in world.facts() if min(ends) < f.position <= max(ends) and f.stream in world.downloads]
    assert sum(d.events for d in found) == len(between)
    for difference in found:
        row, sides = differences.row(difference), (difference.before, difference.after)
        shown = [None if side is None else progress.listing(side, 0) for side in sides]
        for name in ("state", "received", "path", "priority", "attempts", "error"):
            was, became = (None if side is None else side[name] for side in shown)
            assert (row["before"] or {}).get(name) == was
            assert (row["after"] or {}).get(name) == became
            assert (name in row["changed"]) == (was != became)


def test_a_difference_says_what_came_and_what_went(make):
    """Added, gone and changed; and going back, the other way round."""
    world = make.World()
    old, gone = world.submit(1), world.submit(2)
    before = world.log.head()
    new = world.submit(3)
    world.do(gone, make.remove())
    world.do(old, make.prioritise(5))
    after = world.log.head()
    reading = in_memory(world.log)
    rows = {row["id"]: row for row in map(differences.row, reading.diff(before, after))}
    assert {id: rows[str(id)]["change"] for id in (old, gone, new)} == {old: "changed", gone: "gone", new: "added"}
    assert rows[str(old)]["changed"] == ["priority"]
    assert rows[str(new)]["before"] is None
    back = {row["id"]: row["change"] for row in map(differences.row, reading.diff(after, before))}
    assert (back[str(new)], back[str(gone)]) == ("gone", "changed")
    assert list(reading.diff(after, after)) == []


# -- bounds ------------------------------------------------------------------------------------------------------------


class Watched(MemoryLog):
    """A log that remembers the largest page that was asked of it, and how much was read."""

    largest = total = 0

    def read(self, after=0, limit=1000):
        found = super().read(after, limit)
        self.largest, self.total = max(self.largest, limit), self.total + len(found)
        return found


def test_what_is_asked_of_the_past_is_read_in_pages(make, monkeypatch):
    """However long the log is; and a difference reads no more of it than what lies between."""
    monkeypatch.setattr(past, "PAGE", 7)
    monkeypatch.setattr(past, "ROWS_AT_ONCE", 3)
    world = make.at_random(random.Random(5), 300)
    log = Watched()
    for recorded in world.log.read(0, 10**9):
        log.append([[Entry(*recorded[1:])]])
    reading = in_memory(log)
    head = log.head()
    assert len(list(reading.diff(head - 20, head))) > 2
    assert (log.largest, log.total) == (7, 20)
    assert {d.after.id: d.after for d in reading.diff(0, head)} == world.downloads
    seen = [list(reading.drift(Wanted(url=url))) for url in urls(world)]
    assert reading.position_at(10**19) == head
    assert log.largest == 7
    monkeypatch.undo()
    assert seen == [list(reading.drift(Wanted(url=url))) for url in urls(world)]


def urls(world) -> list[str]:
    return sorted({source.url for download in world.downloads.values() for source in download.order.sources})


def test_drift_is_what_every_stream_tells_of_a_url_in_order_of_time(make):
    """The scan finds every download that names the URL, and shuffles them together by position."""
    world = make.at_random(random.Random(6), 1_000)
    reading, many = in_memory(world.log), 0
    for url in urls(world):
        wanted = Wanted(url=url)
        found = [row["position"] for row in reading.drift(wanted)]
        every = [s.fact.position for id in world.downloads for s in sightings(id, reading.stream(id), wanted)]
        assert found == sorted(every)
        many += len({fact.stream for fact in world.facts() if fact.position in found}) > 1
    assert many
    assert list(reading.drift(Wanted(url="https://nobody.example/"))) == []


def test_provenance_is_asked_of_a_download(make):
    """By its id; and of one that is not there it is an error."""
    world = make.World()
    id = world.submit()
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.vouch(world.downloads[id], 0, 10))
    reading = in_memory(world.log)
    assert reading.provenance(id, 9).delivery.end == 10
    assert reading.provenance(id, 10).delivery is None
    with pytest.raises(UnknownDownload):
        reading.provenance(UUID(int=5), 0)
