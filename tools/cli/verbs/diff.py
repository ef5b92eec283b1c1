"""`lading diff`: what changed between two places in the log."""

from __future__ import annotations

import click

from lading.tools.cli.frame import Frame, verb
from lading.tools.cli.moments import PLACE, Place


@verb()
@click.argument("before", type=PLACE, metavar="P1")
@click.argument("after", type=PLACE, metavar="[P2]", required=False, default=None)
def command(frame: Frame, before: Place, after: Place | None) -> None:
    """Show what changed of each download between two positions of the log, in the order of asking.

    P1 and P2 are positions, as `lading log` shows them, or times, as `lading replay --at` takes them; P2 is the log's
    end unless it is given. The events behind P1 up to P2 count; where P2 comes before P1, it is told backwards.
    """
    from lading.projections import differences
    from lading.tools.cli import rows, tables
    from lading.tools.cli.answers import note, write_json
    from lading.tools.cli.homes import looking
    from lading.tools.cli.moments import find

    with looking(frame, caught_up=False) as reading:
        places = find(reading, before), find(reading, after or Place())
        found = map(differences.row, reading.diff(*places))
        if frame.json:
            for row in found:
                write_json(row)
        elif not tables.show(rows.CHANGE_COLUMNS, map(rows.change_cells, found)):
            note(frame, f"nothing changed between {places[0]} and {places[1]}")
