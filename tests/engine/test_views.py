"""The driver of the views: exactly once, from the right place, of the right log, and anew when anything is amiss."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading import generations
from lading import views as driver
from lading.adapters import codec
from lading.adapters.lmdb.store import LMDBStore
from lading.current import FORMAT, LOG, POSITION, Generation
from lading.domain import events as e
from lading.domain.errors import LogDamaged, StoreUnavailable
from lading.domain.ports import Entry, Recorded
from lading.domain.requests import Order, Source
from lading.generations import HomeGenerations
from lading.projections import progress, roster
from lading.projections.keys import number
from lading.testing import MemoryLog, MemoryStore
from lading.views import ROWS, Views

pytestmark = [pytest.mark.row("C.2"), pytest.mark.law(3)]

WORKER = UUID(int=99)


def grow(log: MemoryLog, count: int = 1) -> list[UUID]:
    """Queue so many downloads, start them and complete every other one."""
    ids = []
    for _ in range(count):
        id, events = UUID(int=log.head() + 1000), []
        url = f"https://h{log.head() % 3}.example/f"
        events.append(e.Queued(order=Order(sources=(Source(url=url),), tags=("t",))))
        events.append(e.Started(attempt=1, worker=WORKER, storage="s", path="f", part=".f"))
        if log.head() % 5 == 0:
            done = {"path": "f", "size": 9, "digest": "sha256:00", "assurance": "length", "url": url}
            events.append(e.Completed(attempt=1, **done))
        entries = [
            Entry(id, version, event.TOPIC, codec.seal(event, id=uuid.uuid4(), at_ns=10**18 + log.head()))
            for version, event in enumerate(events, 1)
        ]
        assert isinstance(log.append([entries])[0], tuple)
        ids.append(id)
    return ids


def lmdb_store(folder: Path) -> LMDBStore:
    return LMDBStore(folder, metasync=False, map_size=2**24)


def contents(views: Views) -> dict[bytes, bytes]:
    with views.read() as reader:
        return dict(reader.scan(b""))


def fresh(log: MemoryLog, log_id: str = "") -> dict[bytes, bytes]:
    """Return what views of the whole log hold that were never anything else."""
    with contextlib.closing(Views(log, lambda _: MemoryStore(), log_id=log_id)) as views:
        finish(views)
        return contents(views)


def finish(views: Views) -> set[UUID]:
    changed: set[UUID] = set()
    while True:
        caught = views.catch_up()
        changed |= caught.changed
        if caught.reached:
            return changed


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    grow(log, 5)
    return log


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "home"


@contextlib.contextmanager
def opened(log, home, **options):
    with contextlib.closing(Views(log, lmdb_store, home, **options)) as views:
        yield views


class Shelf:
    """Stores in memory, one for each folder, that outlive their closing as if they lay on a disk."""

    def __init__(self) -> None:
        self.stores: dict[Path, MemoryStore] = {}

    def open(self, folder: Path) -> Handle:
        return Handle(self.stores.setdefault(folder, MemoryStore()))


class Handle:
    """One opening of a store on the shelf; counts what is read from it."""

    def __init__(self, store: MemoryStore) -> None:
        self.store, self.closed, self.reads = store, False, 0

    @contextlib.contextmanager
    def read(self):
        assert not self.closed
        with self.store.read() as reader:
            yield Counted(reader, self)

    @contextlib.contextmanager
    def write(self):
        assert not self.closed
        with self.store.write() as txn:
            yield txn

    def close(self) -> None:
        self.closed = True


class Counted:
    def __init__(self, reader, handle) -> None:
        self.reader, self.handle = reader, handle

    def get(self, key):
        self.handle.reads += 1
        return self.reader.get(key)

    def scan(self, prefix, **bounds):
        for row in self.reader.scan(prefix, **bounds):
            self.handle.reads += 1
            yield row


class Watched(MemoryLog):
    """A log that counts the events that are read from it."""

    reads = 0

    def read(self, after=0, limit=1000):
        found = super().read(after, limit)
        self.reads += len(found)
        return found

    def stream(self, stream, after=0):
        found = super().stream(stream, after)
        self.reads += len(found)
        return found


# -- exactly once ------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 7)), max_size=30))
def test_programs_that_share_a_home_fold_every_event_exactly_once(tmp_path_factory, turns):
    """Two that catch up in any order, by any steps, while the log grows, leave what one leaves; both hear of all."""
    log, home, shelf = MemoryLog(), tmp_path_factory.mktemp("home"), Shelf()
    both = [Views(log, shelf.open, home) for _ in range(2)]
    heard: list[set[UUID]] = [set(views.catch_up().changed) for views in both]
    ids: set[UUID] = set()
    for who, amount in turns:
        if who == 2:
            ids |= {*grow(log, amount)}
        else:
            caught = both[who].catch_up(amount)
            heard[who] |= caught.changed
            assert caught.position <= log.head()
            assert caught.reached == (caught.position == log.head())
    for who, views in enumerate(both):
        heard[who] |= finish(views)
        assert contents(views) == fresh(log)
    assert heard == [ids, ids]


def test_a_step_is_no_longer_than_asked_for(log):
    """`limit` bounds a step, `reached` tells that there is more, and each event is told of once."""
    views = Views(log, lambda _: MemoryStore())
    first = views.catch_up(4)
    assert (first.position, first.reached) == (4, False)
    assert len(first.changed) == 2
    rest = views.catch_up(10_000)
    assert (rest.position, rest.reached) == (log.head(), True)
    assert views.catch_up().changed == frozenset()


def test_a_write_that_fails_moves_neither_view_nor_position(log):
    """When the store cannot be written, nothing is half done, and the next step does it all."""
    shelf = Shelf()
    views = Views(log, shelf.open)
    views.catch_up(3)
    before = contents(views)
    (store,) = shelf.stores.values()
    commit = store._commit

    def full(written):
        raise StoreUnavailable("no room")

    store._commit = full
    with pytest.raises(StoreUnavailable):
        views.catch_up()
    assert contents(views) == before
    store._commit = commit
    finish(views)
    assert contents(views) == fresh(log)


def test_threads_may_read_and_fold_at_once(log, home):
    """Readers see whole batches while others fold and rebuild, and nobody fails."""
    failures: list[BaseException] = []

    def guard(work):
        def run():
            try:
                for _ in range(15):
                    work()
            except BaseException as error:
                failures.append(error)

        return threading.Thread(target=run)

    with opened(log, home) as views:

        def look():
            with views.read() as reader:
                assert sum(roster.counts(reader).values()) == len(list(progress.ids(reader)))

        works = [look, look, views.catch_up, views.rebuild, lambda: grow(log)]
        threads = [guard(work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        finish(views)
        assert views.verify() == []


# -- opening -----------------------------------------------------------------------------------------------------------


def test_what_was_folded_before_is_not_folded_again(log, home):
    """Views that are opened anew go on from their position."""
    with opened(log, home) as views:
        finish(views)
        before = contents(views)
    more = grow(log, 2)
    with opened(log, home) as views:
        assert contents(views) == before
        assert finish(views) == {*more}
        assert contents(views) == fresh(log)


def test_opening_costs_the_same_however_long_the_history_is(tmp_path):
    """Opening reads as much of log and views after ten events as after thousands."""
    costs = []
    for count in (4, 2000):
        log, shelf = Watched(), Shelf()
        grow(log, count)
        finish(Views(log, shelf.open, tmp_path / str(count)))
        log.reads = 0
        handles: list[Handle] = []

        def keep(folder, shelf=shelf, handles=handles):
            handles.append(shelf.open(folder))
            return handles[-1]

        views = Views(log, keep, tmp_path / str(count))
        assert views.catch_up().reached
        costs.append((log.reads, [handle.reads for handle in handles]))
    assert costs[0] == costs[1]
    assert costs[0][0] <= 1


DAMAGE = {
    "missing folder": lambda home: shutil.rmtree(home / "views-1"),
    "missing pointer": lambda home: (home / "views").unlink(),
    "strange pointer": lambda home: (home / "views").write_bytes(b"\xff\x00 views"),
    "missing store": lambda home: (home / "views-1" / "data.mdb").unlink(),
    "not a store": lambda home: (home / "views-1" / "data.mdb").write_bytes(b"\0" * 8192),
    "cut short": lambda home: os.truncate(home / "views-1" / "data.mdb", 3 * 4096),
    "other format": lambda home: rewrite(home, FORMAT, number(999)),
    "no format": lambda home: rewrite(home, FORMAT, None),
    "other log": lambda home: rewrite(home, LOG, b"another"),
    "no position": lambda home: rewrite(home, POSITION, None),
    "strange position": lambda home: rewrite(home, POSITION, b"?"),
    "ahead": lambda home: rewrite(home, POSITION, number(10**6) + bytes(16)),
    "other event": lambda home: rewrite(home, POSITION, number(3) + bytes(16)),
}


def rewrite(home: Path, key: bytes, value: bytes | None) -> None:
    store = lmdb_store(home / "views-1")
    with store.write() as txn:
        if value is None:
            txn.delete(key)
        else:
            txn.put(key, value)
    store.close()


@pytest.mark.parametrize("damage", DAMAGE)
def test_views_that_cannot_be_trusted_are_begun_anew(damage, log, home):
    """Missing, damaged, of another format, of another log or ahead of it: the log is folded again from its start."""
    with opened(log, home, log_id="this") as views:
        finish(views)
    DAMAGE[damage](home)
    with opened(log, home, log_id="this") as views:
        finish(views)
        assert contents(views) == fresh(log, "this")
    assert sorted(path.name for path in home.glob("views*")) in (["views", "views-1"], ["views", "views-2"])


def test_a_log_that_was_cut_and_grew_again_is_noticed(log, home):
    """The position alone proves nothing: another event there means another history."""
    with opened(log, home) as views:
        finish(views)
    other = MemoryLog()
    grow(other, 9)
    with opened(other, home) as views:
        finish(views)
        assert contents(views) == fresh(other)


def test_damage_that_shows_while_folding_is_healed_by_the_log(log, home):
    """A row that cannot be read, or a state that contradicts the next event, has the views begun anew."""
    with opened(log, home) as views:
        views.catch_up(2)
    rewrite(home, progress.ROW + log.read(2, 1)[0].stream.bytes, b"\0" * 8 + b"{")
    with opened(log, home) as views:
        finish(views)
        assert contents(views) == fresh(log)
    assert (home / "views").read_bytes() == b"2\n"


def test_a_log_that_cannot_be_folded_is_named_and_the_views_are_kept(log, home):
    """When the log itself is at fault no rebuild can help: the error says so, and nothing is thrown away."""
    (id,) = grow(log)
    version = len(log.stream(id)) + 1
    bad = e.Unblocked(reason="disk")
    log.append([[Entry(id, version, bad.TOPIC, codec.seal(bad, id=UUID(int=1), at_ns=0))]])
    with opened(log, home) as views:
        for _ in range(3):
            with pytest.raises(LogDamaged, match=str(id)):
                finish(views)
        with pytest.raises(LogDamaged, match=str(id)):
            views.rebuild()
    assert sorted(path.name for path in home.iterdir()) == ["views", "views-1"]


def test_an_event_that_cannot_be_read_leaves_the_views_where_they_are(log, home):
    """An envelope that is none is the log's damage, not the views'."""
    log._events.append(Recorded(log.head() + 1, UUID(int=5), 1, e.Queued.TOPIC, b"\1nonsense"))
    with opened(log, home) as views, pytest.raises(LogDamaged):
        finish(views)
    assert (home / "views").read_bytes() == b"1\n"


# -- generations -------------------------------------------------------------------------------------------------------


def test_a_rebuild_changes_over_for_everybody_and_removes_what_was_before(log, home):
    """Another program goes on with the old generation until its next step, and then has the new one."""
    with opened(log, home) as one, opened(log, home) as other:
        finish(one)
        finish(other)
        rewrite(home, b"qrjunk", b"junk")
        one.rebuild()
        assert b"qrjunk" in contents(other)
        assert other.catch_up().reached
        assert contents(one) == contents(other) == fresh(log)
        grow(log, 3)
        finish(other)
        finish(one)
        assert contents(one) == contents(other) == fresh(log)
    assert sorted(path.name for path in home.iterdir()) == ["views", "views-2"]


def test_what_a_newer_generation_holds_already_is_still_told_of(log, home):
    """A program that lagged hears of every download once, although another has folded and rebuilt it all."""
    with opened(log, home) as one, opened(log, home) as other:
        finish(one)
        finish(other)
        ids = grow(log, 4)
        one.rebuild()
        assert finish(other) == {*ids}


def test_views_that_went_back_under_our_hands_are_begun_anew(log, home):
    """A store that was set back to an older state lacks events that it was seen to hold: it is not built upon."""
    with opened(log, home) as views:
        finish(views)
        store = lmdb_store(home / "views-1")
        with store.write() as txn:
            for key in [key for key, _ in txn.scan(b"") if key not in {FORMAT, LOG}]:
                txn.delete(key)
            txn.put(POSITION, number(0))
        store.close()
        grow(log)
        finish(views)
        assert contents(views) == fresh(log)


def test_views_that_cannot_even_be_opened_can_be_rebuilt(log, home):
    """`rebuild` needs nothing of what was there."""
    home.mkdir()
    (home / "views").write_text("7")
    (home / "views-7").mkdir()
    (home / "views-7" / "data.mdb").write_bytes(b"garbage" * 2000)
    with opened(log, home) as views:
        views.rebuild()
        assert views.catch_up().reached
        assert contents(views) == fresh(log)
    assert sorted(path.name for path in home.iterdir()) == ["views", "views-8"]


def test_a_rebuild_that_was_overtaken_steps_back(log, home, monkeypatch):
    """When another program has changed over meanwhile, its generation counts and ours is dropped."""
    with opened(log, home) as one, opened(log, home) as other:
        finish(one)
        build = one._build

        def slow():
            built = build()
            other.rebuild()
            return built

        monkeypatch.setattr(one, "_build", slow)
        one.rebuild()
        assert one.catch_up().reached
        assert contents(one) == fresh(log)
    assert (home / "views").read_bytes() == b"3\n"
    assert sorted(path.name for path in home.iterdir()) == ["views", "views-3"]


def test_a_reader_keeps_its_generation_until_it_leaves(log):
    """A look that is open while the views are rebuilt stays as it was, and its store is closed after it."""
    shelf, handles = Shelf(), []

    def keep(folder):
        handles.append(shelf.open(folder))
        return handles[-1]

    views = Views(log, keep)
    finish(views)
    with views.read() as reader:
        before = dict(reader.scan(b""))
        views.rebuild()
        grow(log)
        finish(views)
        assert dict(reader.scan(b"")) == before
        assert [handle.closed for handle in handles] == [False, False]
    assert [handle.closed for handle in handles] == [True, False]
    views.close()
    assert [handle.closed for handle in handles] == [True, True]


def test_what_a_killed_rebuild_left_behind_goes_with_the_next_one(log, home):
    """Folders that never became current are removed when a later one does."""
    with opened(log, home) as views:
        finish(views)
        (home / "views-2").mkdir()
        (home / "views-2" / "data.mdb").write_bytes(b"half")
        views.rebuild()
    assert sorted(path.name for path in home.iterdir()) == ["views", "views-3"]


def test_a_generation_that_is_still_being_made_is_left_alone(log, home):
    """A rebuild of another program does not take away what somebody is folding beside it."""
    with opened(log, home) as one, opened(log, home) as other:
        finish(one)
        with other.as_of(4) as reader:
            one.rebuild()
            assert sorted(path.name for path in home.iterdir()) == ["views", "views-2", "views-3"]
            assert reader.get(POSITION) is not None
        assert sorted(path.name for path in home.iterdir()) == ["views", "views-3"]


@pytest.mark.parametrize("moment", ["opening", "refused", "folding", "damaged"])
def test_a_generation_that_is_replaced_under_our_hands_is_followed(moment, log, home, monkeypatch):
    """When another program changes over between two of our steps, we go on with its generation and begin none."""
    with opened(log, home) as other:
        other.catch_up(3)
        take, moved = Generation.take, []

        def interfere(at, error=None):
            if moment == at and not moved:
                moved.append(at)
                other.rebuild()
                if error is not None:
                    raise error

        def open_store(folder):
            interfere("opening")
            interfere("refused", StoreUnavailable("the folder is gone"))
            return lmdb_store(folder)

        def taking(held, records, facts):
            if held.number == 1:
                interfere("folding")
                interfere("damaged", LogDamaged("the pages are damaged"))
            take(held, records, facts)

        monkeypatch.setattr(Generation, "take", taking)
        with contextlib.closing(Views(log, open_store, home)) as views:
            finish(views)
            assert contents(views) == fresh(log)
    assert (home / "views").read_bytes() == b"2\n"


def test_a_store_that_fails_again_and_again_is_not_begun_anew_for_ever(log):
    """One new generation is tried; when that fails too, the error is told."""
    opened_stores = []

    class Broken(MemoryStore):
        @contextlib.contextmanager
        def write(self):
            with super().write() as txn:
                yield txn
            if len(self._rows) > 3:
                raise LogDamaged("the disk forgets")

    def open_store(folder):
        opened_stores.append(folder)
        return Broken()

    views = Views(log, open_store)
    with pytest.raises(LogDamaged, match="forgets"):
        views.catch_up()
    assert len(opened_stores) == 2


def test_only_what_nobody_makes_is_removed(log, home):
    """A newer generation is somebody's who makes it, or what a killed program left of a past that it looked at."""
    with opened(log, home) as views:
        finish(views)
        making, left = HomeGenerations(home), home / "views-9"
        number = making.begin()
        left.mkdir()
        HomeGenerations(home).adopt(1)
    assert sorted(path.name for path in home.iterdir()) == ["views", "views-1", f"views-{number}"]
    making.adopt(number)
    HomeGenerations(home).clear(1)  # by one who does not know yet that another was adopted
    assert sorted(path.name for path in home.iterdir()) == ["views", f"views-{number}"]


