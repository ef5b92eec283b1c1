"""The record: what happened in an incident, as a world can give it again and an engine can be asked to decide it anew.

What people asked, when engines came and went, and what the machine was like are steps in time. What became of each
attempt is a `Trial`: when it was answered, how its bytes came in, and how it ended, all counted from its start, so that
an attempt at another time meets the same. The events are folded by the same `evolve` as everywhere, so a file in which
something follows what it cannot follow is known to be no incident of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain import requirements, stops
from lading.domain.download import Download
from lading.domain.errors import LogDamaged
from lading.domain.evolving import evolve
from lading.domain.faults import LONGEST_BACKOFF_S, MOST_DOUBLINGS, POLICIES, Cause
from lading.domain.requests import Order
from lading.domain.validators import Validator
from lading.projections.fold import OF_DOWNLOADS
from lading.tools.simulator import incident, redaction
from lading.tools.simulator.incident import Line

MOST_POINTS = 64
MOST_TRIALS = 10_000
LAST_BREATH_NS = 100_000_000
"""An engine that ended without a word is taken to have lived on for so long after what it said last."""
ASKS = (
    e.Paused, e.Resumed, e.Cancelled, e.Removed, e.Reprioritised, e.LimitChanged, e.FinishRequested, e.Restored,
)  # fmt: skip
"""What people ask of a download; everything else is the engine's."""
ENDS = (e.Completed, e.Failed, e.RetryScheduled, e.Blocked, e.Stopped)


@attrs.define(kw_only=True)
class Trial:
    """One attempt; times in nanoseconds since its start, bytes beside what was held then.

    Attributes:
        held: what was held when it started, or after it had started over.
        source: the number of its source.
        answered_ns: when its server had answered, None if that is not told.
        points: when how many bytes had come in.
        ended: the event that ended it, None while nothing has.
        ended_ns: when that was.
        jitter: the share of the longest delay that its retry waited.
        wait_ns: how long that was.
        afresh: whether its server sent another version, or the whole where a part was asked for.
    """

    started_ns: int
    held: int
    source: int = 0
    answered_ns: int | None = None
    points: list[tuple[int, int]] = attrs.field(factory=list)
    ended: e.Event | None = None
    ended_ns: int = 0
    jitter: float | None = None
    wait_ns: int | None = None
    afresh: bool = False
    _before: tuple[int, list[tuple[int, int]], bool] | None = None

    @property
    def gained(self) -> int:
        """The bytes that came in."""
        return self.points[-1][1] if self.points else 0

    def note(self, at_ns: int, received: int) -> None:
        """Note what was held at some time; of very many notes, every other is dropped."""
        gained = max(self.gained, received - self.held)
        self.points.append((at_ns - self.started_ns, gained))
        if len(self.points) > MOST_POINTS:
            del self.points[1:-1:2]

    def start_over(self) -> None:
        """Note that all that was held was given up."""
        self._before = (self.held, self.points, self.afresh)
        self.held, self.points, self.afresh = 0, [], True

    def end(self, at_ns: int, event: e.Event) -> None:
        """Note how it ended; who starts over because of a digest does so at the end, and not because of the server."""
        self.ended, self.ended_ns = event, at_ns - self.started_ns
        if getattr(event, "cause", None) == Cause.DIGEST and self._before is not None:
            self.held, self.points, self.afresh = self._before


@attrs.define(kw_only=True)
class Item:
    """One download of an incident: what was asked, when, and what came of it, attempt by attempt.

    Attributes:
        number: how many came before it.
        total: its size in bytes, None if that was never known.
        sized: whether its server tells the size.
        framed: whether the end of its body is marked.
        provable: whether a part of it can be proved to be of the version that is held.
        digested: whether the whole is held against a digest.
        flags: what was not plainly on for it, as its first attempt tells.
    """

    id: UUID
    number: int
    order: Order
    arrived_ns: int
    state: Download
    total: int | None = None
    sized: bool = True
    framed: bool = True
    provable: bool = True
    digested: bool = False
    flags: tuple[str, ...] = ()
    trials: list[Trial] = attrs.field(factory=list)


class Ask(NamedTuple):
    """Somebody asked something of a download."""

    id: UUID
    event: e.Event


class Submitted(NamedTuple):
    """Somebody asked for a download."""

    id: UUID


