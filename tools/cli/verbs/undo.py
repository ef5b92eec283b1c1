"""`lading undo`."""

from __future__ import annotations

import click

from lading.tools.cli.frame import Frame, verb
from lading.tools.cli.taking_back import carry_out


@verb()
@click.option("--skip", is_flag=True, help="Let the last thing stand; the next undo takes back what was before it.")
def command(frame: Frame, *, skip: bool) -> None:
    """Take back the last thing that you asked for: what one command did, to however many downloads.

    Files that it took away come back, and what it added is removed. It is refused where somebody else has changed one
    of the downloads since, or what would come back is not kept any longer. Nothing older is undone then, unless you let
    that act stand with --skip.
    """
    carry_out(frame, back=False, skip=skip)
