"""`lading bench`: measurements."""

from __future__ import annotations

import click

from lading.tools.cli.frame import Frame, verb


@verb(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(frame: Frame, arguments: tuple[str, ...]) -> int:
    """Measure what this machine does; `lading bench list` names the measurements."""
    from lading.domain.errors import UsageError

    try:
        from lading.tools import bench
    except ImportError as error:
        if error.name != "lading.tools.bench":
            raise
        raise UsageError("the benches are not part of this installation", hint="run from the repository") from None
    return bench.main([*arguments, *(["--json"] if frame.json else [])]) or 0
