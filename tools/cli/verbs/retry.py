"""`lading retry`."""

from __future__ import annotations

import click

from lading.tools.cli.control import carry_out, chosen
from lading.tools.cli.frame import Frame, verb


@verb()
@chosen
@click.option("--overwrite", is_flag=True, help="Put aside what lies at their paths, such as a file that was changed.")
def command(frame: Frame, ids: tuple[str, ...], tag: str | None, *, everything: bool, overwrite: bool) -> None:
    """Try failed, cancelled or waiting downloads again, now and with a fresh budget of retries.

    Complete ones are fetched again when their file is gone, or with --overwrite when it was changed. One that is named
    is looked at first. What a repair of the same download had put aside goes then, for good. What is queued or runs
    without --overwrite has to be paused before it can be told that.

    They run when their turn comes in the engine of the home; `lading run` is one.
    """
    from lading.domain.commands import Retry

    carry_out(
        frame,
        Retry(overwrite=overwrite),
        lambda engine, found: engine.retry(*found, overwrite=overwrite),
        ids=ids,
        tag=tag,
        everything=everything,
    )