class Opened(NamedTuple):
    """An engine began to work."""


class Closed(NamedTuple):
    """It ended: because there was nothing more to do, or with work in hand."""

    idle: bool


class Around(NamedTuple):
    """The machine became other than it was: `what` is online, metered, memory or room."""

    what: str
    value: bool


class Rested(NamedTuple):
    """Somebody let the whole queue rest, or go on."""

    event: e.Event


class Roomy(NamedTuple):
    """There came to be room for a download on its disk, or none."""

    id: UUID
    free: int | None


Step = Submitted | Ask | Opened | Closed | Around | Rested | Roomy


@attrs.define(kw_only=True)
class Record:
    """All of an incident: downloads by their pseudonyms, what happened around them, in order, and when it ended."""

    items: dict[UUID, Item] = attrs.field(factory=dict)
    steps: list[tuple[int, Step]] = attrs.field(factory=list)
    last_ns: int = 0


def load(lines: Iterable[Line]) -> Record:
    """Return the record of an incident.

    Raises:
        IntegrityError: its events cannot have happened so.
    """
    loading = _Loading()
    for number, line in enumerate(lines, start=1):
        try:
            loading.take(line)
        except LogDamaged as error:
            raise incident.damaged(f"event {number} cannot have happened ({error.message})") from None
    return loading.end()


