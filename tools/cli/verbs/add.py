"""`lading add`: queue, and print ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from lading.tools.cli.asking import Asked, request_options
from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.domain.requests import Request
    from lading.engine import Engine


@verb()
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("-i", "--input", "source", metavar="FILE", help="A list: one URL a line, # for comments; - is stdin.")
@request_options
def command(frame: Frame, urls: tuple[str, ...], source: str | None, **options: Any) -> int:
    """Queue downloads for later and print their ids; a running engine takes them up at once.

    A list is queued as it is read, however long it is. A line that is no URL is reported with its number and left out;
    the exit code is 2 at the end if there was one.
    """
    import trio

    from lading.domain.errors import UsageError
    from lading.tools.cli.homes import working
    from lading.tools.cli.lists import open_list

    if not urls and source is None:
        raise UsageError("there is no URL to add", hint="give URLs, or a list with -i FILE")
    adding = _Adding(frame, Asked(options, several=source is not None or len(urls) > 1))
    requests = [adding.asked.request(url) for url in urls]

    async def main() -> None:
        async with working(frame, role="client") as engine:
            if requests:
                await adding.add(engine, requests)
            if source is not None:
                with open_list(source) as file:
                    await adding.add_list(engine, file)

    trio.run(main)
    return adding.conclude()


class _Adding:
    """Adds batches, prints ids, and counts what came of it."""

    def __init__(self, frame: Frame, asked: Asked) -> None:
        self._frame = frame
        self.asked = asked
        self._added = 0
        self._bad = 0

    async def add(self, engine: Engine, requests: list[Request]) -> None:
        """Queue requests and print their ids."""
        import sys

        downloads = await engine.submit_many(requests)
        self._added += len(downloads)
        if self._frame.json:
            from lading.tools.cli.answers import write_json

            for download in downloads:
                order = download.order
                row = {"id": str(download.id), "key": order.key, "url": order.url, "state": download.state.shown}
                write_json(row)
        else:
            sys.stdout.write("".join(f"{download.id}\n" for download in downloads))
        sys.stdout.flush()

    async def add_list(self, engine: Engine, file: Any) -> None:
        """Queue a list as it is read."""
        import trio

        from lading.tools.cli.lists import read_list

        chunks = read_list(file)
        while (lines := await trio.to_thread.run_sync(next, chunks, None, abandon_on_cancel=True)) is not None:
            requests = list(self._requests(lines))
            if requests:
                await self.add(engine, requests)

    def _requests(self, lines: Any) -> Iterator[Request]:
        from lading.domain.errors import InvalidURL, UsageError

        for line in lines:
            try:
                if line.url is None:
                    raise InvalidURL("this is no text, or too long to be a URL")
                yield self.asked.request(line.url)
            except UsageError as error:
                self._refuse(line.number, error)

    def _refuse(self, number: int, error: Any) -> None:
        from lading.tools.cli import trouble

        self._bad += 1
        told = trouble.explain(error)
        if not self._frame.json:
            told = told._replace(error=f"line {number}: {told.error}")
        trouble.tell(told, as_json=self._frame.json, line=number)

    def conclude(self) -> int:
        """Say what came of it, and return the exit code."""
        from lading.tools.cli import trouble
        from lading.tools.cli.answers import note

        if self._bad:
            told = f"{self._bad} {'line' if self._bad == 1 else 'lines'} could not be added, {self._added} were"
            hint = "the lines are named above; nothing else is lost"
            trouble.tell(trouble.Trouble(told, hint, "UsageError", trouble.USAGE), as_json=self._frame.json)
            return trouble.USAGE
        note(self._frame, "the list is empty: 0 added" if not self._added else f"{self._added} added")
        return trouble.DONE
