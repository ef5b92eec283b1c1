"""`lading history`: how downloads ended."""

from __future__ import annotations

import click

from lading.tools.cli.frame import Frame, verb


@verb()
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="So many at most.")
@click.option("--tag", metavar="T", help="Only those with this tag.")
@click.option("--url", metavar="U", help="Only those of this URL.")
def command(frame: Frame, limit: int | None, tag: str | None, url: str | None) -> None:
    """Show how downloads ended, the latest first."""
    from lading.domain import urls
    from lading.projections import history
    from lading.tools.cli import tables, units
    from lading.tools.cli.answers import note, write_json
    from lading.tools.cli.homes import looking
    from lading.views import ROWS

    asked = urls.public(url).url if url is not None else None
    with looking(frame) as reading, reading.views.read() as reader:
        found = history.ended(reader, ROWS, limit=limit, tag=tag, url=asked)
        if frame.json:
            for row in found:
                write_json(row)
            return
        columns = (
            tables.Column("ID", least=13),
            *map(tables.Column, ("ENDED", "HOW")),
            tables.Column("BYTES", right=True),
            tables.Column("TRIES", right=True),
            tables.Column("WHAT", least=14),
        )
        rows = (
            (
                row["id"],
                units.moment(row["ended_at"]),
                row["state"],
                units.size(row["bytes"]),
                row["attempts"],
                row["error"] or row["path"] or row["url"],
            )
            for row in found
        )
        if not tables.show(columns, rows):
            note(frame, "nothing has ended yet")
