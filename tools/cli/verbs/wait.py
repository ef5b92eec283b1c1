"""`lading wait`: until they end."""

from __future__ import annotations

import click

from lading.tools.cli.frame import Frame, verb


@verb()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def command(frame: Frame, ids: tuple[str, ...]) -> int:
    """Wait until downloads have ended, and print the paths of their files.

    This waits and does no work: an engine must run somewhere, such as `lading run`.
    """
    import trio

    from lading.domain.states import State
    from lading.engine import Engine
    from lading.tools.cli import display, homes, work
    from lading.tools.cli.answers import note
    from lading.tools.cli.endings import Endings
    from lading.tools.cli.interruption import interruptible
    from lading.tools.cli.watching import Watch

    shown = display.choose(frame)
    endings = Endings(frame, shown, demanding=True)
    home = homes.existing(frame)

    def say(text: str) -> None:
        with shown.aside():
            note(frame, text)

    def begin(engine: Engine) -> Watch:
        after = engine.reading.log.head()
        engine.reading.catch_up()
        own = {(download := engine.reading.find(text)).id: download for text in ids}.values()
        for download in own:
            if download.state is State.PAUSED:
                say(f"{download.id} is paused; `lading resume` lets it go on")
        if not all(download.ended for download in own) and homes.is_vacant(home.path):
            say("no engine works on this home; `lading run` does")
        return Watch(shown, endings.report, after=after, own=own)

    async def main() -> bool:
        async with homes.working(frame, role="client") as engine, interruptible(say) as interruption:
            with interruption.begin():
                watch = await trio.to_thread.run_sync(begin, engine)
                await watch.follow(engine)
        return interruption.seen

    with shown:
        interrupted = trio.run(main)
    return work.say_interrupted(frame) if interrupted else endings.conclude()
