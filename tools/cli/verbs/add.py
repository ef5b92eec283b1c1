"""`lading add`: queue, and print ids."""

from __future__ import annotations

from typing import Any

import click

from lading.tools.cli.asking import Asked, request_options
from lading.tools.cli.frame import Frame, verb


@verb()
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("-i", "--input", "source", metavar="FILE", help="A list: one URL a line, # for comments; - is stdin.")
@request_options
def command(frame: Frame, urls: tuple[str, ...], source: str | None, **options: Any) -> int:
    """Queue downloads for later and print their ids; a running engine takes them up at once.

    With - for a URL, it is read from a line of stdin. A list is queued as it is read, however long it is. A line that
    is no URL is reported with its number and left out; the exit code is 2 at the end if there was one.
    """
    from lading.domain.errors import UsageError
    from lading.tools.cli.adding import Adding

    if not urls and source is None:
        raise UsageError("there is no URL to add", hint="give URLs, or a list with -i FILE")
    asked = Asked(options, several=source is not None or len(urls) > 1)
    return Adding(frame, asked).run([asked.request(url) for url in urls], source)
