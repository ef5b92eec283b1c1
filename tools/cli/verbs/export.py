"""`lading export`: the log and the views for analytics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.export_files import Provenance

VIEWS = ("events", "history", "attempts", "queue", "progress", "failures", "statistics")
"""`lading.projections.tables.NAMES`, which a test holds equal; written out so that help needs no views."""
FORMATS = ("jsonl", "csv", "parquet", "cloudevents")


@verb()
@click.argument("view", type=click.Choice(VIEWS))
@click.option(
    "--to", required=True, metavar="FILE|DIR", help="A new file that ends in .jsonl, .csv or .parquet; or a folder."
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="What to write; of a folder it is parquet by default."
)
@click.option("--from", "first", type=click.IntRange(min=1), metavar="P", help="Only what position P or later made so.")
@click.option("--to-position", "last", type=click.IntRange(min=1), metavar="P", help="As it stood at position P.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(frame: Frame, view: str, **options: Any) -> None:
    """Write events or a view to a file, or add to a folder what it lacks.

    A file appears whole or not at all. A folder is a data set that grows: each export goes on behind the last position
    that it holds, events in parts by day, and a kill at any moment leaves neither a gap nor a double. `lading verify
    --export` holds either against the log.

    Of a view, each row has the position of the event that made it what it is. Text that a spreadsheet would take for a
    formula has an apostrophe in front of it in CSV.
    """
    from lading import exporting
    from lading.tools.cli.answers import answer, note
    from lading.tools.cli.homes import existing, looking

    asked = exporting.wanted(view, **options)
    home = existing(frame)
    nothing = True
    with looking(frame, caught_up=False) as reading:
        for path, says in exporting.export(reading, asked, exporting.log_id(reading, str(home.id))):
            nothing = False
            answer(frame, {"path": str(path), **attrs.asdict(says)}, _line(path, says))
    if nothing:
        note(frame, "nothing new")


def _line(path: Path, says: Provenance) -> str:
    from lading.tools.cli.answers import plain

    return f"{plain(path)}  {says.count} rows, positions {says.first} to {says.last}"
