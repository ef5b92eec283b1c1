"""`lading refresh-url`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.domain.download import Download


@verb()
@click.argument("id")
@click.argument("url")
@click.option(
    "--header",
    "given",
    multiple=True,
    metavar="'K: V'|@FILE",
    help="A header that it was asked for with, again; @FILE has one a line, @- is stdin.",
)
def command(frame: Frame, id: str, url: str, given: tuple[str, ...]) -> None:
    """Fetch a download from another URL, such as one that was signed anew; what failed goes on at once.

    With - for the URL, it is read from a line of stdin. Headers that were given before stay, unless they are
    given again; after `forget` they have to be. What was received counts where the new URL names the same host and
    path, or the download has a digest; else it starts over.
    """
    import trio

    from lading.domain.errors import IllegalCommand
    from lading.projections import progress
    from lading.tools.cli import homes, naming, unseen
    from lading.tools.cli.answers import answer
    from lading.tools.cli.asking import headers_of

    homes.existing(frame)
    url = unseen.address(url)
    headers = headers_of(given) if given else None

    async def main() -> Download:
        async with homes.working(frame, role="client") as engine:
            await trio.to_thread.run_sync(engine.reading.catch_up)
            found = await trio.to_thread.run_sync(naming.find, engine.reading, id)
            try:
                return await engine.refresh_url(found.id, url, headers=headers)
            except IllegalCommand as error:
                error.hint = naming.with_id(error.hint, found.id)
                raise

    download = trio.run(main)
    answer(frame, progress.listing(download, time.time_ns()), f"{download.id} {download.state.shown}")
