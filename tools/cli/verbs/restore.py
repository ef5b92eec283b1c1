"""`lading restore`: a home, made of a backup."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lading.tools.cli.frame import Frame, verb


@verb()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Do all of it in a folder beside, and take that away again.")
def command(frame: Frame, file: Path, *, dry_run: bool) -> None:
    """Make a home of a backup.

    The home is the one that --home names; it must be missing or empty, and is there whole or not at all. With --log the
    events go into that log instead, of whatever kind, which must be empty. What was downloaded is not in a backup:
    downloads that had not ended go on from what lies on this disk.
    """
    from lading.restoring import describe, restore
    from lading.tools.cli import homes, units
    from lading.tools.cli.answers import answer, plain

    began_s = time.monotonic()
    home = homes.folder(frame)
    manifest = restore(file, home, frame.log, dry_run=dry_run)
    took_s = time.monotonic() - began_s
    row = {"path": str(home.absolute()), **describe(manifest), "dry_run": dry_run, "seconds": round(took_s, 3)}
    done = "can be restored" if dry_run else "restored"
    told = f"{manifest.events} events of {manifest.created_at} {done} in {units.duration(took_s)}: {home}"
    answer(frame, row, plain(told))
