"""`lading torture`: kills."""

from __future__ import annotations

import click

from lading.tools.cli.frame import Frame, verb


@verb(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(frame: Frame, arguments: tuple[str, ...]) -> int:
    """Kill real engines at every step that they take, and hold every law against what they leave."""
    from lading.tools import torture

    return torture.main([*arguments, *(["--json"] if frame.json else [])]) or 0
