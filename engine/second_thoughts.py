"""What people ask of downloads after all: that they end here, come from elsewhere, or had never been asked for.

A part of the face of an engine; it is a module of its own for its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from uuid import UUID

from lading.acts import Acts, Taken
from lading.domain import commands as c
from lading.domain.download import Download
from lading.domain.facts import Context
from lading.refreshing import refresh
from lading.services import Services


class SecondThoughts:
    """The methods of `lading.engine.Engine` that change what was asked for."""

    _s: Services
    _acts: Acts

    if TYPE_CHECKING:

        async def get(self, id: UUID) -> Download: ...  # noqa: D102 # the engine says it
        def notice(self) -> None: ...  # noqa: D102 # the engine says it
        def _act(self) -> Context: ...
        async def _control(self, ids: Iterable[UUID], command: c.Control, *, wait: bool) -> list[Download]: ...

    async def finish(self, *ids: UUID, wait: bool = True) -> list[Download]:
        """Let endless bodies end here: what has arrived is the file, for which nothing but a digest vouches.

        It lies there when this returns, unless `wait` is false.
        """
        return await self._control(ids, c.Finish(), wait=wait)

    async def forget(self, *ids: UUID, wait: bool = True) -> list[Download]:
        """Give up the secrets of downloads for good: their keys are shredded, and the vault is written anew.

        What runs by its secrets is paused first. That is done when this returns, as far as an engine owns the home and
        the disk has room for it (`Download.shredding`), unless `wait` is false. It cannot be undone.
        """
        return await self._control(ids, c.Forget(), wait=wait)

    async def refresh_url(self, id: UUID, url: str, *, headers: Mapping[str, str] | None = None) -> Download:
        """Fetch a download from another URL; one that failed or lost its secret goes on at once.

        What was received counts where the new URL names the same resource, or the order has a digest. `headers` give
        those of the request again, all of them and no others, with other values or because they are lost.

        Raises:
            UnknownDownload: there is none of that id.
            InvalidURL: the URL cannot be meant.
            IllegalCommand: the download cannot have another URL now, and why.
        """
        refreshed = await refresh(self._s, await self.get(id), url, self._act(), headers=headers)
        self.notice()
        return refreshed

    async def undo(self, *, skip: bool = False) -> Taken:
        """Take back the last act of this engine's actor: what one call asked for, of however many downloads.

        When this returns, it is durable, and files are where it wants them. With `skip` nothing is taken back: what
        was done stands, and the next undo is about the act before it.

        Raises:
            UsageError: there is nothing to undo.
            IllegalCommand: it cannot be undone, and why; nothing was recorded.
        """
        return await self._acts.turn(skip=skip)

    async def redo(self) -> Taken:
        """Do again what was undone last, as long as this actor has asked for nothing else since.

        Raises:
            UsageError: there is nothing to redo.
            IllegalCommand: it cannot be done again, and why; nothing was recorded.
        """
        return await self._acts.turn(back=True)
