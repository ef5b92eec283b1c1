"""Metrics as OpenMetrics 1.0 text, which Prometheus and its kin read: for a textfile collector, a cron job, a page.

Counters end in `_total` and units are base units, as the specification wants it. No label has more values than there
are words in our own vocabulary, so hosts are left out; the text ends with `# EOF`, by which a cut one is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple

from lading.domain.health import Health
from lading.projections.figures import Durations, Statistics

Labels = Mapping[str, str]
Number = int | float


class Family(NamedTuple):
    """A metric: its name without suffixes, its type, what it means, and its samples by label; a unit ends the name."""

    name: str
    kind: str
    help: str
    samples: tuple[tuple[Labels, Number], ...] | Durations
    unit: str = ""


def text(families: Iterable[Family]) -> str:
    """Return the exposition of these metrics."""
    return "".join(f"{line}\n" for family in families for line in _lines(family)) + "# EOF\n"


def _lines(family: Family) -> Iterator[str]:
    yield f"# TYPE {family.name} {family.kind}"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    yield f"# HELP {family.name} {_escaped(family.help)}"
    if isinstance(family.samples, Durations):
        yield from _histogram(family.name, family.samples)
        return
    suffix = "_total" if family.kind == "counter" else ""
    for labels, value in family.samples:
        yield f"{family.name}{suffix}{_labels(labels)} {value}"


def _histogram(name: str, durations: Durations) -> Iterator[str]:
    counts = accumulate(durations.buckets.values())
    for end, count in zip(durations.buckets, counts, strict=True):
        yield f"{name}_bucket{_labels({'le': '+Inf' if end == 'inf' else end})} {count}"
    yield f"{name}_count {durations.count}"
    yield f"{name}_sum {durations.sum_s}"


def _labels(labels: Labels) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _plain(value: Number) -> tuple[tuple[Labels, Number], ...]:
    return (({}, value),)


def _by(label: str, counts: Mapping[str, Number]) -> tuple[tuple[Labels, Number], ...]:
    return tuple(({label: name}, count) for name, count in sorted(counts.items()))


def of_statistics(s: Statistics, states: Mapping[str, int], blocked: Mapping[str, int]) -> Iterator[Family]:
    """Yield the metrics of a home: its statistics, how many downloads are in each state, and how many are blocked."""
    yield Family("lading_queued", "counter", "Downloads that were asked for.", _plain(s.queued))
    yield Family("lading_attempts", "counter", "Attempts that started.", _plain(s.attempts))
    yield Family(
        "lading_completed",
        "counter",
        "Downloads that completed, by what vouches for them.",
        _by("assurance", s.completed_by_assurance),
    )
    yield Family("lading_failed", "counter", "Downloads that failed, by cause.", _by("cause", s.failed_by_cause))
    yield Family("lading_cancelled", "counter", "Downloads that were cancelled.", _plain(s.cancelled))
    yield Family("lading_removed", "counter", "Downloads that were removed.", _plain(s.removed))
    yield Family("lading_retries", "counter", "Retries, by cause.", _by("cause", s.retries_by_cause))
    yield Family(
        "lading_completed_after_retry",
        "counter",
        "Downloads that completed after an attempt had failed, by its cause.",
        _by("cause", s.completed_after_retry_by_cause),
    )
    yield Family(
        "lading_failed_after_retry",
        "counter",
        "Downloads that failed after an attempt had failed before.",
        _plain(s.failed_after_retry),
    )
    yield Family("lading_interrupted", "counter", "Attempts that an engine's end cut short.", _by("how", s.interrupted))
    yield Family(
        "lading_completed_after_interruption",
        "counter",
        "Downloads that completed after an engine's end had cut them short.",
        _plain(s.completed_after_interruption),
    )
    yield Family(
        "lading_failed_after_interruption",
        "counter",
        "Downloads that failed after an engine's end had cut them short.",
        _plain(s.failed_after_interruption),
    )
    yield Family("lading_blocks", "counter", "How often something was in the way.", _by("reason", s.blocked))
    yield Family("lading_resumed", "counter", "Attempts that went on with bytes of another.", _plain(s.resumed))
    yield Family("lading_engines_opened", "counter", "Engines that were opened.", _plain(s.engines_opened))
    yield Family("lading_engines_closed", "counter", "Engines that closed in good order.", _plain(s.engines_closed))
    yield Family("lading_maintained", "counter", "Files and rows tidied up.", _by("what", _counts(s.maintained)))
    yield Family("lading_recovered", "counter", "What engines found at start.", _by("what", _counts(s.recovered)))
    yield from _of_bytes(s)
    yield Family(
        "lading_download_duration_seconds",
        "histogram",
        "From a download's first start to its completion.",
        s.took,
        "seconds",
    )
    yield Family("lading_attempt_duration_seconds", "histogram", "Of attempts.", s.attempts_took, "seconds")
    yield Family("lading_downloads", "gauge", "Downloads in each state.", _by("state", states))
    yield Family("lading_blocked", "gauge", "Downloads that are blocked, by reason.", _by("reason", blocked))
    yield Family(
        "lading_partial_downloads", "gauge", "Downloads with partial data on the disk.", _plain(s.partial_downloads)
    )


def _of_bytes(s: Statistics) -> Iterator[Family]:
    for name, what, value in (
        ("received", "Bytes that became durable.", s.received_bytes),
        ("refetched", "Bytes that only made up for what had been held before.", s.refetched_bytes),
        ("resumed", "Bytes that attempts did not have to fetch again.", s.resumed_bytes),
        ("cached", "Bytes that came out of the cache.", s.cached_bytes),
        ("reclaimed", "Bytes that tidying up gave back to the disk.", s.reclaimed_bytes),
    ):
        yield Family(f"lading_{name}_bytes", "counter", what, _plain(value), "bytes")
    yield Family(
        "lading_discarded_bytes", "counter", "Bytes that were given up.", _by("why", s.discarded_bytes), "bytes"
    )
    for name, what, value in (
        ("partial", "Bytes on the disk of downloads that are not complete.", s.partial_bytes),
        ("quarantined", "Bytes that are put aside.", s.quarantined_bytes),
    ):
        yield Family(f"lading_{name}_bytes", "gauge", what, _plain(value), "bytes")


def _counts(told: Mapping[str, int]) -> dict[str, int]:
    """Return what was counted in pieces; how many bytes it was has metrics of its own."""
    return {name: count for name, count in told.items() if not name.startswith("bytes")}


def of_health(health: Health) -> Iterator[Family]:
    """Yield the metrics of a checkup; what nobody could know has no sample."""
    v, levels = health.vitals, {"ok": 0, "warn": 1, "fail": 2}
    worst: dict[str, int] = {}
    for finding in health.findings:
        worst[finding.check] = max(levels[finding.status.value], worst.get(finding.check, 0))
    yield Family("lading_health", "gauge", "What was found: 0 is fine, 1 a warning, 2 a failure.", _by("check", worst))
    yield Family("lading_engine_working", "gauge", "Whether an engine owns the home.", _plain(int(v.working)))
    yield Family("lading_queue_paused", "gauge", "Whether the queue is paused.", _plain(int(v.paused)))
    yield Family("lading_log_position", "gauge", "Position of the last event in the log.", _plain(v.position))
    yield Family("lading_view_lag", "gauge", "Events that the views lacked when they were asked.", _plain(v.lag))
    yield Family("lading_log_size_bytes", "gauge", "What the log occupies.", _known(v.log_bytes), "bytes")
    if v.signed is not None:
        new = max(0, v.signed.events - v.signed.signed)
        yield Family("lading_unsigned_events", "gauge", "Events since the last checkpoint.", _plain(new))
    yield Family("lading_secrets_to_shred", "gauge", "Downloads with secrets still to be shredded.", _plain(v.to_shred))
    rooms = {"home": v.home.free_bytes} if v.home is not None else {}
    rooms |= {space.folder: space.free_bytes for space in v.folders}
    free = {folder: count for folder, count in rooms.items() if count is not None}
    yield Family("lading_free_bytes", "gauge", "Free where home and folders lie.", _by("folder", free), "bytes")
    p = v.process
    if p is not None:
        yield Family("lading_process_resident_bytes", "gauge", "Resident memory.", _known(p.resident_bytes), "bytes")
        yield Family("lading_process_own_bytes", "gauge", "Memory of its own.", _known(p.own_bytes), "bytes")
        yield Family("lading_process_cpu_seconds", "counter", "Processor time.", _known(p.cpu_s), "seconds")
        yield Family("lading_process_open_files", "gauge", "Open files.", _known(p.open_files))
        yield Family("lading_process_most_files", "gauge", "Open files that it may have.", _known(p.most_files))
        yield Family("lading_process_threads", "gauge", "Threads.", _known(p.threads))


def _known(value: Number | None) -> tuple[tuple[Labels, Number], ...]:
    return () if value is None else _plain(value)
