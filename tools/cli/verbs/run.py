"""`lading run`: be the engine of the home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.engine import Engine


@verb()
@click.option("--forever", is_flag=True, help="Do not end when the queue is empty.")
@click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="So many downloads at once; else as set.")
def command(frame: Frame, concurrency: int | None, *, forever: bool) -> int:
    """Work the queue until it is empty, or for ever; print the paths of the files.

    If an engine runs already, this follows it, and takes over when that engine ends.
    """
    import trio

    from lading.tools.cli import display, work
    from lading.tools.cli.endings import Endings
    from lading.tools.cli.watching import Watch

    shown = display.choose(frame)
    endings = Endings(frame, shown, demanding=False)

    async def begin(engine: Engine) -> Watch:
        after = await trio.to_thread.run_sync(_beginning, engine)
        return Watch(shown, endings.report, after=after, forever=forever)

    async def main() -> bool:
        return await work.work(frame, shown, begin, concurrency=concurrency)

    with shown:
        interrupted = trio.run(main)
    return work.say_interrupted(frame) if interrupted else endings.conclude()


def _beginning(engine: Engine) -> int:
    """Return the position in the log at which this engine began its work; blocks."""
    own = engine.reading.stream(engine.worker)
    return own[0].position if own else engine.reading.log.head()
