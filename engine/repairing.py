"""Repair: a published file that has rotted is made whole again, at the price of its damaged pieces alone.

The log has a digest of each piece of a larger file, made when its bytes arrived, so no server need know any digest. An
owner and a client alike look at the file, tell the log what is wrong, and ask; the owner makes an attempt of it, like
any other, that begins with a copy of what is sound. The damaged file stays where it is until the new one is whole and
has the very digest that was published; then it is put aside, as by any overwriting. Whoever is killed on the way leaves
an attempt to be recovered, and nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from lading.domain import commands as c
from lading.domain import holdings, spans
from lading.domain.download import Download
from lading.domain.errors import IllegalCommand
from lading.domain.states import State
from lading.domain.upkeep import Presence
from lading.files import Files
from lading.inspection import FileState
from lading.services import Services
from lading.upkeep import Upkeep


@attrs.frozen(kw_only=True)
class Repair:
    """What was found of one download, and whether it is to be repaired.

    `damaged` are the bytes that are not what was published, as far as pieces tell, in spans; the whole file where none
    do. It is empty where nothing is wrong, and of what has no published file, which is judged when it goes on.
    """

    download: Download
    path: str | None
    damaged: spans.Spans
    repairs: bool

    def row(self) -> dict[str, Any]:
        """Return it as `lading repair --json` shows it."""
        return {
            "kind": "repair",
            "id": str(self.download.id),
            "key": self.download.order.key,
            "path": self.path,
            "repairs": self.repairs,
            "damaged": [list(span) for span in self.damaged],
            "bytes": spans.size(self.damaged),
            "size": self.download.total,
        }


class Mending:
    """The side of an engine that repairs."""

    upkeep: Upkeep
    _s: Services
    _damage: Files

    if TYPE_CHECKING:

        async def _control(self, ids: Iterable[UUID], command: c.Control, *, wait: bool) -> list[Download]: ...

    async def repair(self, *ids: UUID) -> list[Repair]:
        """Look at the files of downloads, whole, and queue those that are damaged to be repaired.

        What is not complete is tried again, with what is held judged piece by piece. When this returns it is durable;
        `wait` waits for it.

        Raises:
            UnknownDownload: there is none of one of the ids.
            IllegalCommand: one cannot be repaired, and why; nothing was asked of any.
        """
        found = [await self._find(state) for state in await self.upkeep.files(ids, tag=None, digest=True)]
        asked = [repair.download.id for repair in found if repair.repairs]
        await self.upkeep.make_way(asked)
        after = {download.id: download for download in await self._control(asked, c.Repair(), wait=False)}
        return [attrs.evolve(repair, download=after.get(repair.download.id, repair.download)) for repair in found]

    async def _find(self, state: FileState) -> Repair:
        download, presence = state.download, state.verdict.presence
        if download.state is not State.COMPLETED:
            goes_on = download.state in {State.FAILED, State.PAUSED, State.WAITING} and not download.staged
            return Repair(download=download, path=state.path, damaged=(), repairs=goes_on)
        if presence is Presence.VALID:
            return Repair(download=download, path=state.path, damaged=(), repairs=False)
        if presence not in {Presence.NOT_VALID, Presence.ABSENT}:
            raise IllegalCommand(f"the file of the download {download.id} cannot be repaired: {state.verdict.reason}")
        damaged: spans.Spans = ((0, download.total or 0),)
        if presence is Presence.NOT_VALID and state.path is not None:
            facts = await self._s.journal.facts(download.id)
            pieces = holdings.published(fact.event for fact in facts)
            look = functools.partial(self._damage.damaged, state.path, pieces, download.total or 0)
            damaged = await self._s.threads.run(look)
        return Repair(download=download, path=state.path, damaged=damaged, repairs=True)
