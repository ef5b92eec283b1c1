"""`lading backup`: what a home cannot make anew, in one file."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lading.tools.cli.frame import Frame, verb


@verb()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--with-vault", is_flag=True, help="Also the vault and its key, and settings that may be secret.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def command(frame: Frame, file: Path, *, with_vault: bool, force: bool) -> None:
    """Copy log, settings and cursors of this home into one file.

    Works beside a running engine. The file is read back before it gets its name; `lading restore` makes a home of it,
    with a log of any kind. Views, cache and what was downloaded are not in it. Without the vault, downloads whose URLs
    or headers have a secret part ask for it again (`lading refresh-url`) if they have not ended.
    """
    from lading.backup import back_up
    from lading.restoring import describe
    from lading.tools.cli import homes, units
    from lading.tools.cli.answers import answer, note, plain

    began_s = time.monotonic()
    manifest, size = back_up(
        homes.existing(frame), frame.log, file, with_vault=with_vault, replace=force, now_ns=time.time_ns()
    )
    took_s = time.monotonic() - began_s
    row = {"path": str(file.absolute()), "bytes": size, **describe(manifest), "seconds": round(took_s, 3)}
    told = f"{manifest.events} events, {units.size(size)}, read back in {units.duration(took_s)}: {file}"
    answer(frame, row, plain(told))
    if manifest.left_out:
        note(frame, plain(f"left out: {', '.join(manifest.left_out)}"))
