"""The cache of an engine: what it has kept is served from there, and what was published is kept, beside all else.

Storing is the business of one task, which takes what was published out of a queue of bounded length; whoever fetches
never waits for it. When the engine closes, it has a moment to finish, and is given up then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import attrs
import trio

from lading.buffers import SIZES, Buffers
from lading.domain import caching, secrets
from lading.domain import commands as c
from lading.domain.caching import Freed, Room, Stored
from lading.domain.digests import Digest
from lading.domain.download import Download
from lading.domain.errors import Fenced
from lading.domain.keeping import Blob, Cache
from lading.domain.ports import Clock, Secrets, Threads, Vault
from lading.domain.replies import Head, Receive
from lading.domain.tally import Tally
from lading.domain.validators import Validator
from lading.flights import Flights
from lading.holding import Holding
from lading.mishaps import Mishaps
from lading.settings import Settings
from lading.storing import Filled, Storing

if TYPE_CHECKING:
    from lading.work import Work

MOST_TO_STORE = 256
CLOSING_S = 2.0
"""How long storing may go on when the engine closes."""


class _Wish(NamedTuple):
    """What is to be stored: which download had it, by which key, and where it lies."""

    id: UUID
    key: str
    path: str
    stored: Stored


class Caching:
    """Serves out of the cache, stores into it, and says who waits for whom; `run` is its task.

    `on_landing` is called when downloads that waited may go on.
    """

    def __init__(
        self, cache: Cache, vault: Vault, threads: Threads, clock: Clock, settings: Settings, *, mishaps: Mishaps
    ) -> None:
        self._cache = cache
        self._vault = vault
        self._threads = threads
        self._clock = clock
        self._mishaps = mishaps
        self._is_on = settings.cache != "off"
        self._is_stopping = False
        self._room = Room(
            most_bytes=settings.cache_bytes,
            least_bytes=settings.cache_least_bytes,
            reserve_bytes=settings.reserve_bytes,
            reserve_percent=settings.disk_free_percent,
            link=settings.cache == "link",
        )
        self._flights = Flights()
        self._send, self._receive = trio.open_memory_channel[_Wish](MOST_TO_STORE)
        self._wished: dict[UUID, bool] = {}
        self._done = trio.Event()
        self.on_landing: Callable[[], None] = lambda: None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Store what there is to be stored, until `close`."""
        task_status.started()
        try:
            async for wish in self._receive:
                kept = False
                with self._mishaps.survived("keeping a file in the cache"):
                    kept = await self._threads.run(functools.partial(self._store, wish))
                if not self._wished.pop(wish.id, True) and kept:
                    await self.drop(wish.stored.digest)
                    kept = False
                self._land(wish.key, wish.id, kept=kept)
        finally:
            self._done.set()

    async def close(self) -> None:
        """Take nothing more, and wait a moment until all that there is has been stored; the rest is given up."""
        self._send.close()
        with trio.move_on_after(CLOSING_S):
            await self._done.wait()
        self.stop()

    def stop(self) -> None:
        """Give up what is being stored."""
        self._is_stopping = True

    def _store(self, wish: _Wish) -> bool:
        if self._is_stopping:
            return False
        if not self._wished.get(wish.id, True):
            return False
        return self._cache.keep(wish.key, wish.stored, wish.path, self._room, lambda: self._is_stopping)

    def _land(self, key: str, id: UUID, *, kept: bool) -> None:
        if self._flights.land(key, id, self._clock.monotonic(), kept=kept):
            self.on_landing()

    async def weigh(self) -> Freed:
        """Return how many contents are kept, and how many bytes."""
        return await self._threads.run(self._cache.weigh)

    async def clear(self) -> Freed:
        """Let go of everything that is kept, and return how many contents went, and how many bytes."""
        return await self._threads.run(self._cache.clear)

    async def forget(self, download: Download, kept: Secrets | None) -> None:
        """Let go of what a download had, of what was got by its secrets, and of the keys that were made of them."""
        self._forget_wish(download.id)
        calls = secrets.join(download.order, kept) if kept is not None else ()
        keys = [self._vault.handle(caching.words(call.url, call.headers)) for call in calls]
        found = [await self.find(key, None) for key in keys]
        gone = {stored.digest for stored in found if stored is not None}
        if download.digest is not None and caching.is_name(download.digest):
            gone.add(str(Digest.parse(download.digest)))
        for digest in sorted(gone):
            await self.drop(digest)

    def _forget_wish(self, id: UUID) -> None:
        """See to it that what waits to be stored of a download is not, or not for long."""
        if id in self._wished:
            self._wished[id] = False

    async def evict(self, most_bytes: int) -> Freed:
        """Let go of what was used least lately until not more than so many bytes are kept, and return what went."""
        return await self._threads.run(lambda: self._cache.evict(most_bytes))

    def held_back(self) -> frozenset[UUID]:
        """Return which downloads are still to wait for another that fetches the same."""
        return self._flights.held_back(self._clock.monotonic())

    def may_go_on(self, id: UUID) -> bool:
        """Tell whether a download that waits for another has to wait no more."""
        return self._flights.may_go_on(id, self._clock.monotonic())

    async def claim(self, work: Work, kept: Secrets | None) -> Claim:
        """Return what an attempt may take from the cache, or put there, and wait for another that fetches the same.

        Raises:
            Fenced: another does, and this was told that it waits for that.
            TransferError: the secrets of the download are lost.
        """
        download = work.download
        claim = Claim(self, download, await self._key(work, kept))
        leader = claim.wait_for()
        if leader is not None:
            await work.report(c.Block(reason=caching.BLOCKED, message=caching.notice(leader)))
            raise Fenced("another fetches the same")
        return claim

    async def _key(self, work: Work, kept: Secrets | None) -> str | None:
        """Return what the source of a download is known by, None where the cache has no business with it."""
        order = work.download.order
        if not self._is_on or not order.cache:
            return None
        call = work.calls(kept)[work.download.source % len(order.sources)]
        words = caching.words(call.url, call.headers)
        return await self._threads.run(lambda: self._vault.handle(words)) if order.secret else caching.plain_key(words)

    # -- for claims ------------------------------------------------------------------------------------------------

    def join(self, key: str, id: UUID) -> UUID | None:
        """Let a download lead, or return which one it is to wait for."""
        return self._flights.join(key, id, self._clock.monotonic())

    def give_up(self, key: str, id: UUID) -> None:
        """Let nobody wait for a download."""
        if self._flights.give_up(key, id):
            self.on_landing()

    def leave(self, id: UUID) -> None:
        """Let nobody wait for a download that is to be slow from now on."""
        if self._flights.leave(id):
            self.on_landing()

    def land(self, key: str, id: UUID) -> None:
        """Note that a download has stored nothing and will not."""
        self._land(key, id, kept=False)

    def store(self, id: UUID, key: str, path: str, stored: Stored) -> bool:
        """Have something stored when there is time; tell whether there is room to remember that."""
        stored = attrs.evolve(stored, stored_ns=self._clock.now_ns())
        try:
            self._send.send_nowait(_Wish(id, key, path, stored))
            self._wished[id] = True
        except (trio.WouldBlock, trio.ClosedResourceError, trio.BrokenResourceError):
            return False
        return True

    def may_be_kept(self, head: Head, receive: Receive) -> bool:
        """Tell whether what is to be received may be kept."""
        return caching.may_be_kept(head, receive.validator, receive.total, self._room)

    async def find(self, key: str | None, digest: str | None) -> Stored | None:
        """Return what was got by a key, or what has a digest."""
        if self._cache.is_empty:
            return None
        if digest is None:
            return None if key is None else await self._threads.run(lambda: self._cache.find(key))
        return await self._threads.run(lambda: self._cache.having(digest))

    async def drop(self, digest: str) -> None:
        """Let go of a content."""
        await self._threads.run(lambda: self._cache.drop(digest))

    async def fill(self, held: Holding, stored: Stored, expected: str | None, buffers: Buffers) -> bool:
        """Put a content into the part of an attempt, digested while it is read; tell whether it is what it should be.

        If it is not, or this is cancelled, nothing is held.

        Raises:
            DiskFull, OSError: the disk failed.
        """
        blob = await self._threads.run(lambda: self._cache.open(stored.digest, self._clock.now_ns()))
        if blob is None:
            return False
        is_it = False
        wanted = [stored.digest, *([str(Digest.parse(expected))] if expected else [])]
        try:
            await held.start_over(stored.size, _also(stored, expected))
            await self._pour(held, blob, stored.size, buffers)
            is_it = held.tally.at == stored.size and all(held.tally.agrees(digest) for digest in wanted)
        finally:
            blob.close()
            if not is_it:
                held.forget()
        return is_it

    async def _pour(self, held: Holding, blob: Blob, size: int, buffers: Buffers) -> None:
        """Copy a content into a part, unless the part can share its blocks; digest it either way."""
        if blob.descriptor < 0 or not await held.clone(blob.descriptor, size):
            storing = Storing(held, self._threads, buffers, size, None)
            await storing.run(lambda: self._read_all(blob, size, buffers, storing))

    async def _read_all(self, blob: Blob, size: int, buffers: Buffers, storing: Storing) -> None:
        at = 0
        while at < size:
            buffer, count = buffers.take(SIZES[-1]), 0
            try:
                count = min(await self._threads.run(partial(blob.read_into, at, buffer)), size - at)
            finally:
                if not count:
                    buffers.give_back(buffer)
            if not count:
                return
            await storing.put(Filled(buffer, count, at, None, due=False))
            at += count


