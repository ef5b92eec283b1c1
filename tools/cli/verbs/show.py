"""`lading show`: one download whole, or where a byte of it came from."""

from __future__ import annotations

import time

import click

from lading.tools.cli.frame import Frame, verb
from lading.tools.cli.units import SIZE


@verb()
@click.argument("id")
@click.option(
    "--at-byte",
    "byte",
    type=SIZE,
    metavar="N",
    help="Instead, where byte N of it came from, counted from 0: piece, digest, attempt, URL, validator and time.",
)
def command(frame: Frame, id: str, byte: int | None) -> None:
    """Show all there is to know of one download; ID may be the beginning of an id, or a key."""
    from lading.tools.cli import origins, whole
    from lading.tools.cli.answers import write_json
    from lading.tools.cli.homes import looking, unworked
    from lading.tools.cli.naming import find

    with looking(frame) as reading:
        download = find(reading, id)
        if byte is not None:
            origins.answer(frame, reading.provenance(download.id, byte))
            return
        row = whole.row(reading, download, time.time_ns())
    if frame.json:
        write_json(row)
    else:
        nobody = unworked(frame, [row["state"]])
        whole.say(row if nobody is None else row | {"engine": nobody})
