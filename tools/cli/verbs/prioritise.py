"""`lading prioritise`."""

from __future__ import annotations

import click

from lading.tools.cli.control import carry_out, chosen
from lading.tools.cli.frame import Frame, verb


@verb(context_settings={"ignore_unknown_options": True})
@chosen
@click.argument("priority", type=int, metavar="N")
def command(frame: Frame, ids: tuple[str, ...], tag: str | None, priority: int, *, everything: bool) -> None:
    """Give downloads another priority: higher runs first, equal ones in the order of asking."""
    from lading.domain.commands import Prioritise

    carry_out(
        frame,
        Prioritise(priority=priority),
        lambda engine, found: engine.prioritise(priority, *found),
        ids=ids,
        tag=tag,
        everything=everything,
    )
