"""`lading remove`."""

from __future__ import annotations

import click

from lading.tools.cli.control import carry_out, chosen, no_wait
from lading.tools.cli.frame import Frame, verb


@verb()
@chosen
@click.option(
    "--files",
    is_flag=True,
    help="Remove the files of completed ones from the disk too; what they had replaced comes back.",
)
@no_wait
def command(
    frame: Frame, ids: tuple[str, ...], tag: str | None, *, everything: bool, files: bool, no_wait: bool
) -> None:
    """Take downloads out of the queue and put aside what is incomplete; what is complete stays on the disk.

    What goes from the disk is kept, hidden, for as long as the setting retention_s says: `lading undo` brings it back.
    """
    from lading.domain.commands import Remove

    carry_out(
        frame,
        Remove(files=files),
        lambda engine, found: engine.remove(*found, files=files, wait=not no_wait),
        ids=ids,
        tag=tag,
        everything=everything,
        wait=not no_wait,
    )
