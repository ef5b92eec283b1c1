"""`lading retry`."""

from __future__ import annotations

from lading.tools.cli.control import carry_out, chosen
from lading.tools.cli.frame import Frame, verb


@verb()
@chosen
def command(frame: Frame, ids: tuple[str, ...], tag: str | None, *, everything: bool) -> None:
    """Try failed, cancelled or waiting downloads again, now and with a fresh budget of retries.

    They run when their turn comes in the engine of the home; `lading run` is one.
    """
    from lading.domain.commands import Retry

    carry_out(frame, Retry(), lambda engine, found: engine.retry(*found), ids=ids, tag=tag, everything=everything)
