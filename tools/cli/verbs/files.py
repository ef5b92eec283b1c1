"""`lading files`: what lies on the disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lading.tools.cli.control import chosen
from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.domain.download import Download
    from lading.reading import Reading
    from lading.tools.cli.telling import Words


@verb()
@chosen
@click.option("--digest", is_flag=True, help="Read published files whole, instead of those in doubt only.")
@click.option(
    "--downloads",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The download folder of the program that this home belongs to.",
)
def command(
    frame: Frame, ids: tuple[str, ...], tag: str | None, downloads: Path | None, *, everything: bool, digest: bool
) -> None:
    """Show what lies on the disk of downloads, and whether it is valid; of all when none is named.

    A published file is valid, not valid (it has changed) or absent; else there is a partial one, a quarantined one, or
    none. What has changed since it was looked at last is told to the log, and `lading retry` fetches that again.
    """
    from lading.opening import inspector
    from lading.tools.cli import tables, telling, units
    from lading.tools.cli.answers import note, write_json
    from lading.tools.cli.homes import looking

    words = telling.Words()
    with looking(frame) as reading:
        look = inspector(reading, downloads).look
        rows = _rows(words, (look(d, digest=digest) for d in _found(reading, ids, tag, everything=everything)))
        if frame.json:
            for row in rows:
                write_json(row)
        else:
            columns = (
                tables.Column("ID", least=13),
                tables.Column("STATE"),
                tables.Column("SIZE", right=True),
                tables.Column("WHAT", least=14),
                tables.Column("WHY", least=14),
            )
            cells = (
                (row["id"], row["state"], units.size(row["size"]), row["path"] or row["url"], row["reason"] or "")
                for row in rows
            )
            if not tables.show(columns, cells):
                note(frame, "there is nothing to look at")
    telling.tell(frame, words)


def _found(reading: Reading, ids: Sequence[str], tag: str | None, *, everything: bool) -> Iterable[Download]:
    """Return the downloads that are meant; all, with the removed ones, only when that is said."""
    from lading.domain.errors import UsageError
    from lading.domain.states import State
    from lading.tools.cli.naming import find

    if bool(ids) + (tag is not None) + everything > 1:
        raise UsageError("downloads are chosen in more than one way", hint="give ids or keys, or --tag T, or --all")
    if ids:
        return [find(reading, text) for text in ids]
    return _whole(reading, State.REMOVED.shown) if everything else reading.downloads(tag=tag)


def _whole(reading: Reading, removed: str) -> Iterator[Download]:
    yield from reading.downloads()
    yield from reading.downloads(state=removed)


def _rows(words: Words, states: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Yield what is shown of each, and keep what the log is to be told."""
    for state in states:
        words.take(state.download, state.verdict)
        yield state.row()
