"""The statistics as people and programs read them: what the counters of `statistics` come to, with rates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from lading.domain.ports import Reader
from lading.projections import shares, statistics
from lading.projections.keys import read_number, read_word, word

GROUPINGS = ("host", "cause", "day")
"""By what the statistics can be told apart."""
_EPOCH = dt.date(1970, 1, 1)

Counts = Mapping[str, int]


@attrs.frozen(kw_only=True)
class Durations:
    """How long things took: how many there were, seconds in all, and how many took at most so many seconds each.

    `buckets` has the upper ends in seconds as text, `0.1` to `86400.0` and `inf`, and beside each how many lie between
    it and the one before.
    """

    count: int
    sum_s: float
    buckets: Counts


@attrs.frozen(kw_only=True)
class Statistics:
    """What all of it comes to, from the first event of the log on; counts, sizes in bytes, rates from 0 to 1.

    A rate is None where nothing has happened that it could be of.

    Attributes:
        success_rate: of the downloads that completed or failed, the share that completed.
        retry_rate: of those that did so after an attempt had failed, the share that completed.
        recovery_rate: of those that did so after an engine's end had cut them short, the share that completed.
        blocked: how often something was in the way, by reason.
        interrupted: how often an engine's end cut an attempt short, by how: crash, close or full-log.
        resumed, resumed_bytes: attempts that went on with bytes of an earlier one, and how many they were spared.
        received_bytes: what became durable; `refetched_bytes` of it had been held before.
        discarded_bytes: what was given up, by why: restarted, rejected (a piece), given-up, removed (a whole file).
        partial_bytes, partial_downloads: what is on the disk at this moment of downloads that are not complete.
        quarantined_bytes, quarantined_downloads: what is put aside there at this moment.
        reclaimed_bytes: what tidying up gave back to the disk.
        took: durations of completed downloads, from their first start on, pauses and waits included.
        attempts_took: durations of attempts, whatever came of them.
        recovered, maintained: sums over what engines said that they had found or tidied up; `times` is how often.
    """

    queued: int
    attempts: int
    completed: int
    failed: int
    cancelled: int
    removed: int
    retries: int
    success_rate: float | None
    retry_rate: float | None
    recovery_rate: float | None
    completed_by_assurance: Counts
    failed_by_cause: Counts
    retries_by_cause: Counts
    fell_back_by_cause: Counts
    completed_after_retry: int
    completed_after_retry_by_cause: Counts
    failed_after_retry: int
    interrupted: Counts
    completed_after_interruption: int
    failed_after_interruption: int
    blocked: Counts
    degraded: Counts
    received_bytes: int
    refetched_bytes: int
    resumed: int
    resumed_bytes: int
    cached_bytes: int
    discarded_bytes: Counts
    reclaimed_bytes: int
    partial_bytes: int
    partial_downloads: int
    quarantined_bytes: int
    quarantined_downloads: int
    resource_changed: int
    quarantined: int
    restored: int
    invalidated: int
    took: Durations
    attempts_took: Durations
    engines_opened: int
    engines_closed: int
    recovered: Counts
    maintained: Counts
    queue_paused: int
    queue_blocked: Counts
    bundles: Counts
    undone: int
    redone: int

    def asdict(self) -> dict[str, Any]:
        """Return them as `lading stats --json` shows them."""
        return attrs.asdict(self)


def read(reader: Reader) -> Statistics:
    """Return the statistics as far as the views have come."""
    held = _Held(reader)
    completed, failed = held.by("completed"), held.by("failed")
    after_retry, ended = held.by("completed_after_retry"), held.by("ended_after_interruption")
    failed_after_retry = sum(held.by("failed_after_retry").values())
    recovered = {"times": held.one("recovered"), **{n: held.one("recovered", n) for n in statistics.RECOVERED}}
    recovered_later = ended.get("completed", 0) + recovered["published"]
    retries = held.by("retries")
    return Statistics(
        **{name: held.one(name) for name in _COUNTERS},
        **{name: held.gauge(name) for name in _GAUGES},
        completed=sum(completed.values()),
        failed=sum(failed.values()),
        retries=sum(retries.values()),
        success_rate=_rate(sum(completed.values()), sum(failed.values())),
        retry_rate=_rate(sum(after_retry.values()), failed_after_retry),
        recovery_rate=_rate(recovered_later, ended.get("failed", 0)),
        completed_by_assurance=completed,
        failed_by_cause=failed,
        retries_by_cause=retries,
        fell_back_by_cause=held.by("fell_back"),
        completed_after_retry=sum(after_retry.values()),
        completed_after_retry_by_cause=after_retry,
        failed_after_retry=failed_after_retry,
        interrupted=held.by("interrupted"),
        completed_after_interruption=recovered_later,
        failed_after_interruption=ended.get("failed", 0),
        blocked=held.by("blocked"),
        degraded=held.by("degraded"),
        discarded_bytes=held.by("discarded_bytes"),
        reclaimed_bytes=held.one("maintained", "bytes_reclaimed"),
        took=held.durations(statistics.DOWNLOADS),
        attempts_took=held.durations(statistics.ATTEMPTS),
        engines_opened=held.one("EngineOpened"),
        engines_closed=held.one("EngineClosed"),
        recovered=recovered,
        maintained={"times": held.one("maintained"), **{n: held.one("maintained", n) for n in statistics.MAINTAINED}},
        queue_paused=held.one("QueuePaused"),
        queue_blocked=held.by("QueueBlocked"),
        bundles={name.lower(): held.one(f"Bundle{name}") for name in ("Opened", "Published", "Failed")},
        undone=held.one("Undone"),
        redone=held.one("Redone"),
    )


_COUNTERS = (
    "queued",
    "attempts",
    "cancelled",
    "removed",
    "received_bytes",
    "refetched_bytes",
    "resumed",
    "resumed_bytes",
    "cached_bytes",
    "resource_changed",
    "quarantined",
    "restored",
    "invalidated",
)
_GAUGES = ("partial_bytes", "partial_downloads", "quarantined_bytes", "quarantined_downloads")


class _Held:
    """All counters of a look at the views."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._counts: dict[str, dict[str, int]] = {}
        for key, value in reader.scan(statistics.COUNTER):
            rest = key[len(statistics.COUNTER) :]
            name, label = read_word(rest), read_word(rest[1 + rest[0] :])
            self._counts.setdefault(name, {})[label] = read_number(value)

    def one(self, name: str, label: str = "") -> int:
        return self.by(name).get(label, 0)

    def by(self, name: str) -> dict[str, int]:
        return self._counts.get(name, {})

    def gauge(self, name: str) -> int:
        value = self._reader.get(statistics.gauge(name))
        return 0 if value is None else read_number(value)

    def durations(self, name: str) -> Durations:
        prefix = statistics.TIMED + word(name)
        found = {read_number(key[len(prefix) :]): read_number(value) for key, value in self._reader.scan(prefix)}
        ends = [str(end_s) for end_s in statistics.BUCKETS_S] + ["inf"]
        return Durations(
            count=sum(found.values()),
            sum_s=self.one(f"{name}_ns") / 1e9,
            buckets={end: found.get(number, 0) for number, end in enumerate(ends)},
        )


def _rate(good: int, bad: int) -> float | None:
    return good / (good + bad) if good + bad else None


def grouped(reader: Reader, by: str) -> Iterator[dict[str, Any]]:
    """Walk the statistics by host, by cause of what went wrong, or by day (UTC), the latest first.

    Args:
        reader: a look at the views.
        by: one of `GROUPINGS`.
    """
    if by == "host":
        for row in shares.by_host(reader):
            yield dict(row)
    elif by == "day":
        for day, figures in shares.by_day(reader):
            yield {"day": (_EPOCH + dt.timedelta(days=day)).isoformat(), **figures}
    else:
        held = _Held(reader)
        names = ("failed", "retries", "fell_back", "completed_after_retry", "blocked")
        for cause in sorted({cause for name in names for cause in held.by(name)}):
            yield {"cause": cause, **{name: held.one(name, cause) for name in names}}
