"""Asking for downloads: a request becomes an order, its secrets go into the vault, and then its event is logged."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain import secrets
from lading.domain.download import Download
from lading.domain.errors import DestinationTaken
from lading.domain.evolving import evolve
from lading.domain.facts import Context
from lading.domain.ports import Conflict, Entry, Secrets
from lading.domain.requests import IfExists, Order, Request
from lading.domain.states import State
from lading.keys import key_stream
from lading.placing import Places, locate
from lading.repeats import Repeats
from lading.services import Services

Parted = tuple[Order, Secrets | None]


class Submitting:
    """Queues downloads for an engine whose download folder is `folder`, None for none, and which stands in `cwd`."""

    def __init__(self, services: Services, places: Places, repeats: Repeats, *, folder: str | None, cwd: str) -> None:
        self._s = services
        self._places = places
        self._repeats = repeats
        self.folder = folder
        self.cwd = cwd

    def act(self) -> Context:
        """Return in whose name the events of one act of a person are written: they share a correlation."""
        return attrs.evolve(self._s.context, correlation=self._s.chance.uuid(self._s.clock.now_ns()))

    async def submit(self, requests: Sequence[Request], act: Context, *, again: bool = False) -> list[Download]:
        """Queue downloads, in order, in one commit; their secrets are kept before that.

        Where they may be asked for `again`, what repeats a request that has not ended means the same download.

        Raises:
            InvalidDestination, DestinationTaken, StoreUnavailable: nothing was queued.
        """
        parted = await self._s.threads.run(lambda: [self.part(request) for request in requests])
        repeated = await self._s.threads.run(lambda: self._repeats.find(parted)) if again else [None] * len(parted)
        now_ns = self._s.clock.now_ns()
        asked = [(self._s.chance.uuid(now_ns), order) for order, _ in parted]
        while True:
            answers, entries = await self._answer(asked, repeated, now_ns, act)
            new = {download.id for download in answers}
            secret = [(id, kept) for (id, _), (_, kept) in zip(asked, parted, strict=True) if kept and id in new]
            if secret:
                await self._s.threads.run(functools.partial(self._s.vault.keep, secret))
            if not entries or not isinstance((await self._s.journal.append([entries]))[0], Conflict):
                return answers

    async def _answer(
        self, asked: Sequence[tuple[UUID, Order]], repeated: Sequence[Download | None], now_ns: int, act: Context
    ) -> tuple[list[Download], list[Entry]]:
        """Return the download that each order means, and the events that make the new ones, in order.

        One that a key names already is that one, and so is what an order has `repeated`. Where somebody else claims a
        key at the same time, the request conflicts as a whole, and is answered anew.
        """
        answers: list[Download] = []
        entries: list[Entry] = []
        named: dict[str, Download] = {}
        for (id, order), before in zip(asked, repeated, strict=True):
            known, claims = (named.get(order.key), 0) if order.key else (before, 0)
            if order.key and known is None:
                known, claims = await self.named(order.key)
            if known is None:
                known = evolve(None, e.Queued(order=order), stream=id, at_ns=now_ns)
                entries += self.entries(id, order, claims, now_ns, act)
            if order.key:
                named[order.key] = known
            answers.append(known)
        return answers, entries

    async def named(self, key: str) -> tuple[Download | None, int]:
        """Return the download that has the caller's key, if it was not removed, and how often the key was claimed."""
        claims = await self._s.journal.facts(key_stream(key))
        if not claims:
            return None, 0
        claim = claims[-1].event
        assert isinstance(claim, e.KeyClaimed)
        held = await self._s.journal.load(claim.download)
        gone = held is None or held.state in {State.REMOVED, State.REMOVING}
        return (None if gone else held), len(claims)

    def entries(self, id: UUID, order: Order, claims: int, now_ns: int, act: Context) -> list[Entry]:
        """Return what makes a new download: its first event, and the claim of its key, which had so many before."""
        made: list[Entry] = []
        if order.key:
            claim = e.KeyClaimed(key=order.key, download=id)
            made.append(self.entry(key_stream(order.key), claims + 1, claim, now_ns, act))
        return [*made, self.entry(id, 1, e.Queued(order=order), now_ns, act)]

    def entry(self, stream: UUID, version: int, event: e.Event, now_ns: int, act: Context) -> Entry:
        """Seal one event of an act."""
        return self._s.journal.entry(stream, version, event, now_ns, act)

    def part(self, request: Request) -> Parted:
        """Return the order that a request makes, and its secrets; blocks.

        Raises:
            InvalidDestination: the path leaves the download folder.
            DestinationTaken: the file that it names exists and `if_exists` is fail.
        """
        root, folder, name = locate(request.path, request.folder, self.folder, self.cwd)
        if name is not None and request.if_exists is IfExists.FAIL and request.key is None:
            final = self._places.absolute(root, str(Path(folder) / name))
            if self._s.disk.inode(final) is not None:
                raise DestinationTaken(f"{final} exists already")
        return secrets.part(request, self._s.vault.handle, root=root, folder=folder, name=name)