class _Loading:
    def __init__(self) -> None:
        self._record = Record()
        self._is_open = self._has_opened = False
        self._cut_ns: int | None = None
        self._worked_ns = 0
        self._told: dict[UUID, int] = {}

    def take(self, line: Line) -> None:
        at_ns, stream, event = line
        self._record.last_ns = max(self._record.last_ns, at_ns)
        if type(event) in OF_DOWNLOADS:
            self._of_download(at_ns, stream, event)
            return
        match event:
            case e.EngineOpened():
                self._opened(at_ns)
            case e.EngineClosed():
                self._closed(at_ns)
            case e.NetworkChanged():
                self._step(at_ns, Around("online", event.online))
                self._step(at_ns, Around("metered", bool(event.metered)))
            case e.QueueBlocked() | e.QueueUnblocked():
                self._blocked(at_ns, event.reason, isinstance(event, e.QueueBlocked))
            case e.QueuePaused() | e.QueueResumed():
                self._step(at_ns, Rested(event))
            case _:
                pass

    def end(self) -> Record:
        record = self._record
        if not self._has_opened:
            record.steps.append((0, Opened()))
        record.steps.sort(key=lambda step: step[0])
        return record

    def _step(self, at_ns: int, step: Step) -> None:
        self._record.steps.append((at_ns, step))

    # -- engines and what is around them ---------------------------------------------------------------------------

    def _opened(self, at_ns: int) -> None:
        if not self._has_opened and self._worked_ns:  # one was at work when the range began
            self._step(0, Opened())
            self._is_open = True
        if self._is_open:  # the one before ended without a word, at a time that nobody knows
            since_ns = at_ns - self._worked_ns
            self._step(self._worked_ns + min(LAST_BREATH_NS, max(0, since_ns) // 2), Closed(idle=False))
        self._is_open = self._has_opened = True
        self._cut_ns = None
        self._step(at_ns, Opened())

    def _closed(self, at_ns: int) -> None:
        if not self._has_opened:
            self._has_opened = True
            self._step(0, Opened())
        self._is_open = False
        is_idle = self._cut_ns is None
        self._step(at_ns if self._cut_ns is None else self._cut_ns, Closed(idle=is_idle))

    def _blocked(self, at_ns: int, reason: str, is_blocked: bool) -> None:  # noqa: FBT001 # it is what came of it
        match reason:
            case requirements.MEMORY:
                self._step(at_ns, Around("memory", is_blocked))
            case requirements.DISK:
                self._step(at_ns, Around("room", not is_blocked))
            case requirements.NETWORK:
                self._step(at_ns, Around("online", not is_blocked))
            case requirements.METERED:
                self._step(at_ns, Around("metered", is_blocked))
            case _:
                pass  # the schedule is a setting, and holds by itself

    # -- downloads -------------------------------------------------------------------------------------------------

    def _of_download(self, at_ns: int, id: UUID, event: e.Event) -> None:
        item = self._record.items.get(id)
        if at_ns < self._told.get(id, 0):
            raise LogDamaged(f"{type(event).__name__} comes before what it follows")
        self._told[id] = at_ns
        if isinstance(event, e.Queued):
            self._queued(at_ns, id, event, item)
            return
        if item is None:
            raise LogDamaged(f"{type(event).__name__} of a download that nobody asked for")
        before = item.state
        item.state = evolve(before, event, stream=id, at_ns=at_ns)
        if isinstance(event, ASKS):
            self._step(at_ns, Ask(id, event))
            return
        if isinstance(event, e.Started):
            self._started(at_ns, item, event)
        elif item.trials and item.trials[-1].ended is None:
            self._worked_ns = max(self._worked_ns, at_ns)
            self._tried(at_ns, item, event, before)
        elif isinstance(event, e.Completed):
            item.total = event.size
        if isinstance(event, e.Blocked) and event.reason == requirements.DISK:
            self._step(at_ns, Roomy(id, 1))
        elif before.blocked == requirements.DISK and item.state.blocked is None:
            self._step(at_ns, Roomy(id, None))

    def _queued(self, at_ns: int, id: UUID, event: e.Queued, item: Item | None) -> None:
        if item is not None or not event.order.sources:
            raise LogDamaged("Queued for a second time, or for nothing")
        if len(self._record.items) >= incident.MOST_DOWNLOADS:
            raise LogDamaged(f"more than {incident.MOST_DOWNLOADS:,} downloads")
        state = evolve(None, event, stream=id, at_ns=at_ns)
        number, is_digested = len(self._record.items), event.order.digest is not None
        self._record.items[id] = Item(
            id=id, number=number, order=event.order, arrived_ns=at_ns, state=state, digested=is_digested
        )
        self._step(at_ns, Submitted(id))

    def _started(self, at_ns: int, item: Item, event: e.Started) -> None:
        if len(item.trials) >= MOST_TRIALS or not 0 <= event.source < len(item.order.sources):
            raise LogDamaged("Started too often, or from a source that there is not")
        self._worked_ns = max(self._worked_ns, at_ns)
        item.flags = item.flags if item.trials else event.flags
        item.trials.append(Trial(started_ns=at_ns, held=item.state.received, source=event.source))

    def _tried(self, at_ns: int, item: Item, event: e.Event, before: Download) -> None:
        trial = item.trials[-1]
        match event:
            case e.Probed():
                trial.answered_ns = at_ns - trial.started_ns
                item.sized = event.total is not None
                item.total = event.total if event.total is not None else item.total
                item.provable = _is_provable(event.validator)
            case e.Progressed():
                if not trial.points and trial.answered_ns == at_ns - trial.started_ns:
                    trial.answered_ns = None  # of small files both are told together
                trial.note(at_ns, item.state.received)
            case e.Restarted() if event.reason != redaction.PART_LOST:
                trial.start_over()
            case e.Verified():
                item.total = event.size
            case _ if isinstance(event, ENDS):
                self._ended(at_ns, item, event, before)
            case _:
                pass

    def _ended(self, at_ns: int, item: Item, event: e.Event, before: Download) -> None:
        trial = item.trials[-1]
        match event:
            case e.Completed():
                item.total = event.size
                item.sized = item.sized and event.assurance in {"length", "digest"}
                item.framed = event.assurance != "none"
                trial.note(at_ns, max(event.size, trial.held))
            case e.RetryScheduled():
                wait_ns = max(0, event.not_before_ns - at_ns)
                trial.wait_ns = wait_ns
                trial.jitter = _jitter(event.cause, before.spent, wait_ns)
            case e.Stopped() if event.reason == stops.CLOSED and self._cut_ns is None:
                self._cut_ns = at_ns
            case _:
                pass
        trial.end(at_ns, event)
        item.digested = item.digested or getattr(event, "cause", None) == Cause.DIGEST


def _is_provable(validator: Validator) -> bool:
    return bool(validator.if_range or validator.digest)


def _jitter(cause: str, spent: int, wait_ns: int) -> float:
    """Return the random number by which a delay was chosen, as `lading.domain.faults.retry` takes it."""
    policy: Any = POLICIES[Cause(cause)]
    most_s = min(LONGEST_BACKOFF_S, policy.first_delay_s * 2.0 ** min(spent, MOST_DOUBLINGS))
    return min(1.0, wait_ns / 1e9 / most_s) if most_s else 0.0
