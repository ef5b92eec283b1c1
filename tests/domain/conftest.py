"""What the tests of the domain share: a stream to carry out commands on, every state as commands reach it, strategies.

Everything is handed out by session fixtures, so that hypothesis may use it, and so that no test imports another.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable
from enum import Enum
from uuid import UUID

import attrs
import pytest
from hypothesis import strategies as st

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.decide import decide
from lading.domain.download import Download
from lading.domain.evolving import evolve
from lading.domain.faults import Cause
from lading.domain.pieces import Piece
from lading.domain.requests import Order, Source
from lading.domain.states import State
from lading.domain.validators import Validator

ID = UUID(int=1)
WORKER = UUID(int=2)
SECOND_NS = 1_000_000_000
STRONG = Validator(etag='"one"', length=100)
OTHER = Validator(etag='"two"', length=100)


def order(sources: int = 1, **changes: object) -> Order:
    """Return an order of so many sources."""
    given = tuple(Source(url=f"https://mirror{number}.example/file.bin") for number in range(sources))
    return Order(sources=given, **changes)


class Stream:
    """One download under test: carries out commands a second apart, and keeps the events."""

    def __init__(self, given: Order | None = None) -> None:
        self.state: Download | None = None
        self.events: list[e.Event] = []
        self.now_ns = 1_700_000_000 * SECOND_NS
        self.do(c.Submit(order=given or order()))

    @property
    def download(self) -> Download:
        assert self.state is not None
        return self.state

    def do(self, command: c.Command) -> tuple[e.Event, ...]:
        """Decide, and fold what came of it."""
        made = decide(self.state, command)
        self.now_ns += SECOND_NS
        for event in made:
            self.state = evolve(self.state, event, stream=ID, at_ns=self.now_ns)
            self.events.append(event)
        return made

    def start(self, *, reuse: bool = True, version: int | None = None) -> tuple[e.Event, ...]:
        return self.do(start(self.download, reuse=reuse, version=version))

    def vouch(self, begin: int, end: int) -> tuple[e.Event, ...]:
        piece = Piece(begin, end, "sha256:00")
        return self.do(c.Vouch(attempt=self.download.attempt, pieces=(piece,)))

    def falter(self, cause: Cause = Cause.BROKEN, **changes: object) -> tuple[e.Event, ...]:
        return self.do(falter(self.download, cause, **changes))


def start(download: Download, *, reuse: bool = True, version: int | None = None) -> c.Start:
    return c.Start(
        worker=WORKER,
        storage="disk",
        source=download.source,
        transport="http",
        tier=2,
        path="file.bin",
        part=".file.bin.1.part",
        reuse=reuse,
        version=version,
    )


def falter(download: Download, cause: Cause, **changes: object) -> c.Falter:
    given: dict[str, object] = {"message": "it broke", "now_ns": 0, "jitter": 0.5, "budget": 3} | changes
    return c.Falter(attempt=download.attempt, cause=cause, **given)


def reports(attempt: int, download: Download) -> dict[str, c.Report]:
    """Return one report of each kind, as the worker of `attempt` would make it."""
    return {
        "probe": c.Probe(attempt=attempt, url="https://a.example/", status=200, total=100, validator=STRONG),
        "join": c.Join(attempt=attempt, source=1, url="https://b.example/", validator=OTHER),
        "vouch": c.Vouch(attempt=attempt, pieces=(Piece(0, 10, "sha256:00"),)),
        "reject": c.Reject(attempt=attempt, start=0, end=5, reason="damaged"),
        "start over": c.StartOver(attempt=attempt, reason="no proof"),
        "changed": c.StartOver(attempt=attempt, reason="changed", changed=(STRONG, OTHER)),
        "verify": c.Verify(attempt=attempt, digest="sha256:00", size=100, inode=7),
        "complete": c.Complete(
            attempt=attempt,
            path="file.bin",
            size=100,
            digest="sha256:00",
            assurance="length",
            url="https://a.example/",
            validator=STRONG,
        ),
        "falter": attrs.evolve(falter(download, Cause.NETWORK), attempt=attempt),
        "fail": attrs.evolve(falter(download, Cause.REFUSED), attempt=attempt),
        "block": c.Block(attempt=attempt, reason="disk", message="full"),
        "degrade": c.Degrade(attempt=attempt, feature="direct_io", message="refused"),
        "stop": c.Stop(attempt=attempt, reason="closing"),
    }


VERBS: dict[str, c.Command] = {
    "pause": c.Pause(),
    "resume": c.Resume(),
    "retry": c.Retry(),
    "cancel": c.Cancel(),
    "remove": c.Remove(),
    "remove files": c.Remove(files=True),
    "prioritise": c.Prioritise(priority=5),
    "start": start(Download(id=ID, state=State.QUEUED, order=order())),
    "block": c.Block(reason="network", message="offline"),
    "unblock": c.Unblock(reason="disk"),
    "discard": c.Discard(size=10),
    "limit": c.Limit(limit_rate=1000),
    "refresh": c.ReplaceSource(url="https://other.example/file.bin"),
    "finish": c.Finish(),
    "restore": c.Restore(),
    "quarantine": c.Quarantine(size=10, until_ns=5, part=".file.bin.kept"),
    "invalidate": c.Invalidate(reason="it is gone"),
    "confirm": c.Confirm(),
    "expire": c.Expire(before_ns=2**62),
    "forget": c.Forget(),
    "shred": c.Shred(),
}


def _reached() -> dict[State, Download]:
    """Take a download by commands into each of the states; it holds ten bytes where a state allows that."""

    def active() -> Stream:
        stream = Stream()
        stream.start()
        stream.do(reports(1, stream.download)["probe"])
        stream.vouch(0, 10)
        return stream

    def after(stream: Stream, *steps: str) -> Download:
        for step in steps:
            stream.do(VERBS[step] if step in VERBS else reports(stream.download.attempt, stream.download)[step])
        return stream.download

    return {
        State.QUEUED: Stream().download,
        State.ACTIVE: active().download,
        State.VERIFYING: after(active(), "verify"),
        State.WAITING: after(active(), "falter"),
        State.PAUSING: after(active(), "pause"),
        State.CANCELLING: after(active(), "cancel"),
        State.REMOVING: after(active(), "remove"),
        State.PAUSED: after(active(), "pause", "stop"),
        State.COMPLETED: after(active(), "complete"),
        State.FAILED: after(active(), "fail"),
        State.CANCELLED: after(active(), "cancel", "stop"),
        State.REMOVED: after(active(), "remove", "stop"),
    }


@st.composite
def any_command(draw: st.DrawFn, download: Download) -> c.Command:
    """Draw any command: a verb, or a report of this attempt or, now and then, of another."""
    if draw(st.booleans()):
        return _verb(draw, download)
    attempt = max(0, download.attempt + draw(st.sampled_from((0, 0, 0, 0, -1, 1))))
    report = draw(st.sampled_from(list(reports(attempt, download).values())))
    begin, length = draw(st.integers(0, 40)), draw(st.integers(1, 20))
    match report:
        case c.Vouch():
            return c.Vouch(attempt=attempt, pieces=(Piece(begin, begin + length, "sha256:00"),))
        case c.Reject():
            return c.Reject(attempt=attempt, start=begin, end=begin + length, reason="damaged")
        case c.Falter():
            return attrs.evolve(report, cause=draw(st.sampled_from(Cause)), budget=draw(st.integers(0, 4)))
        case _:
            return report


def _verb(draw: st.DrawFn, download: Download) -> c.Command:
    command = draw(st.sampled_from(list(VERBS.values())))
    match command:
        case c.Start():
            return start(download, reuse=draw(st.booleans()))
        case c.Unblock() if download.blocked:
            return c.Unblock(reason=download.blocked)
        case _:
            return command


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_PLAIN: dict[object, st.SearchStrategy[object]] = {
    int: st.integers(-(2**63), 2**63 - 1),
    str: TEXT,
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    UUID: st.uuids(),
    type(None): st.none(),
}


@functools.cache
def instances(kind: typing.Any) -> st.SearchStrategy[typing.Any]:
    """Return a strategy for anything an event may hold: attrs classes, tuples, unions, choices and plain values."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if attrs.has(kind):
        fields = attrs.fields(attrs.resolve_types(kind))
        return st.builds(kind, **{field.alias: st.deferred(lambda t=field.type: instances(t)) for field in fields})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple and arguments[-1] is Ellipsis:
        return st.lists(instances(arguments[0]), max_size=3).map(tuple)
    if typing.get_origin(kind) is tuple:
        return st.tuples(*map(instances, arguments))
    assert typing.get_origin(kind) in {typing.Union, types.UnionType}, kind
    return st.one_of(*map(instances, arguments))


@pytest.fixture(scope="session")
def stream() -> type[Stream]:
    """The class of streams under test."""
    return Stream


@pytest.fixture(scope="session")
def make_order() -> Callable[..., Order]:
    """Orders of so many sources."""
    return order


@pytest.fixture(scope="session")
def reached() -> dict[State, Download]:
    """A download in each of the states."""
    return _reached()


@pytest.fixture(scope="session")
def verbs() -> dict[str, c.Command]:
    """What people and the scheduler ask, by name."""
    return VERBS


@pytest.fixture(scope="session")
def reports_of() -> Callable[[int, Download], dict[str, c.Report]]:
    """What the worker of an attempt may report, by name."""
    return reports


@pytest.fixture(scope="session")
def commands() -> Callable[[Download], st.SearchStrategy[c.Command]]:
    """A strategy for any command to a download."""
    return any_command


@pytest.fixture(scope="session")
def anything() -> Callable[[typing.Any], st.SearchStrategy[typing.Any]]:
    """A strategy for any instance of a class that events are made of."""
    return instances
