"""Decisions: what an engine decided, told the same way of a record and of a simulation, so that both can be compared.

A download's attempt starts at some time, from some source; what follows its end is decided: that is retried, after
which delay, or that it failed, or waits for something. What blocks the queue, and what is let go on, is decided too.
What the world did (how fast bytes came, that a server failed) is none of it, nor is what people asked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain import stops
from lading.projections.fold import OF_DOWNLOADS
from lading.tools.simulator.redaction import OTHER

NOT_KNOWABLE_S, NOT_KNOWABLE = 0.5, 0.02
"""How long a pass, a commit or a flush took is not in a record. So starts are the same that differ by so many seconds,
or by that share of the time since the beginning, over which it adds up."""
SAME_S = 0.05
"""Two simulations differ by no accident; what they differ by less is how long a pass takes."""
DELAY_S = 0.01
TIE_S = 0.02
"""What one pass of the scheduler starts is told in no order, and a pass comes so long after another at most."""
START, END, WAIT, QUEUE = _KINDS = "start", "end", "wait", "queue"

Key = tuple[str, str, int]


@attrs.frozen(kw_only=True)
class Decision:
    """One decision: when, which, and about what."""

    at_ns: int
    what: str
    details: Mapping[str, Any] = attrs.field(factory=dict)

    def row(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"at": seconds(self.at_ns), "what": self.what, **self.details}


@attrs.define(kw_only=True)
class Sums:
    """What a course of things comes to; bytes are as large as in the record, whatever the world was.

    Waiting is from when a download could have started to when it did, as far as an engine was at work.
    """

    downloads: int = 0
    completed: int = 0
    failed: int = 0
    attempts: int = 0
    retries: int = 0
    waiting_ns: int = 0
    refetched: int = 0
    first_ns: int | None = None
    last_ns: int = 0

    def row(self, scale: int = 1) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "downloads": self.downloads,
            "completed": self.completed,
            "failed": self.failed,
            "unfinished": self.downloads - self.completed - self.failed,
            "attempts": self.attempts,
            "retries": self.retries,
            "makespan": seconds(self.last_ns - self.first_ns) if self.first_ns is not None else 0.0,
            "waiting": seconds(self.waiting_ns),
            "bytes_refetched": self.refetched * scale,
        }


@attrs.define
class _Of:
    """One download under way: its attempts, since when it could have started, and how it stands."""

    attempts: int = 0
    ready_ns: int | None = None
    is_running: bool = False
    outcome: str | None = None


class Decided:
    """Folds events into decisions and sums; times are in nanoseconds since the beginning."""

    def __init__(self) -> None:
        self.decisions: dict[Key, Decision] = {}
        self.sums = Sums()
        self._of: dict[UUID, _Of] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._fell_back: dict[UUID, int] = {}
        self._opened_ns = 0

    def take(self, at_ns: int, stream: UUID, event: e.Event, base_ns: int = 0) -> None:
        """Fold one event; `base_ns` is what times within it are counted from."""
        if type(event) in OF_DOWNLOADS:
            self._of_download(at_ns, stream, event, base_ns)
            return
        match event:
            case e.QueueBlocked() | e.QueueUnblocked():
                what = "blocked" if isinstance(event, e.QueueBlocked) else "unblocked"
                decision = Decision(at_ns=at_ns, what=what, details={"reason": event.reason})
                self._add(QUEUE, f"{event.reason} {what}", decision)
            case e.EngineOpened():
                self._opened_ns = at_ns
            case _:
                pass

    def _of_download(self, at_ns: int, id: UUID, event: e.Event, base_ns: int) -> None:
        of = self._of.setdefault(id, _Of())
        match event:
            case e.Queued():
                self.sums.downloads += 1
                self.sums.first_ns = at_ns if self.sums.first_ns is None else min(self.sums.first_ns, at_ns)
                of.ready_ns = at_ns
            case e.Started():
                self._started(at_ns, id, of, event)
            case e.FellBack():
                self._fell_back[id] = event.source
            case e.Restarted():
                self.sums.refetched += event.discarded
            case e.PieceRejected():
                self.sums.refetched += max(0, event.end - event.start)
            case e.Unblocked():
                decision = Decision(at_ns=at_ns, what="unblocked", details={"reason": event.reason})
                self._add(WAIT, f"{id.hex} unblocked", decision)
                of.ready_ns = at_ns
            case e.Resumed() | e.Restored():
                self._settle(of, None)
                of.ready_ns = at_ns
            case e.Paused() | e.Cancelled() | e.Removed():
                of.ready_ns = None
                self.sums.last_ns = max(self.sums.last_ns, at_ns)
            case _ if isinstance(event, e.Completed | e.Failed | e.RetryScheduled | e.Blocked | e.Stopped):
                self._ended(at_ns, id, of, event, base_ns)
            case _:
                pass

    def _started(self, at_ns: int, id: UUID, of: _Of, event: e.Started) -> None:
        of.attempts += 1
        of.is_running = True
        self._settle(of, None)
        if of.ready_ns is not None:
            self.sums.waiting_ns += max(0, at_ns - max(of.ready_ns, self._opened_ns))
        of.ready_ns = None
        self.sums.attempts += 1
        key = (START, id.hex, of.attempts)
        self.decisions[key] = Decision(at_ns=at_ns, what="starts", details={"source": event.source})

    def _ended(self, at_ns: int, id: UUID, of: _Of, event: e.Event, base_ns: int) -> None:
        what, details = _told(at_ns, event, base_ns)
        if not of.is_running:
            if isinstance(event, e.Blocked) and event.reason != OTHER:  # as what waited before the range
                self._add(WAIT, f"{id.hex} blocked", Decision(at_ns=at_ns, what=what, details=details))
                of.ready_ns = None
            elif isinstance(event, e.Completed):  # a member that waited for its bundle
                self._settle(of, "completed")
            return
        of.is_running = False
        if not isinstance(event, e.Stopped):
            self.sums.last_ns = max(self.sums.last_ns, at_ns)
        source = self._fell_back.pop(id, None)
        if source is not None:
            details["source"] = source
        match event:
            case e.RetryScheduled():
                self.sums.retries += 1
                of.ready_ns = max(0, event.not_before_ns - base_ns)
            case e.Stopped():
                of.ready_ns = at_ns
            case e.Completed():
                self._settle(of, "completed")
            case e.Failed():
                self._settle(of, "failed")
            case _:
                pass
        self.decisions[END, id.hex, of.attempts] = Decision(at_ns=at_ns, what=what, details=details)

    def _settle(self, of: _Of, outcome: str | None) -> None:
        """Count a download among those that ended so, or among none any more."""
        for before, amount in ((of.outcome, -1), (outcome, 1)):
            if before == "completed":
                self.sums.completed += amount
            elif before == "failed":
                self.sums.failed += amount
        of.outcome = outcome

    def _add(self, kind: str, owner: str, decision: Decision) -> None:
        """Add a decision that may be made again and again."""
        self._counts[kind, owner] += 1
        self.decisions[kind, owner, self._counts[kind, owner]] = decision


def _told(at_ns: int, event: e.Event, base_ns: int) -> tuple[str, dict[str, Any]]:
    match event:
        case e.RetryScheduled():
            delay_s = seconds(max(0, event.not_before_ns - base_ns - at_ns))
            return "retries", {"cause": str(event.cause), "delay": delay_s, "whole_host": event.whole_host}
        case e.Failed():
            return "fails", {"cause": str(event.cause)}
        case e.Blocked():
            return "blocked", {"reason": event.reason}
        case e.Stopped():
            reason = "the engine ended" if event.reason in stops.INTERRUPTIONS else event.reason
            return "stopped", {"reason": reason}
        case _:
            return "completed", {}


class Row(NamedTuple):
    """One decision as it was recorded, as it comes out under the recorded settings, and as it would have been."""

    key: Key
    recorded: Decision | None
    again: Decision | None
    simulated: Decision | None
    differs: bool

    @property
    def at_ns(self) -> int:
        """When it was made, or would have been."""
        made = self.simulated if self.recorded is None else self.recorded
        return 0 if made is None else made.at_ns


def rows(recorded: Decided, again: Decided, simulated: Decided | None, *, last_ns: int) -> list[Row]:
    """Return every decision, in the order of time.

    Without other settings a row differs where the simulation does not come to what was recorded; with them, where that
    changes what it comes to: so what is not knowable is not taken for what they do.
    """
    others = again if simulated is None else simulated
    found = []
    for key in recorded.decisions.keys() | again.decisions.keys() | others.decisions.keys():
        told = recorded.decisions.get(key)
        one, other = again.decisions.get(key), others.decisions.get(key)
        if simulated is None:
            differs = not _is_again(told, one) and not _is_beyond(told, one, last_ns)
        else:
            differs = not agree(one, other, SAME_S)
        found.append(Row(key, told, one, other, differs))
    return sorted(found, key=lambda row: (row.at_ns, _KINDS.index(row.key[0]), row.key))


def _is_again(recorded: Decision | None, simulated: Decision | None) -> bool:
    """Tell whether a simulation comes to what was recorded, within what is not knowable."""
    passed_s = 0.0 if recorded is None else recorded.at_ns / 1e9
    return agree(recorded, simulated, max(NOT_KNOWABLE_S, NOT_KNOWABLE * passed_s))


def agree(one: Decision | None, other: Decision | None, within_s: float) -> bool:
    """Tell whether two decisions are the same; starts also by when, since that is what is decided."""
    if one is None or other is None:
        return one is other
    if one.what != other.what or abs(one.details.get("delay", 0.0) - other.details.get("delay", 0.0)) > DELAY_S:
        return False
    if one.what == "starts" and abs(one.at_ns - other.at_ns) > within_s * 1e9:
        return False
    names = (one.details.keys() | other.details.keys()) - {"delay"}
    return all(one.details.get(name) == other.details.get(name) for name in names)


def fidelity(recorded: Decided, again: Decided, *, last_ns: int) -> dict[str, Any]:
    """Return how well a simulation under the recorded settings agrees with the record, from 0 to 1, part by part.

    Each decision of either counts once, those apart that the record ends before. `order` is the share of starts that
    come in the same order; two that began within one pass have none.
    """
    agreed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for key in recorded.decisions.keys() | again.decisions.keys():
        one, other = recorded.decisions.get(key), again.decisions.get(key)
        if _is_beyond(one, other, last_ns):
            continue
        kind = key[0] if key[0] != END else "ends"
        if key[0] == END and "retries" in {made.what for made in (one, other) if made is not None}:
            kind = "retries"
        kind = {START: "starts", WAIT: "blocks", QUEUE: "blocks"}.get(kind, kind)
        total[kind] += 1
        agreed[kind] += _is_again(one, other)
    shares = {kind: _share(agreed[kind], total[kind]) for kind in ("starts", "retries", "ends", "blocks")}
    return {
        "all": _share(sum(agreed.values()), sum(total.values())),
        "order": _order(recorded, again, last_ns),
        **shares,
        "within": {"seconds": NOT_KNOWABLE_S, "share": NOT_KNOWABLE},
        "decisions": sum(total.values()),
        "agreed": sum(agreed.values()),
    }


def _is_beyond(recorded: Decision | None, simulated: Decision | None, last_ns: int) -> bool:
    """Tell whether a decision would have been made after the record ends, or so close to that that it may have been."""
    return recorded is None and simulated is not None and simulated.at_ns >= last_ns - NOT_KNOWABLE_S * 1e9


def _order(recorded: Decided, again: Decided, last_ns: int) -> float | None:
    """Return the share of starts that come in the same order: nothing that came clearly before one comes after it."""
    starts = {key: made for key, made in again.decisions.items() if key[0] == START}
    told = {key: made for key, made in recorded.decisions.items() if key[0] == START}
    both = sorted((made.at_ns, starts[key].at_ns) for key, made in told.items() if key in starts)
    alone = sum(key not in starts for key in told)
    alone += sum(not _is_beyond(told.get(key), made, last_ns) for key, made in starts.items() if key not in told)
    return _share(sum(_in_order(both)), len(both) + alone)


def _in_order(times: Sequence[tuple[int, int]]) -> Iterator[bool]:
    """Tell of each pair of times, sorted by the first, whether all others lie on the same side of it in both."""
    firsts = [one for one, _ in times]
    latest = list(accumulate((other for _, other in times), max))
    earliest = list(accumulate((other for _, other in reversed(times)), min))[::-1]
    tie_ns = int(TIE_S * 1e9)
    for one, other in times:
        before, after = bisect_left(firsts, one - tie_ns), bisect_right(firsts, one + tie_ns)
        is_late = before > 0 and latest[before - 1] > other + tie_ns
        is_early = after < len(times) and earliest[after] < other - tie_ns
        yield not is_late and not is_early


def _share(part: int, whole: int) -> float | None:
    """Return a share, rounded down: what is not all of it is never said to be."""
    return int(part / whole * 10_000) / 10_000 if whole else None


def seconds(nanoseconds: int) -> float:
    """Return nanoseconds as seconds, to the microsecond."""
    return round(nanoseconds / 1e9, 6)