def test_a_folder_that_is_cleared_away_before_it_is_locked_is_not_used(log, home, monkeypatch):
    """Between making a folder and locking it, one who clears away may take it for what a killed program left."""
    with opened(log, home) as views:
        finish(views)
    lock, taken = generations._lock, []

    def late(folder):
        if not taken:
            taken.append(folder)
            HomeGenerations(home).clear(1)
        return lock(folder)

    monkeypatch.setattr(generations, "_lock", late)
    making = HomeGenerations(home)
    number = making.begin()
    assert making.folder(number).is_dir()
    assert taken
    making.drop(number)


def test_what_was_left_of_those_before_is_removed_at_the_next_opening(log, home):
    """A program was killed after it had changed over and before it had cleared away; one being made is left alone."""
    with opened(log, home) as views:
        finish(views)
        views.rebuild()
    (home / "views-1").mkdir()
    making = HomeGenerations(home)
    fresh = making.begin()
    with opened(log, home) as views:
        finish(views)
    assert sorted(path.name for path in home.iterdir()) == ["views", "views-2", f"views-{fresh}"]
    making.drop(fresh)


def test_closed_views_say_so(log, home):
    """After `close`, which may be called twice, nothing is opened again."""
    views = Views(log, lmdb_store, home)
    finish(views)
    views.close()
    views.close()
    with pytest.raises(StoreUnavailable):
        views.catch_up()
    with pytest.raises(StoreUnavailable), views.read():
        pass


