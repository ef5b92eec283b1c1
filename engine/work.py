"""What an attempt has in hand: its download as the log has it, the part file, and what it has not said yet.

Everything that an attempt says goes through `report`, under its own number, so that the journal can refuse it the
moment that it no longer owns the download.
"""

from __future__ import annotations

from uuid import UUID

import attrs

from lading.domain import commands as c
from lading.domain import digests, holdings, secrets
from lading.domain.digests import Digest
from lading.domain.disks import Part
from lading.domain.download import Download
from lading.domain.errors import TransferError
from lading.domain.faults import Cause
from lading.domain.pieces import Piece
from lading.domain.ports import Call, Secrets
from lading.domain.requests import Order
from lading.domain.routes import Route
from lading.domain.states import State
from lading.domain.validators import Validator
from lading.holding import Holding
from lading.services import Services

STAGED = "it is whole, and waits for the rest of its bundle"


class Work:
    """The attempt's side of one download. `number` is 0 until the attempt has started."""

    def __init__(self, services: Services, download: Download) -> None:
        self._s = services
        self.download = download
        self.number = 0
        self.holding: Holding | None = None
        self.probe: c.Probe | None = None
        self.features = services.settings.features
        self.route = Route(own=self.features.is_on("own_transport", download.id))
        self._said: set[str] = set()
        self._joined: tuple[Order, tuple[Call, ...]] | None = None

    @property
    def id(self) -> UUID:
        """The download."""
        return self.download.id

    @property
    def present(self) -> Download:
        """The download as it is at this moment: with the bytes that are held, logged or not."""
        return Download.of({"durable": self.held.tally.held}, self.download)

    @property
    def held(self) -> Holding:
        """The part file, which every step after the beginning has."""
        assert self.holding is not None, "an attempt has its part file before it fetches"
        return self.holding

    @property
    def budget(self) -> int:
        """How many retries the download may have."""
        own = self.download.order.retries
        return 0 if not self.features.is_on("retry", self.id) else self._s.settings.retries if own is None else own

    def calls(self, kept: Secrets | None) -> tuple[Call, ...]:
        """Return how each source is asked, secrets included, by the route of this attempt."""
        order = self.download.order
        if self._joined is None or self._joined[0] is not order:
            self._joined = order, tuple(attrs.evolve(call, route=self.route) for call in secrets.join(order, kept))
        return self._joined[1]

    async def report(self, *reports: c.Command) -> None:
        """Have the log record what happened, in one request.

        Raises:
            Fenced: this attempt no longer owns the download; it must stop.
        """
        told = (*self._degraded(), *reports)
        self.download = await self._s.journal.execute(self.id, *told, state=self.download, context=self._s.context)

    def _degraded(self) -> list[c.Degrade]:
        """Return what there is to say of fast paths that have failed since anything was said last."""
        if self.download.state not in {State.ACTIVE, State.PAUSING} or not self.number:
            return []
        failed = {
            "own_transport": self.route.failure,
            "direct_io": None if self.holding is None else self.holding.refusal,
        }
        new = [
            c.Degrade(attempt=self.number, feature=feature, message=message)
            for feature, message in failed.items()
            if message is not None and feature not in self._said
        ]
        self._said.update(degrade.feature for degrade in new)
        return new

    async def reload(self) -> Download:
        """Return the download as the log has it now, whoever changed it."""
        self.download = await self._s.journal.load(self.id, self.download) or self.download
        return self.download

    def hold(self, path: str, part: Part | None = None) -> Holding:
        """Take a part in hand, to be digested as the order wants; one that is not there yet is made when needed."""
        expected, known = self.download.expected, self.download.validator
        self.holding = Holding(
            path,
            part,
            self._s.disk,
            self._s.threads,
            algorithm=Digest.parse(expected).algorithm if expected else digests.DEFAULT,
            also=None if expected or known is None or known.digest is None else Digest.parse(known.digest).algorithm,
            reserve_bytes=self._s.settings.reserve_bytes,
            direct=self.features.is_on("direct_io", self.id),
        )
        return self.holding

    async def pieces(self, up_to_version: int | None = None) -> tuple[Piece, ...]:
        """Return the pieces that the log vouches for, in order of their bytes."""
        facts = await self._s.journal.facts(self.id)
        return holdings.standing(fact.event for fact in facts if up_to_version is None or fact.version <= up_to_version)

    async def mendable(self) -> tuple[Piece, ...]:
        """Return the pieces of the published file that a repair may begin with, in order of their bytes."""
        facts = await self._s.journal.facts(self.id)
        return holdings.mendable([fact.event for fact in facts], self.download.validator)

    async def checkpoint(self, *more: c.Report) -> None:
        """Flush, and then have the log vouch for what was flushed (law 2).

        Raises:
            OSError: the flush failed; what it was for does not count.
        """
        pieces = await self.held.flush()
        await self.vouch(pieces, *more)
        self.held.tally.logged(pieces)

    async def vouch(self, pieces: tuple[Piece, ...], *more: c.Report) -> None:
        """Have the log vouch for pieces that were flushed, and for nothing else that it has not been told of."""
        first: tuple[c.Report, ...] = (self.probe,) if self.probe is not None else ()
        await self.report(*first, c.Vouch(attempt=self.number, pieces=pieces), *more)
        self.probe = None

    def verification(self, inode: int, assurance: str) -> c.Verify:
        """Return what is to be said once the whole is held, digested and found to be what was expected."""
        tally = self.held.tally
        return c.Verify(attempt=self.number, digest=tally.digest, size=tally.at, inode=inode, assurance=assurance)

    async def start_over(self, reason: str, changed: tuple[Validator, Validator] | None = None) -> None:
        """Give up what is held: say so first, then empty the part."""
        await self.report(c.StartOver(attempt=self.number, reason=reason, changed=changed))
        self.probe = None
        await self.held.start_over(None)

    def unless_repairing(self, reason: str) -> None:
        """Refuse what is surely not what was published, where that is to be had back.

        Raises:
            TransferError: this is a repair; what is damaged stays as it is.
        """
        if self.download.repairs:
            raise TransferError(f"it cannot be repaired from here: {reason}", cause=Cause.UNREPAIRABLE)
