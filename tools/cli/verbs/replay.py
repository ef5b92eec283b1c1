"""`lading replay`: any view as it stood then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lading.tools.cli import moments
from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.reading import Reading

VIEWS = ("queue", "progress", "history")


@verb()
@moments.options
@click.option(
    "--view",
    type=click.Choice(VIEWS),
    default="queue",
    show_default=True,
    help="What `lading list` said then, what `lading show` said of each download, or what `lading history` said.",
)
@click.option("--id", metavar="ID", help="Only this download.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="So many at most.")
@click.option(
    "--simulate",
    "incident",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Instead, decide again what was decided in the incident that this file holds, on a virtual clock.",
)
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="With --simulate: what if this setting had had that value? May be given again.",
)
def command(
    frame: Frame,
    *,
    position: int | None,
    at_ns: int | None,
    view: str,
    id: str | None,
    limit: int | None,
    incident: Path | None,
    given: tuple[str, ...],
) -> int | None:
    """Show any view as it stood then, by folding the log up to there; works beside a running engine.

    Without --to and --at it is the log's end. A time later than every event means that end too; one before the first
    event shows nothing, as nothing had happened; a position that the log has not come to is an error. Where clocks
    stepped back, an event counts as no earlier than those before it. The views of now are left as they are.
    """
    from lading.domain.errors import UsageError
    from lading.tools.cli.answers import write_json

    if incident is not None:
        if position is not None or at_ns is not None or id is not None or limit is not None:
            raise UsageError(
                "an incident is decided again whole", hint="--to, --at, --id and --limit do not go with --simulate"
            )
        from lading.tools.simulator.command import run

        return run(frame, incident, given)
    if given:
        raise UsageError("there is nothing to set in what has happened", hint="--set goes with --simulate FILE")
    with moments.looking_back(frame, moments.Place(position, at_ns)) as (reading, now_ns):
        rows = _VIEWS[view](reading, now_ns, id)
        if frame.json:
            for row in islice(rows, limit):
                write_json(row)
        else:
            _say(frame, view, islice(rows, limit))
    return None


def _queue(reading: Reading, now_ns: int, id: str | None) -> Iterator[dict[str, Any]]:
    from lading.projections import progress
    from lading.tools.cli.naming import find

    if id is None:
        yield from reading.listing(now_ns=now_ns)
    else:
        yield progress.listing(find(reading, id), now_ns, around=reading.around(now_ns))


def _progress(reading: Reading, now_ns: int, id: str | None) -> Iterator[dict[str, Any]]:
    from lading.tools.cli import whole
    from lading.tools.cli.naming import find

    for download in reading.downloads() if id is None else [find(reading, id)]:
        yield whole.row(reading, download, now_ns)


def _history(reading: Reading, _: int, id: str | None) -> Iterator[dict[str, Any]]:
    from lading.projections import history
    from lading.tools.cli.naming import find
    from lading.views import ROWS

    wanted = None if id is None else str(find(reading, id).id)
    with reading.views.read() as reader:
        for row in history.ended(reader, ROWS):
            if wanted in {None, row["id"]}:
                yield row


_VIEWS = {"queue": _queue, "progress": _progress, "history": _history}


def _say(frame: Frame, view: str, rows: Iterable[dict[str, Any]]) -> None:
    from lading.tools.cli import rows as cells
    from lading.tools.cli import tables, whole
    from lading.tools.cli.answers import note

    if view == "progress":
        for number, row in enumerate(rows):
            if number:
                print()
            whole.say(row)
        return
    columns, made = (cells.COLUMNS, cells.cells) if view == "queue" else (cells.ENDED_COLUMNS, cells.ended_cells)
    if not tables.show(columns, map(made, rows)):
        note(frame, "there is nothing to list" if view == "queue" else "nothing has ended yet")
