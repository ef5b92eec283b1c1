"""`lading redo`."""

from __future__ import annotations

from lading.tools.cli.frame import Frame, verb
from lading.tools.cli.taking_back import carry_out


@verb()
def command(frame: Frame) -> None:
    """Do again what was undone last, as long as you have asked for nothing else since."""
    carry_out(frame, back=True)
