"""What `undo` and `redo` share: who carries it out, and what is said of it.

When no engine owns the home, the verb becomes its owner for a moment, so that files are where they belong when it
returns; it starts no downloads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lading.tools.cli.frame import Frame

if TYPE_CHECKING:
    from lading.acts import Taken
    from lading.domain.download import Download

_DOINGS = {
    "Queued": ("add", "adding"),
    "Cancelled": ("cancel", "cancelling"),
    "Removed": ("remove", "removing"),
    "Paused": ("pause", "pausing"),
    "Resumed": ("resume", "letting go on"),
    "Reprioritised": ("prioritise", "giving another priority to"),
    "LimitChanged": ("limit", "limiting"),
    "SourceReplaced": ("refresh-url", "giving another URL to"),
    "FinishRequested": ("finish", "finishing"),
    "Forgotten": ("forget", "forgetting the secrets of"),
    "QueuePaused": ("pause --queue", "pausing the queue"),
    "QueueResumed": ("resume --queue", "letting the queue go on"),
}
"""The verb of each kind of act, and what a person was doing with it."""


def carry_out(frame: Frame, *, back: bool, skip: bool = False) -> None:
    """Undo, or with `back` redo, and tell what that was; with `skip` the undo leaves it as it is.

    Raises:
        UsageError: there is nothing to, or it cannot be, and why.
    """
    import trio

    from lading.tools.cli import homes
    from lading.tools.cli.answers import note

    homes.existing(frame)

    async def main() -> tuple[Taken, list[Download]]:
        async with homes.working(frame, start=False) as engine:
            taken = await (engine.redo() if back else engine.undo(skip=skip))
            found = [] if skip else [await engine.get(id) for id in taken.downloads]
            return taken, [download for download in found if download.invalid is not None]

    taken, invalid = trio.run(main)
    _say(frame, taken, back=back, skip=skip)
    for download in invalid:
        note(frame, wrong(download))


def wrong(download: Download) -> str:
    """Return what is wrong with the file of a download, and where what it had replaced is, if that is kept."""
    from lading.projections import progress

    kept = progress.below(download.order, download.replaced)
    aside = "" if kept is None else f"; what it had replaced is kept as {kept}"
    return f"{download.id}: {download.invalid}{aside}"


def _say(frame: Frame, taken: Taken, *, back: bool, skip: bool) -> None:
    from lading.tools.cli.answers import answer, note

    verb, doing = _DOINGS[taken.kind]
    ids = [str(id) for id in taken.downloads]
    row = {
        "act": str(taken.act),
        "undone": not back and not skip,
        "command": verb,
        "downloads": ids,
        "changed": taken.changed,
    }
    which = f" {ids[0]}" if len(ids) == 1 else f" {len(ids):,} downloads" if ids else ""
    answer(frame, row, f"{'left as it is' if skip else 'done again' if back else 'undone'}: {doing}{which}")
    if ids and not skip and taken.changed < len(ids):
        ended = len(ids) - taken.changed
        note(frame, f"{ended:,} of them had come to their end meanwhile, which made no difference")