class Claim:
    """One attempt's business with the cache; without a key it has none.

    Args:
        caching: the engine's.
        download: what is attempted.
        key: what it is known by.
    """

    def __init__(self, caching: Caching, download: Download, key: str | None) -> None:
        self._caching = caching
        self._download = download
        self._key = key
        self._disposition: str | None = None
        self._joined = self._is_kept = False

    def wait_for(self) -> UUID | None:
        """Return the download that fetches the same already and is to be waited for; else others wait for this one.

        Who holds bytes already goes on with them, and nobody waits for who is to be slow.
        """
        download = self._download
        if self._key is None or download.durable or download.limit_rate is not None:
            return None
        leader = self._caching.join(self._key, download.id)
        self._joined = True
        return leader

    async def by_digest(self) -> Stored | None:
        """Return the content that the order wants by its digest, with the name that a server gave it for this key."""
        expected = self._download.expected
        if self._key is None or expected is None:
            return None
        stored = await self._caching.find(None, str(Digest.parse(expected)))
        if stored is None:
            return None
        known = await self._caching.find(self._key, None)
        is_same = known is not None and known.digest == stored.digest
        return attrs.evolve(stored, disposition=known.disposition) if known is not None and is_same else stored

    async def by_key(self) -> Stored | None:
        """Return what was got from here last, if it may be what the order wants and a server can be asked about it."""
        stored = await self._caching.find(self._key, None) if self._key is not None else None
        fits = stored is not None and caching.fits(stored, self._download.expected)
        return stored if fits and stored is not None and caching.is_telling(stored.validator) else None

    async def fill(self, held: Holding, stored: Stored, buffers: Buffers) -> bool:
        """Put a content into the part; what is not what it should be is let go of, and nothing is held then.

        Raises:
            DiskFull, OSError: the disk failed.
        """
        if await self._caching.fill(held, stored, self._download.expected, buffers):
            return True
        await self._caching.drop(stored.digest)
        return False

    def note(self, head: Head, receive: Receive) -> None:
        """Note what the answer says about keeping what follows; where it is not to be kept, nobody waits for it."""
        disposition = head.headers.get("content-disposition")
        self._disposition = disposition if disposition and len(disposition) <= caching.LONGEST_NAME else None
        alone = not self._download.order.together  # what waits for its bundle has nothing to keep before that is there
        self._is_kept = alone and self._key is not None and self._caching.may_be_kept(head, receive)
        if not self._is_kept and self._joined and self._key is not None:
            self._caching.give_up(self._key, self._download.id)

    def store(self, path: str, tally: Tally, assurance: str, validator: Validator) -> None:
        """Have what was published kept, if it may be; nobody waits for that."""
        if self._key is None or not self._is_kept or assurance not in {"digest", "length"}:
            return
        if not caching.is_name(tally.digest) or not caching.is_telling(validator):
            return
        stored = Stored(
            digest=tally.digest,
            size=tally.at,
            validator=attrs.evolve(validator, length=tally.at),
            disposition=self._disposition,
        )
        if self._caching.store(self._download.id, self._key, path, stored):
            self._joined = False

    def let_go(self) -> None:
        """End this: whoever waits for it may go on, unless storing is to tell them."""
        if self._joined and self._key is not None:
            self._joined = False
            self._caching.land(self._key, self._download.id)


def _also(stored: Stored, expected: str | None) -> str | None:
    """Return how else than the order wants a content is to be digested: as its name is, or as its server says."""
    own = stored.digest.partition(":")[0]
    if own != (Digest.parse(expected).algorithm if expected else "sha256"):
        return own
    return None if stored.validator.digest is None else stored.validator.digest.partition(":")[0]
