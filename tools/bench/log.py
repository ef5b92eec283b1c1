"""`lading bench log`: the LMDB log beside the event library's own SQLite recorder, on the same disk, in the same run.

Four questions, each as pairs: batches of durable events through the recorder's API; reading notifications through it,
and with our own reader; many trio tasks that append single events and wait for each; and folding a whole log into every
view, beside what the library's mapper alone takes to decode its events.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import trio
from eventsourcing.persistence import ApplicationRecorder, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore
from eventsourcing.utils import Environment

from lading.adapters.lmdb import LMDBFactory
from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.lmdb.store import LMDBStore
from lading.adapters.system import SystemChance, SystemClock
from lading.adapters.threads import WorkerThreads
from lading.domain.commands import Prioritise
from lading.domain.errors import StoreUnavailable
from lading.domain.events import Queued
from lading.domain.ports import Entry
from lading.domain.requests import Order, Source
from lading.journal import Journal
from lading.tools.bench import history, library
from lading.tools.bench.pairs import Comparison, compare
from lading.views import Views
from lading.writer import LogWriter

BATCH = 100
BATCHES = 100
SINGLES = 400
PRODUCERS = 64
EACH = 100
DOWNLOADS = 12_000
PAGE = 1_000
FOLLOW_S = 0.02


def run(folder: Path, *, pairs: int = 15) -> list[Comparison]:
    """Measure in a new folder below `folder`, which must lie on a disk, and return the comparisons."""
    refuse_memory(folder)
    with tempfile.TemporaryDirectory(prefix="lading-bench-", dir=folder) as place:
        bench = _Bench(Path(place))
        return [
            compare("insert batches of 100", bench.batches(bench.lmdb), bench.batches(bench.sqlite),
                    peer="SQLite recorder", pairs=pairs, least=1.2),
            compare("read notifications", bench.reading(bench.lmdb), bench.reading(bench.sqlite),
                    peer="SQLite recorder", pairs=pairs, least=1.1),
            compare("read with our own reader", bench.lean_reading(), bench.reading(bench.sqlite),
                    peer="SQLite recorder", pairs=pairs, least=1.5),
            compare(f"{PRODUCERS} tasks, single events", bench.producers, bench.singles,
                    peer="SQLite, single commits", pairs=pairs, least=6.0, aim=10.0),
            compare("replay into all views", bench.replay(), bench.decoding(),
                    peer="library's mapper, decoding alone", pairs=pairs, least=0.7, aim=1.5),
        ]  # fmt: skip


def refuse_memory(folder: Path) -> None:
    """Raise `StoreUnavailable` when `folder` lies in memory, where a flush costs nothing."""
    kinds = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    here = folder.resolve()
    mounts = [(len(k[1]), k[2]) for k in kinds if here.is_relative_to(k[1])]
    if mounts and max(mounts)[1] in {"tmpfs", "ramfs"}:
        raise StoreUnavailable(f"{folder} lies in memory", hint="name a folder on a disk with --folder")


Opened = Callable[[], AbstractContextManager[ApplicationRecorder]]


class _Bench:
    def __init__(self, place: Path) -> None:
        self._place = place
        self._names = itertools.count()

    def _fresh(self) -> Path:
        path = self._place / f"run-{next(self._names)}"
        path.mkdir()
        return path

    @contextmanager
    def lmdb(self) -> Iterator[ApplicationRecorder]:
        path = self._fresh()
        factory = LMDBFactory(Environment("bench", {"LMDB_PATH": str(path / "lmdb")}))
        try:
            yield factory.application_recorder()
        finally:
            factory.close()
            shutil.rmtree(path)

    @contextmanager
    def sqlite(self) -> Iterator[ApplicationRecorder]:
        path = self._fresh()
        datastore = SQLiteDatastore(str(path / "events.db"))
        recorder = SQLiteApplicationRecorder(datastore)
        recorder.create_table()
        try:
            yield recorder
        finally:
            datastore.close()
            shutil.rmtree(path)

    def batches(self, opened: Opened) -> Callable[[], float]:
        def measure() -> float:
            batches = [_stored(BATCH) for _ in range(BATCHES)]
            with opened() as recorder:
                return rate(BATCH * BATCHES, lambda: [recorder.insert_events(batch) for batch in batches])

        return measure

    def reading(self, opened: Opened) -> Callable[[], float]:
        def measure() -> float:
            with opened() as recorder:
                for _ in range(20):
                    recorder.insert_events(_stored(1_000))

                def read() -> None:
                    after = 0
                    while page := recorder.select_notifications(after, PAGE, inclusive_of_start=False):
                        after = page[-1].id

                return rate(20_000, read)

        return measure

    def lean_reading(self) -> Callable[[], float]:
        def measure() -> float:
            path = self._fresh()
            log = LMDBLog(path / "log")
            for _ in range(20):
                log.append([_entries(1_000)])

            def read() -> None:
                after = 0
                while page := log.read(after, PAGE):
                    after = page[-1].position

            try:
                return rate(20_000, read)
            finally:
                log.close()
                shutil.rmtree(path)

        return measure

    def singles(self) -> float:
        events = _stored(SINGLES)
        with self.sqlite() as recorder:
            return rate(SINGLES, lambda: [recorder.insert_events([event]) for event in events])

    def producers(self) -> float:
        path = self._fresh()
        log = LMDBLog(path / "log")
        try:
            return trio.run(produce, log)
        finally:
            log.close()
            shutil.rmtree(path)

    def replay(self) -> Callable[[], float]:
        path = self._fresh()
        log = LMDBLog(path / "log")
        requests = list(history.requests(DOWNLOADS))
        for start in range(0, DOWNLOADS, PAGE):
            log.append(requests[start : start + PAGE])

        def measure() -> float:
            place = self._fresh()
            views = Views(log, lambda folder: LMDBStore(folder, metasync=False), place)

            def fold() -> None:
                while not views.catch_up().reached:
                    continue

            try:
                return rate(DOWNLOADS * 5, fold)
            finally:
                views.close()
                shutil.rmtree(place)

        return measure

    def decoding(self) -> Callable[[], float]:
        """Return the measure of the peer: its log read, and every event decoded by its mapper; nothing is folded."""
        mapper = library.mapper()

        def measure() -> float:
            with self.sqlite() as recorder:
                recorder.insert_events([mapper.to_stored_event(event) for event in library.events(DOWNLOADS)])

                def decode() -> None:
                    after = 0
                    while page := recorder.select_notifications(after, PAGE, inclusive_of_start=False):
                        after = page[-1].id
                        for stored in page:
                            mapper.to_domain_event(stored)

                return rate(DOWNLOADS * 5, decode)

        return measure


def rate(count: int, work: Callable[[], object]) -> float:
    """Return how many a second `work` did, `count` in all."""
    began_s = time.perf_counter()
    work()
    return count / (time.perf_counter() - began_s)


def _stored(count: int) -> list[StoredEvent]:
    return [StoredEvent(entry.stream, entry.version, entry.topic, entry.state) for entry in _entries(count)]


def _entries(count: int) -> list[Entry]:
    """Return `count` events of downloads that come after all those that were made before."""
    downloads = -(-count // 5)
    requests = history.requests(downloads, first=next(_numbers) * downloads)
    return [entry for request in requests for entry in request][:count]


_numbers = itertools.count()


async def produce(log: LMDBLog, views: Views | None = None) -> float:
    """Let tasks append one event each at a time to a stream of their own: decided, sealed, version checked, durable.

    With `views`, these follow meanwhile, and have to have caught up at the end.
    """
    chance, clock, threads = SystemChance(), SystemClock(), WorkerThreads()
    writer = LogWriter(log, threads)
    journal = Journal(log, writer, threads, clock, chance)
    order = Order(sources=(Source(url="https://example.org/file.iso"),))

    async def task() -> None:
        id = chance.uuid(clock.now_ns())
        await writer.append([journal.entry(id, 1, Queued(order=order), clock.now_ns(), history.CONTEXT)])
        state = await journal.load(id)
        for number in range(1, EACH + 1):
            state = await journal.execute(id, Prioritise(priority=number), state=state, context=history.CONTEXT)

    async def follow(views: Views) -> None:
        while True:
            await threads.run(views.catch_up)
            await trio.sleep(FOLLOW_S)

    async with trio.open_nursery() as outer:
        await outer.start(writer.run)
        began_s = time.perf_counter()
        if views is not None:
            outer.start_soon(follow, views)
        async with trio.open_nursery() as nursery:
            for _ in range(PRODUCERS):
                nursery.start_soon(task)
        if views is not None:
            await threads.run(views.catch_up)
            outer.cancel_scope.cancel()
        elapsed_s = time.perf_counter() - began_s
        writer.close()
    return PRODUCERS * (EACH + 1) / elapsed_s
