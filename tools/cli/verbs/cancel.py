"""`lading cancel`."""

from __future__ import annotations

from lading.tools.cli.control import carry_out, chosen, no_wait
from lading.tools.cli.frame import Frame, verb


@verb()
@chosen
@no_wait
def command(frame: Frame, ids: tuple[str, ...], tag: str | None, *, everything: bool, no_wait: bool) -> None:
    """Give downloads up and put aside what was received; no write of theirs follows when this returns.

    What was received is kept, hidden, for as long as the setting retention_s says: `lading undo` takes the cancelling
    back, and `lading retry` goes on with it.
    """
    from lading.domain.commands import Cancel

    carry_out(
        frame,
        Cancel(),
        lambda engine, found: engine.cancel(*found, wait=not no_wait),
        ids=ids,
        tag=tag,
        everything=everything,
        wait=not no_wait,
    )
