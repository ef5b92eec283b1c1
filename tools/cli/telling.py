"""Telling the log what a verb has seen of published files: that one is gone or has changed, or is right again."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from uuid import UUID

from lading.tools.cli.frame import Frame

if TYPE_CHECKING:
    from lading.domain.commands import Confirm, Invalidate
    from lading.domain.download import Download
    from lading.domain.upkeep import Verdict

MOST_WORDS = 10_000
"""More are told by the next look."""


class Words:
    """What is to be told, gathered while a verb looks."""

    def __init__(self) -> None:
        self.said: list[tuple[UUID, Invalidate | Confirm]] = []

    def take(self, download: Download, verdict: Verdict) -> None:
        """Keep what the log does not know yet."""
        from lading.domain import upkeep

        word = upkeep.word(download, verdict)
        if word is not None and len(self.said) < MOST_WORDS:
            self.said.append((download.id, word))


def tell(frame: Frame, words: Words) -> None:
    """Append what was gathered, as the owner of the home for a moment if nobody is; a home that is only read is left.

    Nothing is opened where there is nothing to tell.
    """
    if not words.said:
        return
    import trio

    from lading.domain.errors import StoreError
    from lading.tools.cli import homes

    async def main() -> None:
        async with homes.working(frame, start=False) as engine:
            await engine.upkeep.say(words.said)

    with contextlib.suppress(StoreError):
        trio.run(main)
