"""`lading wait`: until they end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from uuid import UUID

    from lading.domain.download import Download
    from lading.engine import Engine


@verb()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="S", help="Give up after so many seconds, with exit code 1."
)
def command(frame: Frame, ids: tuple[str, ...], timeout: float | None) -> int:
    """Wait until downloads have ended, and print the paths of their files.

    This waits and does no work: an engine must run somewhere, such as `lading run`.
    """
    import trio

    from lading.tools.cli import display, homes, trouble, work
    from lading.tools.cli.answers import note
    from lading.tools.cli.endings import Endings
    from lading.tools.cli.interruption import interruptible
    from lading.tools.cli.naming import with_id
    from lading.tools.cli.watching import Watch

    homes.existing(frame)
    shown = display.choose(frame)
    endings = Endings(frame, shown, demanding=True)
    ended: set[UUID] = set()

    def report(download: Download, reason: str) -> None:
        ended.add(download.id)
        endings.report(download, reason)

    def say(text: str) -> None:
        with shown.aside():
            note(frame, text)

    async def main() -> int:
        own: list[Download] = []
        patience = trio.CancelScope(deadline=math.inf if timeout is None else trio.current_time() + timeout)
        async with homes.working(frame, role="client") as engine, interruptible(say) as interruption:
            with interruption.begin():
                after = await trio.to_thread.run_sync(engine.reading.log.head)
                own = await trio.to_thread.run_sync(_find, engine, ids)
                _warn(own, homes.is_vacant(homes.folder(frame)), say)
                watch = Watch(shown, report, after=after, own=own)
                with patience:
                    await watch.follow(engine)
        if interruption.seen:
            return work.say_interrupted(frame)
        if patience.cancelled_caught:
            told = f"{len(own) - endings.count} of {len(own)} downloads have not ended after {timeout:g} s"
            open_one = next((download for download in own if download.id not in ended), own[0])
            hint = with_id("`lading why ID` tells what it waits for", open_one.id)
            trouble.tell(trouble.Trouble(told, hint, "Timeout", trouble.FAILED), as_json=frame.json)
            return trouble.FAILED
        return endings.conclude()

    with shown:
        return trio.run(main)


def _find(engine: Engine, ids: tuple[str, ...]) -> list[Download]:
    """Return the downloads that are meant, each once; blocks."""
    from lading.tools.cli.naming import find

    engine.reading.catch_up()
    return list({(download := find(engine.reading, text)).id: download for text in ids}.values())


def _warn(own: list[Download], vacant: bool, say: Callable[[str], None]) -> None:  # noqa: FBT001
    """Say why this may take for ever."""
    from lading.domain.states import State

    for download in own:
        if download.state is State.PAUSED:
            say(f"{download.id} is paused; `lading resume` lets it go on")
    if vacant and not all(download.ended for download in own):
        say("no engine works on this home; `lading run` is one")