# -- looking twice -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, 200])
def test_verify_names_every_key_that_differs_from_a_fresh_fold(log, home, monkeypatch, stride):
    """A changed, a missing and a foreign row are found, and a sound view has none; nothing is left behind."""
    monkeypatch.setattr(driver, "STRIDE", stride)
    with opened(log, home) as views:
        finish(views)
        assert views.verify() == []
        with views.read() as reader:
            (changed, _), (missing, _) = list(reader.scan(b"pp"))[:2]
        rewrite(home, changed, b"?")
        rewrite(home, missing, None)
        rewrite(home, b"qrjunk", b"")
        assert views.verify() == [changed, missing, b"qrjunk"]
        assert views.verify(limit=1) == [changed]
    assert sorted(path.name for path in home.iterdir()) == ["views", "views-1"]


def test_verify_compares_what_is_folded_and_not_what_is_still_to_come(log, home):
    """Views that lag are not wrong."""
    with opened(log, home) as views:
        views.catch_up(3)
        assert views.verify() == []


@pytest.mark.row("C.6")
@settings(deadline=None, max_examples=30)
@given(st.data())
def test_the_views_as_of_a_position_are_those_of_the_log_up_to_there(data):
    """Time travel is a fold that stops: it holds what the views held when that event was the last."""
    whole, part = MemoryLog(), MemoryLog()
    grow(whole, 6)
    position = data.draw(st.integers(0, whole.head() + 2))
    for recorded in whole.read(0, position):
        part.append([[Entry(*recorded[1:])]])
    views = Views(whole, lambda _: MemoryStore())
    with views.as_of(position) as reader:
        assert dict(reader.scan(b"")) == fresh(part)


