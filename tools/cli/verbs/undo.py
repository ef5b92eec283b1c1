"""`lading undo`."""

from __future__ import annotations

from lading.tools.cli.frame import Frame, verb
from lading.tools.cli.taking_back import carry_out


@verb()
def command(frame: Frame) -> None:
    """Take back the last thing that you asked for: what one command did, to however many downloads.

    Files that it took away come back, and what it added is removed. It is refused where somebody else has changed one
    of the downloads since, or what would come back is not kept any longer.
    """
    carry_out(frame, back=False)
