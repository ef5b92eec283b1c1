"""`lading history`: how downloads ended, and what was seen of a URL."""

from __future__ import annotations

import re
from itertools import islice

import click

from lading.tools.cli.frame import Frame, verb

_HANDLE = re.compile(r"v1:[0-9a-f]{32}")


@verb()
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="So many at most.")
@click.option("--tag", metavar="T", help="Only those with this tag.")
@click.option("--url", metavar="U", help="Only those of this URL.")
@click.option(
    "--drift",
    is_flag=True,
    help="Instead, every validator and digest ever seen for the URL, the first one first, and what changed.",
)
def command(frame: Frame, limit: int | None, tag: str | None, url: str | None, *, drift: bool) -> None:
    """Show how downloads ended, the latest first.

    With --drift a URL stands for all that look the same in public; one that is given with its secret part, or by the
    handle that the log has in its place, stands for itself, if it was ever asked for.
    """
    from lading.domain import urls
    from lading.projections import history
    from lading.tools.cli import rows, tables
    from lading.tools.cli.answers import note, write_json
    from lading.tools.cli.homes import looking
    from lading.views import ROWS

    if drift:
        _drift(frame, url, limit, tag)
        return
    asked = urls.public(url).url if url is not None else None
    with looking(frame) as reading, reading.views.read() as reader:
        found = history.ended(reader, ROWS, limit=limit, tag=tag, url=asked)
        if frame.json:
            for row in found:
                write_json(row)
        elif not tables.show(rows.ENDED_COLUMNS, map(rows.ended_cells, found)):
            note(frame, "nothing has ended yet")


def _drift(frame: Frame, url: str | None, limit: int | None, tag: str | None) -> None:
    from lading.domain import urls
    from lading.domain.errors import UsageError
    from lading.domain.sightings import Wanted
    from lading.tools.cli import rows, tables
    from lading.tools.cli.answers import note, write_json
    from lading.tools.cli.homes import existing, looking

    if url is None or tag is not None:
        raise UsageError("drift is told of a URL alone", hint="give it as `--url U --drift`, without --tag")
    given = url.strip()
    if _HANDLE.fullmatch(given):
        wanted = [Wanted(handle=given)]
    else:
        from lading.opening import known_handle

        shown = urls.public(given)
        handle = None if shown.complete else known_handle(existing(frame), given)
        wanted = [Wanted(url=shown.url)] if handle is None else [Wanted(handle=handle), Wanted(url=shown.url)]
    with looking(frame, caught_up=False) as reading:
        for one in wanted:
            found = islice(reading.drift(one), limit)
            first = next(found, None)
            if first is not None:
                break
        else:
            note(frame, "nothing was ever seen of this URL")
            return
        if one.handle is None and len(wanted) > 1:
            note(frame, "this very URL was never asked for; these look the same in public")
        seen = (row for part in ([first], found) for row in part)
        if frame.json:
            for row in seen:
                write_json(row)
        else:
            tables.show(rows.SEEN_COLUMNS, map(rows.seen_cells, seen))
