"""`lading resume`."""

from __future__ import annotations

from lading.tools.cli.control import carry_out, chosen
from lading.tools.cli.frame import Frame, verb


@verb()
@chosen
def command(frame: Frame, ids: tuple[str, ...], tag: str | None, *, everything: bool) -> None:
    """Let paused or waiting downloads go on.

    They run when their turn comes in the engine of the home; `lading run` is one.
    """
    from lading.domain.commands import Resume

    carry_out(frame, Resume(), lambda engine, found: engine.resume(*found), ids=ids, tag=tag, everything=everything)
