"""Decisions: what an engine decided, told the same way of a record and of a simulation, so that both can be compared.

A download's attempt starts at some time, from some source; what follows its end is decided: that is retried, after
which delay, or that it failed, or waits for something. What blocks the queue, and what is let go on, is decided too.
What the world did (how fast bytes came, that a server failed) is none of it, nor is what people asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain import stops
from lading.projections.fold import OF_DOWNLOADS
from lading.tools.simulator.redaction import OTHER

START, END, WAIT, QUEUE = KINDS = "start", "end", "wait", "queue"

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

    Waiting is from when a download could have started to when it did, as far as an engine was at work. The makespan is
    from when the first download was queued to when an attempt ended last, or somebody gave a download up; where nothing
    has come to that, there is none.
    """

    downloads: int = 0
    completed: int = 0
    failed: int = 0
    attempts: int = 0
    retries: int = 0
    waiting_ns: int = 0
    refetched: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    def end(self, at_ns: int) -> None:
        """Take in that something ended."""
        self.last_ns = at_ns if self.last_ns is None else max(self.last_ns, at_ns)

    @property
    def makespan_ns(self) -> int | None:
        """How long it took, None where nothing has ended."""
        if self.first_ns is None or self.last_ns is None:
            return None
        return max(0, self.last_ns - self.first_ns)

    def row(self, scale: int = 1) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "downloads": self.downloads,
            "completed": self.completed,
            "failed": self.failed,
            "unfinished": self.downloads - self.completed - self.failed,
            "attempts": self.attempts,
            "retries": self.retries,
            "makespan": None if self.makespan_ns is None else seconds(self.makespan_ns),
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
                self.sums.end(at_ns)
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
                self.sums.end(at_ns)
            return
        of.is_running = False
        if not isinstance(event, e.Stopped):
            self.sums.end(at_ns)
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


def seconds(nanoseconds: int) -> float:
    """Return nanoseconds as seconds, to the microsecond."""
    return round(nanoseconds / 1e9, 6)
