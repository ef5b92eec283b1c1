"""Writing an incident: the events of a range of a log, redacted, page by page.

Only ids are held, of the downloads that the range is about, and there may not be more of them than an incident takes.
A download that was there before the range comes in as if new: at its beginning, where it was ready or ran, else when
it is first told of. What it held by then, and how often it had been tried, is not told.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain import hold as holds
from lading.domain.download import Download
from lading.domain.errors import LogDamaged, UsageError
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.hold import Hold
from lading.domain.states import RUNNING, STOPPING, State
from lading.projections.fold import OF_DOWNLOADS
from lading.reading import PAGE, Reading
from lading.settings import Settings
from lading.tools.simulator import incident, redaction, tuning
from lading.tools.simulator.pseudonyms import Pseudonyms
from lading.version import VERSION


@attrs.define(kw_only=True)
class Told:
    """What was written: counts, the kinds of events that were left out with theirs, and how many ran at once."""

    events: int = 0
    downloads: int = 0
    carried: int = 0
    most_running: int = 0
    left_out: dict[str, int] = attrs.field(factory=dict)


def write(
    reading: Reading,
    settings: Settings,
    path: Path,
    *,
    first: int = 0,
    last: int | None = None,
    ids: Sequence[UUID] = (),
    keep: Sequence[str] = (),
    replace: bool = False,
) -> Told:
    """Write the incident of a range of a log to `path`, and return what is in it.

    Args:
        reading: where the log is read; nothing else is done to it.
        settings: those in force.
        path: the file.
        first: the position at which the range begins.
        last: the last one of it, None for the end of the log.
        ids: of downloads that alone it is about; none for all.
        keep: what is not replaced by pseudonyms, of `pseudonyms.KEEP`.
        replace: whether the file may take the place of another one.

    Raises:
        DestinationTaken: something has that name, and it is not to be replaced, or no file.
        UsageError: nothing happened in that range, or too much for an incident.
    """
    names = Pseudonyms(secrets.token_bytes(32), frozenset(keep))
    facts = _range(reading, max(0, first - 1), last)
    beginning = next(facts, None)
    if beginning is None:
        raise UsageError(
            "there is nothing in that range of the log", hint="`lading log` shows the events with positions"
        )
    log = str(getattr(reading.log, "log_id", ""))
    local = datetime.fromtimestamp(beginning.at_ns / 1e9).astimezone()
    header = incident.Header(
        engine=VERSION,
        log=log if "ids" in keep else names.word("log", log),
        first=beginning.position,
        last=reading.log.head() if last is None else last,
        settings=tuning.in_force(settings, names),
        second=(local.hour * 60 + local.minute) * 60 + local.second if settings.schedule else None,
        kept=tuple(sorted(keep)),
        single=bool(ids),
    )
    with incident.writing(path, replace=replace) as file:
        file.header(header)
        return _Taking(reading, names, file, frozenset(ids)).take(beginning, facts)


def _range(reading: Reading, after: int, last: int | None) -> Iterator[Fact]:
    while page := reading.facts(after, PAGE):
        for fact in page:
            if last is not None and fact.position > last:
                return
            yield fact
        after = page[-1].position


class _Taking:
    """Takes the events of a range out of a log."""

    def __init__(self, reading: Reading, names: Pseudonyms, file: incident.Writer, ids: frozenset[UUID]) -> None:
        self._reading = reading
        self._names = names
        self._file = file
        self._ids = ids
        self._seen: set[UUID] = set()
        self._running: set[UUID] = set()
        self._told = Told()
        self._base_ns = self._now_ns = 0

    def take(self, beginning: Fact, facts: Iterator[Fact]) -> Told:
        self._base_ns = self._now_ns = beginning.at_ns
        self._carry_hold(beginning)
        self._fact(beginning)
        for fact in facts:
            self._fact(fact)
        self._told.events = self._file.events
        self._told.downloads = len(self._seen)
        return self._told

    def _fact(self, fact: Fact) -> None:
        self._now_ns = max(self._now_ns, fact.at_ns)
        event, is_of_one = fact.event, type(fact.event) in OF_DOWNLOADS
        if self._ids and is_of_one and fact.stream not in self._ids:
            return
        kept = redaction.redact(event, self._names, self._base_ns)
        if kept is None:
            kind = type(event).__name__
            self._told.left_out[kind] = self._told.left_out.get(kind, 0) + 1
            return
        if is_of_one:
            if fact.stream not in self._seen:
                self._meet(fact)
            self._count_running(fact)
        self._say(fact.stream, kept)

    def _meet(self, fact: Fact) -> None:
        """Begin with a download: with its first event, or with what was left of it before the range."""
        self._seen.add(fact.stream)
        if len(self._seen) > incident.MOST_DOWNLOADS:
            raise UsageError(f"an incident has at most {incident.MOST_DOWNLOADS:,} downloads", hint=incident.SHORTER)
        if not isinstance(fact.event, e.Queued):
            self._carry(fact)

    def _carry(self, fact: Fact) -> None:
        before: Download | None = None
        for earlier in self._reading.stream(fact.stream):
            if earlier.version >= fact.version:
                break
            before = evolve(before, earlier.event, stream=fact.stream, at_ns=earlier.at_ns)
        if before is None:
            raise LogDamaged(f"the stream {fact.stream} does not begin with its first event")
        self._told.carried += 1
        order = attrs.evolve(
            before.order, priority=before.priority, limit_rate=before.limit_rate, connections=before.connections
        )
        is_there = before.state in RUNNING or before.state is State.QUEUED
        at_ns = self._base_ns if is_there else self._now_ns
        self._say(fact.stream, e.Queued(order=redaction.order(order, self._names)), at_ns)
        for event in _left(before):
            kept = redaction.redact(event, self._names, self._base_ns)
            if kept is not None:
                self._say(fact.stream, kept, at_ns)

    def _carry_hold(self, beginning: Fact) -> None:
        """Say what held the queue when the range began."""
        held = functools.reduce(
            lambda hold, fact: holds.evolve(hold, fact.event, fact.version),
            (fact for fact in self._reading.stream(e.QUEUE) if fact.position < beginning.position),
            Hold(),
        )
        for event in (*([e.QueuePaused()] if held.paused else []), *map(_blocking, held.blocked)):
            kept = redaction.redact(event, self._names, self._base_ns)
            if kept is not None:
                self._say(e.QUEUE, kept)

    def _count_running(self, fact: Fact) -> None:
        match fact.event:
            case e.Started():
                self._running.add(fact.stream)
                self._told.most_running = max(self._told.most_running, len(self._running))
            case e.Completed() | e.Failed() | e.RetryScheduled() | e.Blocked() | e.Stopped():
                self._running.discard(fact.stream)

    def _say(self, stream: UUID, event: e.Event, at_ns: int | None = None) -> None:
        at_ns = self._now_ns if at_ns is None else at_ns
        self._file.event(at_ns - self._base_ns, self._names.id(stream), event)


def _blocking(reason: str) -> e.Event:
    return e.QueueBlocked(reason=reason)


def _left(before: Download) -> Iterator[e.Event]:
    """Yield what brings a new download to where one stood."""
    if before.state in RUNNING | STOPPING:
        yield e.Started(attempt=max(1, before.attempt), worker=before.worker or before.id, storage="", path="", part="")
    match before.state:
        case State.VERIFYING:
            yield e.Verified(attempt=before.attempt, digest="", size=before.total or 0, inode=0)
        case State.WAITING:
            yield e.Blocked(reason=before.blocked or redaction.OTHER)
        case State.PAUSED | State.PAUSING:
            yield e.Paused()
        case State.CANCELLED | State.CANCELLING | State.FAILED:
            yield e.Cancelled()
        case State.REMOVED | State.REMOVING | State.COMPLETED:
            yield e.Removed()
        case _:
            pass
