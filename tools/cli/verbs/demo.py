"""`lading demo`: the tour."""

from __future__ import annotations

import click

from lading.tools.cli.frame import Frame, verb


@verb(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(frame: Frame, arguments: tuple[str, ...]) -> int:
    """Take the tour, on a server of its own: no network is needed, and nothing of yours is touched."""
    from lading.tools import demo

    return demo.main([*arguments, *(["--json"] if frame.json else [])]) or 0
