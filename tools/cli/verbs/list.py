"""`lading list`: the downloads, or their totals."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from lading.tools.cli.frame import DOWNLOAD_STATES, Frame, verb

if TYPE_CHECKING:
    from lading.reading import Reading


@verb()
@click.option("--state", type=click.Choice(DOWNLOAD_STATES), metavar="S", help="Only those in this state.")
@click.option("--tag", metavar="T", help="Only those with this tag.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="So many at most.")
@click.option(
    "--total", is_flag=True, help="Instead, what has not ended taken together, and how many are in each state."
)
def command(frame: Frame, state: str | None, tag: str | None, limit: int | None, *, total: bool) -> None:
    """List the downloads in the order in which they were asked for; removed ones only with --state removed."""
    from lading.tools.cli import naming, rows, tables
    from lading.tools.cli.answers import note, write_json
    from lading.tools.cli.homes import looking

    with looking(frame) as reading:
        if total:
            whole = _whole(frame, reading) if state is None and tag is None else _part(reading, state, tag)
            held = reading.hold()
            _say_total(frame, whole | {"paused": held.paused, "blocked": held.blocked})
            _say_held(frame, reading)
            _say_unworked(frame, {name for name, count in whole["states"].items() if count})
            return
        found = _settled(frame, reading.listing(now_ns=time.time_ns(), state=state, tag=tag, limit=limit))
        if frame.json:
            for row in found:
                write_json(row)
            return
        states: set[str] = set()
        cells = (rows.cells(row) for row in _noting(found, states))
        if tables.show(rows.COLUMNS, cells, lambda id: naming.short(reading, UUID(id))):
            _say_unworked(frame, states)
            _say_held(frame, reading)
        else:
            note(frame, "there is nothing to list")


def _settled(frame: Frame, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Pass rows on; what an engine left when it ended without a word has no rate and no time left."""
    from lading.tools.cli.homes import is_abandoned

    abandoned: bool | None = None
    for row in rows:
        if row["rate"] is not None:
            abandoned = is_abandoned(frame, [row["state"]]) if abandoned is None else abandoned
            yield row | {"rate": None, "eta": None} if abandoned else row
        else:
            yield row


def _noting(rows: Iterable[dict[str, Any]], states: set[str]) -> Iterator[dict[str, Any]]:
    """Pass rows on, and note in which states they are."""
    for row in rows:
        states.add(row["state"])
        yield row


def _say_unworked(frame: Frame, states: set[str]) -> None:
    from lading.tools.cli.answers import note
    from lading.tools.cli.homes import unworked

    nobody = None if frame.json else unworked(frame, states)
    if nobody is not None:
        note(frame, nobody)


def _say_held(frame: Frame, reading: Reading) -> None:
    from lading.tools.cli.answers import note

    why = reading.hold().why
    if why is not None:
        note(frame, why)


def _whole(frame: Frame, reading: Reading) -> dict[str, Any]:
    """Return the totals as the views keep them."""
    totals = reading.totals()
    active = _settled(frame, reading.listing(now_ns=time.time_ns(), state="active"))
    return _total(
        downloads=totals.downloads,
        received=totals.received,
        total=None if totals.unsized else totals.total,
        rates=[row["rate"] for row in active],
        states=reading.counts(),
    )


def _part(reading: Reading, state: str | None, tag: str | None) -> dict[str, Any]:
    """Return the totals of those in a state or with a tag."""
    states: dict[str, int] = dict.fromkeys(DOWNLOAD_STATES, 0)
    open_rows: list[tuple[int, int | None, float | None]] = []
    for row in reading.listing(now_ns=time.time_ns(), state=state, tag=tag):
        states[row["state"]] += 1
        if row["state"] not in {"completed", "failed", "cancelled", "removed"}:
            open_rows.append((row["received"], row["total"], row["rate"]))
    totals = [total for _, total, _ in open_rows]
    return _total(
        downloads=len(open_rows),
        received=sum(received for received, _, _ in open_rows),
        total=None if None in totals else sum(total for total in totals if total is not None),
        rates=[rate for _, _, rate in open_rows],
        states=states,
    )


def _total(
    *, downloads: int, received: int, total: int | None, rates: list[float | None], states: dict[str, int]
) -> dict[str, Any]:
    from lading.domain import estimate

    known = [rate for rate in rates if rate is not None]
    rate = sum(known) if known else None
    return {
        "downloads": downloads,
        "active": states["active"],
        "queued": states["queued"],
        "waiting": states["waiting"],
        "received": received,
        "total": total,
        "percent": estimate.percent(received, total),
        "rate": rate,
        "eta": estimate.eta(received, total, rate),
        "states": states,
    }


def _say_total(frame: Frame, row: dict[str, Any]) -> None:
    from lading.tools.cli import units
    from lading.tools.cli.answers import answer

    counts = ", ".join(f"{count} {state}" for state, count in row["states"].items() if count) or "no downloads"
    figures = [units.share(row["received"], row["total"])]
    if row["percent"] is not None:
        figures.append(units.percent(row["percent"]))
    if row["rate"] is not None:
        figures.append(units.rate(row["rate"]))
    figures.append(units.left(row["eta"]) or "time left unknown")
    answer(frame, row, f"{counts}\n{', '.join(figures) if row['downloads'] else 'nothing is left to do'}")
