"""What the tests of the views share: a small world whose log grows by commands, and the fold of it in any batches.

Everything is handed out by session fixtures, so that hypothesis may use it, and so that no test imports another.
"""

from __future__ import annotations

import itertools
import random
import types
from collections.abc import Callable, Iterable
from typing import NamedTuple
from uuid import UUID

import attrs
import pytest
from hypothesis import strategies as st

from lading.adapters import codec
from lading.domain import commands as c
from lading.domain import events as e
from lading.domain import stops
from lading.domain.archiving import is_closed
from lading.domain.decide import decide
from lading.domain.download import Download
from lading.domain.errors import Fenced, IllegalCommand
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.faults import Cause
from lading.domain.pieces import Piece
from lading.domain.ports import Entry
from lading.domain.requests import Order, Source
from lading.domain.validators import Validator
from lading.projections.fold import Fold
from lading.testing import MemoryLog, MemoryStore
from lading.views import ROWS

SECOND_NS = 10**9
START_NS = 1_700_000_000 * SECOND_NS
WORKER = UUID(int=2**127)
ELSEWHERE = UUID(int=2**127 + 1)
HOSTS = ("a.example", "b.example:8080", "c.example")
TAGS = ((), ("iso",), ("iso", "night"), ("night",))
SUBMIT, ARCHIVE = "submit", "archive"


