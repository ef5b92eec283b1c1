"""`lading pause`."""

from __future__ import annotations

from lading.tools.cli.control import carry_out, chosen, no_wait
from lading.tools.cli.frame import Frame, verb


@verb()
@chosen
@no_wait
def command(frame: Frame, ids: tuple[str, ...], tag: str | None, *, everything: bool, no_wait: bool) -> None:
    """Let downloads rest; those that run have stopped writing when this returns."""
    from lading.domain.commands import Pause

    carry_out(
        frame,
        Pause(),
        lambda engine, found: engine.pause(*found, wait=not no_wait),
        ids=ids,
        tag=tag,
        everything=everything,
        wait=not no_wait,
    )