@pytest.mark.row("C.6")
def test_who_waits_for_the_past_is_told_how_far_it_has_come(log, monkeypatch):
    """After each batch, and at the end."""
    monkeypatch.setattr(driver, "BATCH", 4)
    views, told = Views(log, lambda _: MemoryStore()), []
    with views.as_of(9, told.append):
        assert told == [4, 8, 9]


def test_a_batch_is_bounded(monkeypatch):
    """However far the views lag, one transaction takes no more than a batch."""
    log = Watched()
    grow(log, 30)
    monkeypatch.setattr(driver, "BATCH", 7)
    sizes = []
    take = Generation.take
    monkeypatch.setattr(Generation, "take", lambda held, *page: (sizes.append(len(page[1])), take(held, *page)))
    finish(Views(log, lambda _: MemoryStore()))
    assert max(sizes) == 7
    assert sum(sizes) == log.head()


# -- kill -9 -----------------------------------------------------------------------------------------------------------

FOLDER = """
import sys
from pathlib import Path
from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.lmdb.store import LMDBStore
from lading import generations
from lading import views as driver
driver.BATCH = 3
home = Path(sys.argv[1])
views = driver.Views(LMDBLog(home / "log"), lambda folder: LMDBStore(folder, metasync=False), home)
print("go", flush=True)
while not views.catch_up(3).reached:
    print("step", flush=True)
"""


@pytest.mark.parametrize("steps", [1, 12])
def test_a_program_that_is_killed_while_folding_leaves_a_whole_number_of_batches(steps, home):
    """After kill -9 the views are those of their position, and the next program goes on from there."""
    from lading.adapters.lmdb.log import LMDBLog

    memory = MemoryLog()
    grow(memory, 100)
    home.mkdir()
    log = LMDBLog(home / "log")
    for recorded in memory.read(0, 10**6):
        log.append([[Entry(*recorded[1:])]])
    child = subprocess.Popen([sys.executable, "-c", FOLDER, str(home)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(1 + steps):
        child.stdout.readline()
    child.kill()
    child.wait()
    child.stdout.close()
    with opened(log, home) as views:
        assert views.verify() == []
        finish(views)
        assert views.verify() == []
        with views.read() as reader:
            assert len([progress.get(reader, id, ROWS) for id in progress.ids(reader)]) == 100
    assert (home / "views").read_bytes() == b"1\n"
    log.close()
