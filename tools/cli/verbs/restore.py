"""`lading restore`: a home, made of a backup."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lading.tools.cli.frame import Frame, verb

_DECIDE = "It can be looked at, and is not written to: restore a later backup, or go on with `lading repair --log`"


@verb()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Do all of it in a folder beside, and take that away again.")
def command(frame: Frame, file: Path, *, dry_run: bool) -> None:
    """Make a home of a backup.

    The home is the one that --home names; it must be missing or empty, and is there whole or not at all. With --log the
    events go into that log instead, of whatever kind, which must be empty. What was downloaded is not in a backup:
    downloads that had not ended go on from what lies on this disk.

    A backup that is older than what an anchor of the home vouches for is restored too, and told; the home is then not
    written to until you have decided.
    """
    import os

    from lading.accepting import doubts
    from lading.restoring import describe, restore
    from lading.tools.cli import homes, units
    from lading.tools.cli.answers import answer, note, plain

    began_s = time.monotonic()
    home = homes.folder(frame)
    told: list[str] = []
    manifest = restore(
        file, home, frame.log, dry_run=dry_run, accept=lambda back: told.extend(doubts(back, os.environ))
    )
    took_s = time.monotonic() - began_s
    row = {"path": str(home.absolute()), **describe(manifest), "dry_run": dry_run, "seconds": round(took_s, 3)}
    row["doubts"] = told
    done = "can be restored" if dry_run else "restored"
    said = f"{manifest.events} events of {manifest.created_at} {done} in {units.duration(took_s)}: {home}"
    answer(frame, row, plain(said))
    if told:
        note(frame, plain(f"not what was known of it: {'; '.join(told)}. {_DECIDE}"))
