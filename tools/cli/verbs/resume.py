"""`lading resume`."""

from __future__ import annotations

import click

from lading.tools.cli.control import carry_out, chosen, control_queue
from lading.tools.cli.frame import Frame, verb


@verb()
@chosen
@click.option("--queue", is_flag=True, help="Let the whole queue go on.")
def command(frame: Frame, ids: tuple[str, ...], tag: str | None, *, everything: bool, queue: bool) -> None:
    """Let paused or waiting downloads go on.

    They run when their turn comes in the engine of the home; `lading run` is one.
    """
    from lading.domain.commands import Resume

    if queue:
        control_queue(frame, lambda engine: engine.resume_queue(), ids=ids, tag=tag, everything=everything)
        return
    carry_out(frame, Resume(), lambda engine, found: engine.resume(*found), ids=ids, tag=tag, everything=everything)
