"""`lading replay`: what an incident would have come to."""

from __future__ import annotations

from pathlib import Path

import click

from lading.tools.cli.frame import Frame, verb


@verb()
@click.option("--simulate", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The incident.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Another setting than was in force.")
def command(frame: Frame, simulate: Path, settings: tuple[str, ...]) -> int:
    """Decide anew what was decided in an incident, and show what differs."""
    from lading.tools.simulator.command import run

    return run(frame, simulate, settings)
