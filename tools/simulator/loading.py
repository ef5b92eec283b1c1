"""Loading: the events of an incident folded into its record, one after the other.

The downloads are folded by the same `evolve` as everywhere, so a file in which something follows what it cannot follow
is known to be no incident of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from lading.domain import events as e
from lading.domain import requirements, stops
from lading.domain.download import Download
from lading.domain.errors import LogDamaged
from lading.domain.evolving import evolve
from lading.domain.faults import LONGEST_BACKOFF_S, MOST_DOUBLINGS, POLICIES, Cause
from lading.domain.validators import Validator
from lading.projections.fold import OF_DOWNLOADS
from lading.tools.simulator import incident, redaction
from lading.tools.simulator.incident import Line
from lading.tools.simulator.record import (
    Around,
    Ask,
    Closed,
    Item,
    Opened,
    Record,
    Rested,
    Roomy,
    Step,
    Submitted,
    Trial,
)  # fmt: skip

MOST_TRIALS = 10_000
LAST_BREATH_NS = 100_000_000
"""An engine that ended without a word is taken to have lived on for so long after what it said last."""
ASKS = (
    e.Paused, e.Resumed, e.Cancelled, e.Removed, e.Reprioritised, e.LimitChanged, e.FinishRequested, e.Restored,
)  # fmt: skip
"""What people ask of a download; everything else is the engine's."""
ENDS = (e.Completed, e.Failed, e.RetryScheduled, e.Blocked, e.Stopped)


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
    if cause not in POLICIES:
        raise incident.damaged("something was tried again for a cause that there is not")
    policy = POLICIES[Cause(cause)]
    most_s = min(LONGEST_BACKOFF_S, policy.first_delay_s * 2.0 ** min(spent, MOST_DOUBLINGS))
    return min(1.0, wait_ns / 1e9 / most_s) if most_s else 0.0