class World:
    """A log, and the downloads in it as their events make them; ids are in no order of time."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.downloads: dict[UUID, Download] = {}
        self.ages: dict[UUID, int] = {}
        self.archived: dict[UUID, int] = {}
        self.now_ns = START_NS

    def submit(self, number: int = 0, **wanted: object) -> UUID:
        """Queue a download; `number` chooses host, tags, priority and name, unless they are given."""
        id = UUID(int=10_000 - len(self.downloads))
        sources = tuple(
            Source(url=f"https://{HOSTS[(number + n) % 3]}/{number % 4}.bin") for n in range(1 + number % 2)
        )
        given = {"sources": sources, "priority": number % 3 - 1, "tags": TAGS[number % 4]} | wanted
        self._append(id, None, decide(None, c.Submit(order=Order(**given))))
        return id

    def do(self, id: UUID, *commands: c.Command) -> Download:
        """Carry out commands on a download."""
        for command in commands:
            self._append(id, self.downloads[id], decide(self.downloads[id], command))
        return self.downloads[id]

    def note(self, event: e.Event) -> None:
        """Record an event that is of no download."""
        version = len(self.log.stream(ELSEWHERE)) + 1
        self._store([Entry(ELSEWHERE, version, event.TOPIC, self._seal(event))])

    def archive(self, number: int) -> None:
        """Archive every second or third closed download, and say some that are not closed, or were before, as well."""
        told = {id: state.version for id, state in self.downloads.items() if (state.version + number) % 3}
        told |= {id: version - 1 for id, version in [*told.items()][: number % 2]} | {UUID(int=number): 1}
        names = {"file": "f", "digest": "d", "size": 1, "format": "jsonl", "before_ns": self.now_ns}
        self.note(e.HistoryArchived(**names, downloads=tuple(told), versions=tuple(told.values())))
        for id, state in self.downloads.items():
            if told.get(id) == state.version and is_closed(state):
                self.archived[id] = state.version

    def is_archived(self, id: UUID) -> bool:
        """Tell whether nothing has happened to a download since it was archived."""
        return self.archived.get(id) == self.downloads[id].version

    def facts(self) -> list[Fact]:
        """Return everything that has been recorded."""
        return [codec.open_envelope(recorded) for recorded in self.log.read(0, 10**9)]

    def by_age(self) -> list[Download]:
        """Return all downloads in the order in which they were asked for."""
        return sorted(self.downloads.values(), key=lambda download: self.ages[download.id])

    def _append(self, id: UUID, state: Download | None, events: Iterable[e.Event]) -> None:
        entries = []
        self.now_ns += SECOND_NS
        for event in events:
            state = evolve(state, event, stream=id, at_ns=self.now_ns)
            entries.append(Entry(id, state.version, event.TOPIC, self._seal(event)))
        if state is not None and entries:
            first = self._store(entries)
            self.ages.setdefault(id, first)
            self.downloads[id] = state

    def _store(self, entries: list[Entry]) -> int:
        (positions,) = self.log.append([entries])
        assert isinstance(positions, tuple)
        return positions[0]

    def _seal(self, event: e.Event) -> bytes:
        return codec.seal(event, id=UUID(int=self.log.head() + 1), at_ns=self.now_ns)


def start(download: Download, number: int = 0) -> c.Start:
    return c.Start(
        worker=WORKER,
        storage="disk",
        source=download.source,
        transport="http",
        tier=0,
        path=f"{number % 3}.bin",
        part=f".{number % 3}.bin.{download.attempt + 1}.part",
        reuse=number % 2 == 0,
    )


def vouch(download: Download, begin: int, end: int) -> c.Vouch:
    return c.Vouch(attempt=download.attempt, pieces=(Piece(begin, end, "sha256:00"),))


def complete(download: Download, size: int = 100, path: str | None = None) -> c.Complete:
    return c.Complete(
        attempt=download.attempt,
        path=path or download.path or "x",
        size=size,
        digest="sha256:00",
        assurance="length",
        url=download.order.url,
        validator=Validator(length=size),
    )


def falter(download: Download, cause: Cause = Cause.NETWORK, *, now_ns: int = START_NS, budget: int = 3) -> c.Falter:
    return c.Falter(attempt=download.attempt, cause=cause, message="it broke", now_ns=now_ns, jitter=0.5, budget=budget)


def stop(download: Download) -> c.Stop:
    return c.Stop(attempt=download.attempt, reason="the engine closes")


def block(download: Download, reason: str = "disk") -> c.Block:
    return c.Block(attempt=download.attempt, reason=reason, message="no room")


MAKERS: dict[str, Callable[[Download, int, int], c.Command]] = {
    "start": lambda d, n, _: start(d, n),
    "probe": lambda d, n, _: c.Probe(
        attempt=d.attempt,
        url=d.order.url,
        status=200,
        total=(None, 100, 200)[n % 3],
        validator=Validator(etag=f'"{n}"'),
        path=(None, "0.bin", "long/" + "x" * 200)[n % 3],
    ),
    "vouch": lambda d, n, _: vouch(d, n * 10, n * 10 + 15),
    "reject": lambda d, n, _: c.Reject(attempt=d.attempt, start=n * 10, end=n * 10 + 5, reason="damaged"),
    "start over": lambda d, n, _: c.StartOver(attempt=d.attempt, reason="no proof"),
    "verify": lambda d, n, _: c.Verify(attempt=d.attempt, digest="sha256:00", size=100 + n, inode=n),
    "complete": lambda d, n, _: attrs.evolve(complete(d, 100 + n, f"{n % 3}.bin"), replaced=(None, ".0.kept")[n % 2]),
    "falter": lambda d, n, now_ns: falter(d, (Cause.NETWORK, Cause.TLS, Cause.DIGEST)[n % 3], now_ns=now_ns, budget=n),
    "block": lambda d, n, _: block(d, ("disk", "network")[n % 2]),
    "block beforehand": lambda d, n, _: c.Block(reason=("disk", "secret")[n % 2], message=""),
    "unblock": lambda d, n, _: c.Unblock(reason=d.blocked or "disk"),
    "stop": lambda d, n, _: c.Stop(attempt=d.attempt, reason=("the engine closes", stops.CRASHED, stops.CLOSED)[n % 3]),
    "discard": lambda d, n, _: c.Discard(size=n),
    "quarantine": lambda d, n, now_ns: c.Quarantine(
        size=n, until_ns=now_ns + n * SECOND_NS, part=(None, ".0.bin.kept")[n % 2], kept=(None, ".k")[n // 2 % 2]
    ),
    "restore": lambda d, n, _: c.Restore(paused=n % 2 == 0),
    "invalidate": lambda d, n, _: c.Invalidate(reason="gone"),
    "confirm": lambda d, n, _: c.Confirm(),
    "pause": lambda d, n, _: c.Pause(),
    "resume": lambda d, n, _: c.Resume(),
    "retry": lambda d, n, _: c.Retry(),
    "cancel": lambda d, n, _: c.Cancel(reason=("", "skipped")[n % 2]),
    "remove": lambda d, n, _: c.Remove(files=n % 2 == 0),
    "prioritise": lambda d, n, _: c.Prioritise(priority=(-(2**31), 5, 2**31 - 1)[n % 3]),
}
ELSE: tuple[e.Event, ...] = (
    e.EngineOpened(worker=WORKER, version="1"),
    e.KeyClaimed(key="k", download=UUID(int=10_000)),
    e.EngineClosed(worker=WORKER),
    e.Recovered(
        worker=WORKER,
        interrupted=2,
        resumable=1,
        published=1,
        vanished=0,
        cleaned=3,
        bytes_vouched=500,
        bytes_discarded=7,
    ),
    e.Maintained(worker=WORKER, orphans=2, bytes_reclaimed=40),
    e.QueueBlocked(reason="network", message="there is none"),
)


class Act(NamedTuple):
    """One thing that happens in a world, if it is legal there."""

    verb: str
    which: int
    number: int


def play(acts: Iterable[Act]) -> World:
    """Make a world in which these things have happened, those that were legal; now and then its clock steps back."""
    world = World()
    for act in acts:
        if act.verb == SUBMIT or not world.downloads:
            world.submit(act.number)
        elif act.verb == "else":
            world.note(ELSE[act.number % len(ELSE)])
        elif act.verb == ARCHIVE:
            world.archive(act.number)
        elif act.verb == "step back":
            world.now_ns -= act.number * 10 * SECOND_NS
        else:
            download = [*world.downloads.values()][act.which % len(world.downloads)]
            try:
                world.do(download.id, MAKERS[act.verb](download, act.number, world.now_ns))
            except (IllegalCommand, Fenced):
                continue
    return world


_OFTEN = [SUBMIT] * 3 + ["start"] * 4 + ["vouch", "complete", "falter"] * 2
ACTS = st.builds(Act, st.sampled_from([*_OFTEN, *MAKERS, "else", "step back"]), st.integers(0, 5), st.integers(0, 5))


def at_random(chance: random.Random, count: int) -> World:
    """Make a world in which so many things have been tried."""
    verbs = [*_OFTEN, *MAKERS, "else", "step back"]
    return play(Act(chance.choice(verbs), chance.randrange(10**6), chance.randrange(6)) for _ in range(count))


def fold(facts: Iterable[Fact], sizes: Iterable[int] = (), *, remembered: int = 4096) -> MemoryStore:
    """Fold facts into a new store: in batches of these sizes, the rest in one."""
    store, folder, left = MemoryStore(), Fold(ROWS, remembered=remembered), list(facts)
    for size in itertools.chain(sizes, [len(left)]):
        batch, left = left[:size], left[size:]
        with store.write() as txn:
            folder.apply(txn, batch)
    return store


def contents(store: MemoryStore) -> dict[bytes, bytes]:
    """Return everything that a store holds."""
    with store.read() as reader:
        return dict(reader.scan(b""))


@pytest.fixture(scope="session")
def worlds() -> st.SearchStrategy[World]:
    """Worlds in which anything may have happened that can happen."""
    return (st.lists(ACTS, max_size=30) | st.lists(ACTS, min_size=30, max_size=80)).map(play)


@pytest.fixture(scope="session")
def archived_worlds() -> st.SearchStrategy[World]:
    """Worlds in which history is archived now and then."""
    archive = st.builds(Act, st.just(ARCHIVE), st.just(0), st.integers(0, 5))
    over = st.builds(
        Act, st.sampled_from(["cancel", "retry", "discard", "remove", "restore"]), *[st.integers(0, 5)] * 2
    )
    return st.lists(ACTS | over | archive, min_size=10, max_size=60).map(play)


@pytest.fixture(scope="session")
def make() -> types.SimpleNamespace:
    """The ways to make a world, to command it, and to fold it."""
    return types.SimpleNamespace(
        World=World,
        at_random=at_random,
        block=block,
        complete=complete,
        contents=contents,
        falter=falter,
        fold=fold,
        prioritise=lambda priority: c.Prioritise(priority=priority),
        remove=lambda: c.Remove(files=False),
        start=start,
        stop=stop,
        vouch=vouch,
    )
