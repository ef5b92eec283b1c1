"""`lading pause`."""

from __future__ import annotations

import click

from lading.tools.cli.control import carry_out, chosen, control_queue, no_wait
from lading.tools.cli.frame import Frame, verb


@verb()
@chosen
@click.option(
    "--queue",
    is_flag=True,
    help="Let the whole queue rest: nothing more starts, also what is added; what runs goes on.",
)
@no_wait
def command(
    frame: Frame, ids: tuple[str, ...], tag: str | None, *, everything: bool, queue: bool, no_wait: bool
) -> None:
    """Let downloads rest; those that run have stopped writing when this returns."""
    from lading.domain.commands import Pause

    if queue:
        control_queue(frame, lambda engine: engine.pause_queue(), ids=ids, tag=tag, everything=everything)
        return
    carry_out(
        frame,
        Pause(),
        lambda engine, found: engine.pause(*found, wait=not no_wait),
        ids=ids,
        tag=tag,
        everything=everything,
        wait=not no_wait,
    )
