"""`lading finish`."""

from __future__ import annotations

from lading.tools.cli.control import carry_out, chosen, no_wait
from lading.tools.cli.frame import Frame, verb


@verb()
@chosen
@no_wait
def command(frame: Frame, ids: tuple[str, ...], tag: str | None, *, everything: bool, no_wait: bool) -> None:
    """Let endless downloads end here: what has arrived of a stream whose size nobody knows is the file.

    Nothing but a digest vouches for such a file. One whose size is known ends by itself.
    """
    from lading.domain.commands import Finish

    carry_out(
        frame,
        Finish(),
        lambda engine, found: engine.finish(*found, wait=not no_wait),
        ids=ids,
        tag=tag,
        everything=everything,
        wait=not no_wait,
    )
