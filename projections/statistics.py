"""What all of it comes to: how often everything happened, how many bytes, how long it took.

    sc ‖ word(name) ‖ word(label)        → u64       how often, or how many bytes; the label of most is empty
    sg ‖ word(name)                      → u64       what there is at the moment
    st ‖ word(name) ‖ bucket (u64)       → u64       durations: how many lie in each bucket of `BUCKETS_S`
    si ‖ id                              → (empty)   was interrupted by an engine's end, and has not ended since

and, in `shares`, figures by host and by day. Each counter is a sum over the facts, each gauge a sum over the states of
the downloads, so neither depends on how the log is cut into batches, nor on who folds it.

Bytes are those that became durable. `refetched` are those among them that only made up for what had been held before;
a worker that cannot have an old part's lock, and copies it, receives these bytes anew for all that the log tells.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from lading.domain import events as e
from lading.domain import spans, stops
from lading.domain.download import Download
from lading.domain.facts import Fact
from lading.domain.states import ENDED, RUNNING, STOPPING, State
from lading.projections import history, queue
from lading.projections.batch import Batch, Change
from lading.projections.keys import number, word
from lading.projections.shares import Shares

COUNTER, GAUGE, TIMED, INTERRUPTED = b"sc", b"sg", b"st", b"si"
BUCKETS_S = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 21_600.0, 86_400.0)
"""The upper ends of the buckets of durations, in seconds; one more holds what is longer."""
_BUCKETS_NS = tuple(int(end_s * 1e9) for end_s in BUCKETS_S)
DOWNLOADS, ATTEMPTS = "downloads", "attempts"
"""The durations: of downloads from their first start to their completion, and of attempts."""
OF_ENGINES = (
    e.EngineOpened,
    e.EngineClosed,
    e.QueuePaused,
    e.QueueBlocked,
    e.BundleOpened,
    e.BundlePublished,
    e.BundleFailed,
    e.Undone,
    e.Redone,
)
"""Facts of no download that are counted as such; `Recovered` and `Maintained` tell numbers themselves."""
RECOVERED = ("interrupted", "resumable", "published", "vanished", "cleaned", "bytes_vouched", "bytes_discarded")
MAINTAINED = ("failures", "orphans", "quarantined", "evicted", "invalidated", "bytes_reclaimed")

_UNDER_WAY = RUNNING | STOPPING
_ATTEMPT_ENDS = frozenset({e.Completed, e.Failed, e.RetryScheduled, e.Blocked, e.Stopped})


@functools.lru_cache(maxsize=1024)
def counter(name: str, label: str = "") -> bytes:
    """Return the key of a counter; labels are words of ours, of which there are few."""
    return COUNTER + word(name) + word(label)


@functools.lru_cache(maxsize=1024)
def gauge(name: str) -> bytes:
    """Return the key of a gauge."""
    return GAUGE + word(name)


_TIMED = {
    name: (
        [TIMED + word(name) + number(bucket) for bucket in range(len(BUCKETS_S) + 1)],
        counter(f"{name}_ns"),
    )
    for name in (DOWNLOADS, ATTEMPTS)
}
"""Of each duration the keys of its buckets, and that of the sum."""


class _Tally:
    """What a batch adds."""

    def __init__(self) -> None:
        self.rows: defaultdict[bytes, int] = defaultdict(int)
        self.shares = Shares()

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Add to a counter."""
        self.rows[counter(name, label)] += amount

    def time(self, name: str, took_ns: int) -> None:
        """Note a duration; one during which the clock stepped back counts as none."""
        took_ns = max(0, took_ns)
        keys, total = _TIMED[name]
        self.rows[keys[bisect_left(_BUCKETS_NS, took_ns)]] += 1
        self.rows[total] += took_ns

    def receive(self, fact: Fact, before: Download, size: int) -> None:
        """Note bytes that became durable, and which of them only made up for what had been held before."""
        if size > 0:
            held = before.received
            self.add("received_bytes", amount=size)
            again = min(held + size, before.best) - held
            if again > 0:
                self.add("refetched_bytes", amount=again)
            self.shares.receive(queue.host(before), fact, size)


def apply(batch: Batch, changes: Sequence[Change]) -> None:
    """Count what happened to downloads."""
    tally = _Tally()
    for change in changes:
        _take(batch, tally, change)
        _weigh(tally, change.before, -1)
        _weigh(tally, change.after, 1)
    for key, amount in tally.rows.items():
        batch.count(key, amount)
    tally.shares.write(batch)


def observe(batch: Batch, facts: Sequence[Fact]) -> None:
    """Count what happened to bundles, engines and the queue."""
    for fact in facts:
        event = fact.event
        match event:
            case e.Recovered():
                _add_fields(batch, "recovered", event, RECOVERED)
            case e.Maintained():
                _add_fields(batch, "maintained", event, MAINTAINED)
            case e.QueueBlocked():
                batch.count(counter("QueueBlocked", event.reason), 1)
            case _ if isinstance(event, OF_ENGINES):
                batch.count(counter(type(event).__name__), 1)
            case _:
                continue


