"""`lading get`: queue these, work until they have ended, print where they are."""

from __future__ import annotations

from typing import Any

import click

from lading.tools.cli.asking import Asked, request_options
from lading.tools.cli.frame import Frame, verb


@verb()
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@request_options
@click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="So many downloads at once; else as set.")
def command(frame: Frame, urls: tuple[str, ...], concurrency: int | None, **options: Any) -> int:
    """Download URLs now and print the paths of the files; with - for a URL, it is read from a line of stdin.

    The engine of a home works its whole queue: what was queued before may run beside these, but this ends when these
    have ended. If an engine runs already, it does the work, and this follows it.

    Ctrl-C stops in good order and loses nothing that is durable; `lading run` goes on, and so does this with the same
    URL.
    """
    import trio

    from lading.engine import Engine
    from lading.tools.cli import display, known, work
    from lading.tools.cli.endings import Endings
    from lading.tools.cli.watching import Watch

    asked = Asked(options, several=len(urls) > 1)
    requests = [asked.request(url) for url in urls]
    shown = display.choose(frame)
    endings = Endings(frame, shown, demanding=True)

    async def begin(engine: Engine) -> Watch:
        after = await trio.to_thread.run_sync(engine.reading.log.head)
        downloads = await engine.submit_many(requests, again=True)
        known.check(requests, downloads)
        found = await trio.to_thread.run_sync(known.among, engine.reading, downloads, after)
        with shown.aside():
            known.say(frame, requests, downloads, found, go_on=True)
        await known.let_go_on(engine, downloads, found)
        return Watch(shown, endings.report, after=after, own=downloads)

    async def main() -> bool:
        return await work.work(frame, shown, begin, concurrency=concurrency)

    with shown:
        interrupted = trio.run(main)
    if interrupted and len(urls) == 1 and not endings.count:
        return work.say_interrupted(frame, "the same command goes on where this stopped, and so does `lading run`")
    return work.say_interrupted(frame) if interrupted else endings.conclude()
