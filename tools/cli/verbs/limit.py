"""`lading limit`."""

from __future__ import annotations

import click

from lading.tools.cli.control import carry_out, chosen
from lading.tools.cli.frame import Frame, verb
from lading.tools.cli.units import RATE


@verb()
@chosen
@click.argument("rate", type=RATE, metavar="RATE|none")
@click.option(
    "--connections",
    type=click.IntRange(0, 64),
    metavar="N",
    help="At most so many connections too, 0 for as many as set; else they stay as they are.",
)
def command(
    frame: Frame, ids: tuple[str, ...], tag: str | None, rate: int, connections: int | None, *, everything: bool
) -> None:
    """Let downloads use so many bytes a second, such as 500K; none takes the limit away.

    What runs goes by it at once. `lading config set limit_rate 2M` limits all downloads together.
    """
    from lading.domain.commands import Limit

    limit_rate = rate or None
    carry_out(
        frame,
        Limit(limit_rate=limit_rate, connections=connections or None, keep_connections=connections is None),
        lambda engine, found: engine.limit(limit_rate, *found, connections=connections),
        ids=ids,
        tag=tag,
        everything=everything,
    )