def _add_fields(batch: Batch, name: str, event: e.Event, fields: Sequence[str]) -> None:
    batch.count(counter(name), 1)
    for field in fields:
        batch.count(counter(name, field), getattr(event, field))


def _weigh(tally: _Tally, download: Download | None, sign: int) -> None:
    """Add to the gauges what a download has on the disk that is not its published file."""
    if download is None:
        return
    if download.durable:
        tally.rows[gauge("partial_bytes")] += sign * spans.size(download.durable)
        tally.rows[gauge("partial_downloads")] += sign
    if download.quarantined_until_ns is not None:
        kept = (download.total or 0) if download.kept is not None else 0
        tally.rows[gauge("quarantined_bytes")] += sign * (kept + spans.size(download.durable))
        tally.rows[gauge("quarantined_downloads")] += sign


def _take(batch: Batch, tally: _Tally, change: Change) -> None:
    """Count the steps of one download, and follow its attempts and its interruptions through them."""
    began_ns: int | None = None
    interrupted: bool | None = None
    for fact, before, after in change.steps:
        kind = type(fact.event)
        if before is None:
            tally.add("queued")
            continue
        if kind is e.Started:
            began_ns = fact.at_ns
        elif kind in _ATTEMPT_ENDS and before.state in _UNDER_WAY:
            if began_ns is None:
                began_ns = history.began_ns(batch, change.id, before.attempt)
            tally.time(ATTEMPTS, fact.at_ns - began_ns)
        if isinstance(fact.event, e.Stopped) and before.state in RUNNING:
            how = stops.INTERRUPTIONS.get(fact.event.reason)
            if how is not None:
                tally.add("interrupted", how)
                interrupted = True
        elif after.state in ENDED and before.state not in ENDED and before.attempt:
            # what ends by its own first attempt was never stopped before
            if interrupted is None and (before.attempt > 1 or before.state not in _UNDER_WAY):
                interrupted = batch.get(INTERRUPTED + change.id.bytes) is not None
            if interrupted:
                tally.add("ended_after_interruption", after.state.value)
                interrupted = False
                batch.delete(INTERRUPTED + change.id.bytes)
        _count(tally, fact, before, after)
    if interrupted:
        batch.put(INTERRUPTED + change.id.bytes, b"")


def _count(tally: _Tally, fact: Fact, before: Download, after: Download) -> None:
    """Count one step of a download that was queued before."""
    event = fact.event
    match event:
        case e.Started():
            tally.add("attempts")
            tally.shares.start(queue.host(after), fact)
            if event.resumed_from:
                tally.add("resumed")
                tally.add("resumed_bytes", amount=event.resumed_from)
        case e.Progressed():
            tally.receive(fact, before, after.received - before.received)
        case e.Completed():
            _count_completed(tally, fact, event, before)
        case e.Failed():
            _count_failed(tally, fact, event, before)
        case e.RetryScheduled():
            tally.add("retries", event.cause)
            tally.shares.retry(fact)
        case e.Restarted():
            tally.add("discarded_bytes", "restarted", event.discarded)
        case e.PieceRejected():
            tally.add("discarded_bytes", "rejected", before.received - after.received)
        case e.Discarded():
            whole = before.state is State.COMPLETED or before.assurance is not None
            tally.add("discarded_bytes", "removed" if whole else "given-up", event.size)
        case _:
            name, field = _PLAIN.get(type(event), (None, None))
            if name is not None:
                tally.add(name, getattr(event, field) if field is not None else "")


def _count_completed(tally: _Tally, fact: Fact, event: e.Completed, before: Download) -> None:
    tally.add("completed", event.assurance)
    if event.cached:
        tally.add("cached_bytes", amount=event.size)
    else:
        tally.receive(fact, before, event.size - before.received)
    if before.cause is not None:
        tally.add("completed_after_retry", before.cause)
    if before.started_at_ns is not None:
        tally.time(DOWNLOADS, fact.at_ns - before.started_at_ns)
    tally.shares.end(queue.host(before), fact, completed=True)


def _count_failed(tally: _Tally, fact: Fact, event: e.Failed, before: Download) -> None:
    tally.add("failed", event.cause)
    if before.cause is not None:
        tally.add("failed_after_retry", before.cause)
    tally.shares.end(queue.host(before), fact, completed=False)


_PLAIN: dict[type[e.Event], tuple[str, str | None]] = {
    e.Blocked: ("blocked", "reason"),
    e.FellBack: ("fell_back", "cause"),
    e.Degraded: ("degraded", "feature"),
    e.Cancelled: ("cancelled", None),
    e.Removed: ("removed", None),
    e.ResourceChanged: ("resource_changed", None),
    e.Quarantined: ("quarantined", None),
    e.Restored: ("restored", None),
    e.Returned: ("restored", None),
    e.Invalidated: ("invalidated", None),
}
"""Counters of events that need no more than that; beside them the field that is their label."""
