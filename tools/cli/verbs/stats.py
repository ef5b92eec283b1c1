"""`lading stats`: what all of it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.domain.ports import Reader
    from lading.projections.figures import Durations, Statistics

GROUPINGS = ("host", "cause", "day")
"""`lading.projections.figures.GROUPINGS`, which a test holds equal; written out so that help needs no views."""
_COLUMNS = {
    "host": ("host", "attempts", "completed", "failed", "received_bytes"),
    "cause": ("cause", "failed", "retries", "completed_after_retry", "blocked"),
    "day": ("day", "completed", "failed", "retries", "received_bytes"),
}


@verb()
@click.option("--by", type=click.Choice(GROUPINGS), help="Instead, a row for each host, cause or day (UTC).")
@click.option("--openmetrics", is_flag=True, help="As OpenMetrics text, for Prometheus and its kin.")
def command(frame: Frame, by: str | None, *, openmetrics: bool) -> None:
    """Show what all of it comes to: counts, rates, bytes and durations."""
    from lading.domain.errors import UsageError
    from lading.projections import figures
    from lading.tools.cli.answers import write_json
    from lading.tools.cli.homes import looking

    if openmetrics and (frame.json or by is not None):
        raise UsageError("--openmetrics is a form of its own", hint="leave out --json and --by")
    with looking(frame) as reading, reading.views.read() as reader:
        if openmetrics:
            click.echo(_metrics(reader), nl=False)
        elif by is not None:
            _say_rows(frame, by, figures.grouped(reader, by))
        elif frame.json:
            write_json(figures.read(reader).asdict())
        else:
            for line in _lines(figures.read(reader)):
                click.echo(line)


def _metrics(reader: Reader) -> str:
    from lading.projections import figures, openmetrics, queue, roster

    return openmetrics.text(
        openmetrics.of_statistics(figures.read(reader), roster.counts(reader), queue.reasons(reader))
    )


def _say_rows(frame: Frame, by: str, rows: Iterable[Mapping[str, Any]]) -> None:
    from lading.tools.cli import tables, units
    from lading.tools.cli.answers import note, write_json

    if frame.json:
        for row in rows:
            write_json(row)
        return
    names = _COLUMNS[by]
    columns = [
        tables.Column(
            name.removesuffix("_bytes").replace("_", " ").upper(), right=number > 0, least=0 if number else 14
        )
        for number, name in enumerate(names)
    ]
    cells = ([units.size(row[name]) if name.endswith("_bytes") else row[name] for name in names] for row in rows)
    if not tables.show(columns, cells):
        note(frame, "nothing has happened yet")


def _lines(s: Statistics) -> Iterator[str]:
    """Yield the statistics for people, one subject a line."""
    from lading.tools.cli.units import size

    yield _line("downloads", f"{s.queued} queued, {s.completed} completed, {s.failed} failed", _share(s.success_rate))
    if s.cancelled or s.removed:
        yield _line("", f"{s.cancelled} cancelled, {s.removed} removed")
    yield _line("attempts", f"{s.attempts}, {s.retries} retries", _counted(s.retries_by_cause))
    if s.failed_by_cause:
        yield _line("failures", _counted(s.failed_by_cause))
    if s.retry_rate is not None:
        ended = s.completed_after_retry + s.failed_after_retry
        yield _line("retried", f"{s.completed_after_retry} of {ended} completed in the end", _share(s.retry_rate))
    if s.interrupted or s.recovery_rate is not None:
        ended = s.completed_after_interruption + s.failed_after_interruption
        told = f"{sum(s.interrupted.values())} attempts, {s.completed_after_interruption} of {ended} completed later"
        yield _line("interrupted", told, _share(s.recovery_rate))
    if s.blocked:
        yield _line("blocked", _counted(s.blocked))
    yield _line("received", size(s.received_bytes), f"{size(s.refetched_bytes)} of it again")
    yield _line("resumed", f"{s.resumed} attempts, {size(s.resumed_bytes)} not fetched again")
    discarded = ", ".join(f"{size(count)} {why}" for why, count in s.discarded_bytes.items())
    yield _line("discarded", size(sum(s.discarded_bytes.values())), discarded)
    yield _line("reclaimed", size(s.reclaimed_bytes))
    yield _line("partial data", f"{size(s.partial_bytes)} of {s.partial_downloads} downloads")
    if s.quarantined_downloads:
        yield _line("quarantine", f"{size(s.quarantined_bytes)} of {s.quarantined_downloads} downloads")
    yield _line("took", _duration(s.took))
    yield _line("an attempt took", _duration(s.attempts_took))
    yield _line("engines", f"{s.engines_opened} opened, {s.engines_closed} closed in good order")


def _line(subject: str, told: str, more: str = "") -> str:
    return f"{subject:<16} {told}" + (f" ({more})" if more else "")


def _share(rate: float | None) -> str:
    from lading.tools.cli.units import percent

    return "" if rate is None else percent(rate * 100)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def _duration(durations: Durations) -> str:
    from lading.tools.cli.units import UNKNOWN, duration

    return f"{duration(durations.sum_s / durations.count)} on average" if durations.count else UNKNOWN
