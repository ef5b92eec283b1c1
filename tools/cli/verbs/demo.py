"""`lading demo`: the tour."""

from __future__ import annotations

import click

from lading.tools.cli.frame import Frame, verb


@verb()
@click.option("--keep", is_flag=True, help="Keep home and files to look at.")
def command(frame: Frame, *, keep: bool) -> int:  # noqa: ARG001
    """Take the tour: downloads, a real kill -9, and a recovery by replay.

    It starts a server of its own and needs no network. The exit code is 0 only if everything that it says was true.
    """
    from lading.tools import demo

    return demo.main(keep=keep)
