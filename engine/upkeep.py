"""Maintenance: what an owner does from time to time, and `lading clean` at once, so that nothing gathers dust.

Stale failures leave the queue, and their parts go with them; parts that no download vouches for any more are removed
from the folders that the log knows; published files are looked at, and the log is told of one that is gone or has
changed. The intent is always in the log before anything goes: `Removed` for a failure; for an orphan what its own
download said when it ended, or started with another part. So all of it may be cut off anywhere, and done again.

A run of the periodic task is bounded, and the next one goes on where it was. The decisions are in
`lading.domain.upkeep`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import attrs

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain import upkeep
from lading.domain.download import Download
from lading.domain.errors import DiskFull, Fenced, IllegalCommand, InvalidDestination, StoreUnavailable, UnknownDownload
from lading.domain.facts import Context
from lading.domain.requests import IfExists
from lading.domain.states import State
from lading.domain.upkeep import Presence
from lading.files import Files
from lading.inspection import FileState, Inspector
from lading.letting_go import LettingGo
from lading.nurseries import open_plain_nursery
from lading.orphans import Orphans
from lading.placing import Places
from lading.projections import upkeep as due
from lading.quarantine import NOT_NOW, Quarantine
from lading.reading import Reading
from lading.services import Services

FIRST_S = 60.0
"""After so long an engine is no longer one that was opened for a moment."""

PAGE = 256
MOST_FAILURES, MOST_FOLDERS, MOST_LOOKS = 10_000, 256, 2_000
MOST_READ_BYTES = 4 * 1024**3
"""What one run of the periodic task may do: downloads, folders, files looked at, and bytes read of doubtful ones."""

_ENDLESS = 2**62
_ACTOR = "upkeep"

Tell = Callable[[dict[str, Any]], None]
Word = tuple[UUID, c.Invalidate | c.Confirm]


@attrs.define(kw_only=True)
class Tidied:
    """How many of each were dealt with, and the bytes that went from the disk."""

    failures: int = 0
    orphans: int = 0
    quarantined: int = 0
    evicted: int = 0
    invalidated: int = 0
    bytes_reclaimed: int = 0


@attrs.frozen(kw_only=True)
class _Errand:
    """One run: up to when failures are stale, how much may be done, in whose name, and who is told of each thing."""

    before_ns: int
    context: Context
    dry: bool = False
    cache: bool = False
    failures: int = _ENDLESS
    folders: int = _ENDLESS
    looks: int = _ENDLESS
    tell: Tell


class Upkeep:
    """Tidies up a home; a client only asks for what is to be done to files, and an owner does it.

    `settled` waits until what was asked of a download has been done, or for a while.
    """

    def __init__(
        self,
        services: Services,
        reading: Reading,
        places: Places,
        worker: UUID,
        *,
        owner: bool,
        settled: Callable[[Download], Awaitable[Download]],
    ) -> None:
        self._s = services
        self._reading = reading
        self._worker = worker
        self._is_owner = owner
        self._settled = settled
        self._inspector = Inspector(reading, services.disk, places)
        self._places = places
        self._orphans = Orphans(reading, services.disk, places)
        self._quarantine = Quarantine(services, Files(services.disk, places, reading.claims.is_anothers))
        self._letting_go = LettingGo(services, self._quarantine)
        self._folder: bytes | None = None
        self._file: int | None = None

    async def run(self) -> None:
        """Tidy up from time to time, while the engine is open; what cannot be done now waits for another time."""
        pause_s = self._s.settings.maintenance_s
        await self._s.clock.sleep(min(FIRST_S, pause_s))
        while True:
            with self._s.mishaps.survived("maintenance", DiskFull, StoreUnavailable, InvalidDestination, OSError):
                await self.maintain()
            await self._s.clock.sleep(pause_s)

    def stop(self) -> None:
        """Read no file any further: who waits for that waits no longer."""
        self._inspector.is_stopping = True

    async def maintain(self) -> Tidied:
        """Make one bounded run."""
        errand = _Errand(
            before_ns=self._before_ns(None),
            context=attrs.evolve(self._s.context, actor=_ACTOR),
            failures=MOST_FAILURES,
            folders=MOST_FOLDERS,
            looks=MOST_LOOKS,
            tell=lambda _: None,
        )
        return await self._tidy(errand)

    async def clean(self, *, older_than_s: float | None, dry_run: bool, cache: bool, tell: Tell) -> Tidied:
        """Do all there is to do, from the beginning, and empty the `cache`; with `dry_run` only tell of it."""
        self._folder = self._file = None
        act = attrs.evolve(self._s.context, correlation=self._s.chance.uuid(self._s.clock.now_ns()))
        before_ns = self._before_ns(older_than_s)
        return await self._tidy(_Errand(before_ns=before_ns, context=act, dry=dry_run, cache=cache, tell=tell))

    async def files(self, ids: Iterable[UUID], *, tag: str | None, digest: bool) -> list[FileState]:
        """Look at the files of downloads, of all that were not removed when none are named; say what has changed."""
        await self._s.threads.run(self._reading.catch_up)
        chosen = [await self._known(id) for id in ids]
        if not chosen:
            chosen = await self._s.threads.run(lambda: list(self._reading.downloads(tag=tag)))
        looks = [functools.partial(self._inspector.look, download, digest=digest) for download in chosen]
        states = [await self._s.threads.run(look) for look in looks]
        await self.say([(s.download.id, word) for s in states if (word := upkeep.word(s.download, s.verdict))])
        return states

    async def in_the_way(self, ids: Iterable[UUID]) -> set[UUID]:
        """Return those that are complete with another file at their path now, of which the request says nothing."""
        found: set[UUID] = set()
        for id in ids:
            download = await self._s.journal.load(id)
            if download is None or download.invalid is None or download.kept is not None:
                continue
            if download.state is State.COMPLETED and download.order.if_exists is IfExists.FAIL:
                state = await self._s.threads.run(functools.partial(self._inspector.look, download))
                if state.verdict.presence is Presence.NOT_VALID:
                    found.add(id)
        return found

    async def look_for(self, ids: Iterable[UUID]) -> None:
        """Look for the files of those that are complete and thought to be valid, and say what has changed."""
        loaded = [await self._s.journal.load(id) for id in ids]
        hoped = [d.id for d in loaded if d is not None and d.state is State.COMPLETED and d.invalid is None]
        if hoped:
            await self.look(hoped)

    async def make_way(self, ids: Iterable[UUID]) -> None:
        """Let go of what is kept of earlier replacements, where the file at the path is to be put aside now.

        Each has one place for that. Only a damaged copy that a repair put aside goes, said in an event of its own
        first; what may be somebody's stays, unless it was moved away.
        """
        for id in ids:
            download = await self._s.journal.load(id)
            if download is None or download.replaced is None or download.kept is not None:
                continue
            if download.state is not State.COMPLETED or download.invalid is None:
                continue
            facts = await self._s.journal.facts(id)
            if upkeep.is_damaged_copy(fact.event for fact in facts) or await self._is_gone(download):
                await self._letting_go.let_go(download, self._s.context)

    async def _is_gone(self, download: Download) -> bool:
        return await self._s.threads.run(lambda: self._quarantine.replaced(download)) is None

    async def look(self, ids: Sequence[UUID]) -> object:
        """Look at the files of downloads quickly, and say what has changed."""
        return await self.files(ids, tag=None, digest=False)

    async def _known(self, id: UUID) -> Download:
        download = await self._s.journal.load(id)
        if download is None:
            raise UnknownDownload(f"there is no download {id}")
        return download

    async def say(self, words: Sequence[Word]) -> int:
        """Tell the log what was seen of published files, and return how many are not valid now that were before.

        A download to which something happened since it was looked at has to be looked at again.
        """
        said: list[Download] = []

        async def tell(id: UUID, word: c.Invalidate | c.Confirm) -> None:
            with contextlib.suppress(Fenced, IllegalCommand):
                said.append(await self._s.journal.execute(id, word, context=self._s.context))

        for start in range(0, len(words), PAGE):
            async with open_plain_nursery() as nursery:
                for id, word in words[start : start + PAGE]:
                    nursery.start_soon(tell, id, word)
        return sum(download.invalid is not None for download in said)

    def _before_ns(self, older_than_s: float | None) -> int:
        older_s = self._s.settings.clean_after_s if older_than_s is None else older_than_s
        return self._s.clock.now_ns() - int(older_s * 1e9)

    async def _tidy(self, errand: _Errand) -> Tidied:
        done = Tidied()
        await self._s.threads.run(self._reading.catch_up)
        await self._expire(errand, done)
        if self._is_owner or errand.dry:
            await self._let_go(errand, done)
            await self._sweep(errand, done)
        if errand.cache:
            freed = await (self._s.caching.weigh() if errand.dry else self._s.caching.clear())
            done.evicted, done.bytes_reclaimed = freed.blobs, done.bytes_reclaimed + freed.bytes
        await self._inspect(errand, done)
        if self._is_owner and not errand.dry and done != Tidied():
            told = e.Maintained(worker=self._worker, **attrs.asdict(done))
            await self._s.journal.note(self._worker, told, context=errand.context)
        return done

    async def _expire(self, errand: _Errand, done: Tidied) -> None:
        """Take stale failures out of the queue, the longest ago first, and wait until their parts are gone."""
        after: bytes | None = None
        while done.failures < errand.failures:
            after, page = await self._s.threads.run(functools.partial(self._stale, errand.before_ns, after))
            if after is None:
                return
            async with open_plain_nursery() as nursery:
                for seen in page:
                    nursery.start_soon(self._expire_one, seen, errand, done)

    def _stale(self, before_ns: int, after: bytes | None) -> tuple[bytes | None, list[FileState]]:
        """Return the next stale failures, and the key of the last, None when there are no more; blocks."""
        with self._reading.views.read() as reader:
            page = list(islice(due.stale(reader, before_ns, after), PAGE))
        found = [download for _, id in page if (download := self._reading.get(id)) is not None]
        return page[-1][0] if page else None, [self._inspector.look(download) for download in found]

    async def _expire_one(self, seen: FileState, errand: _Errand, done: Tidied) -> None:
        download, size = seen.download, seen.verdict.size or 0
        if not errand.dry:
            expire = c.Expire(before_ns=errand.before_ns)
            download = await self._s.journal.execute(download.id, expire, state=download, context=errand.context)
            if download.state is not State.REMOVED:
                return
            if download.litter:
                download = await self._settled(download)
            if self._is_owner and download.quarantined_until_ns is not None:
                download = await self._delete(download, errand) or download
        done.failures += 1
        if errand.dry or download.part is None:
            done.bytes_reclaimed += size
        errand.tell({"kind": "failure", **seen.row(), "state": seen.download.state.shown, "size": size})

    async def _let_go(self, errand: _Errand, done: Tidied) -> None:
        """Delete what was put aside as long ago as stale failures ended, the longest ago first."""
        retention_ns = int(self._s.settings.retention_s * 1e9)
        passed: set[UUID] = set()
        while True:
            look = functools.partial(
                self._reading.overdue, errand.before_ns + retention_ns, retention_ns, PAGE + len(passed)
            )
            found = [download for download in await self._s.threads.run(look) if download.id not in passed]
            if not found:
                return
            for download in found:
                passed.add(download.id)
                if upkeep.is_stale(download, errand.before_ns):  # told already, as what it is
                    continue
                size = download.received or download.total or 0
                if not errand.dry and await self._delete(download, errand) is None:
                    continue
                done.quarantined += 1
                done.bytes_reclaimed += size
                path = self._shown(download, download.kept or download.replaced or download.part)
                errand.tell({"kind": "kept", "id": str(download.id), "path": path, "size": size})

    def _shown(self, download: Download, below: str | None) -> str | None:
        """Return where something of a download lies on this disk; as the log has it where its root is not known."""
        with contextlib.suppress(InvalidDestination):
            return None if below is None else self._places.absolute(download.order.root, below)
        return below

    async def _delete(self, download: Download, errand: _Errand) -> Download | None:
        """Delete what is put aside of a download, and say so; None when it is not deleted.

        What cannot be deleted now is left to the next time, and what somebody has taken back since it was looked at
        is his again.
        """
        present = await self._s.journal.load(download.id, download)
        if present is None or present.version != download.version:
            return None
        try:
            return await self._letting_go.let_go(download, errand.context)
        except NOT_NOW:
            return None

    async def _sweep(self, errand: _Errand, done: Tidied) -> None:
        """Remove orphans, folder by folder."""
        left = errand.folders
        while left > 0:
            sweep = functools.partial(self._orphans.sweep, self._folder, dry=errand.dry)
            self._folder, found = await self._s.threads.run(sweep)
            for path, id, size in found:
                done.orphans += 1
                done.bytes_reclaimed += size
                errand.tell({"kind": "orphan", "id": str(id), "path": path, "size": size})
            if self._folder is None:
                return
            left -= 1

    async def _inspect(self, errand: _Errand, done: Tidied) -> None:
        """Look at published files, the latest first, and say which are not what was published."""
        left, readable = errand.looks, MOST_READ_BYTES
        while left > 0:
            look = functools.partial(self._look, min(PAGE, left), readable)
            self._file, states, readable = await self._s.threads.run(look)
            words = [(s.download.id, word) for s in states if (word := upkeep.word(s.download, s.verdict))]
            wrong = {id for id, word in words if isinstance(word, c.Invalidate)}
            done.invalidated += len(wrong) if errand.dry else await self.say(words)
            for state in states:
                if state.download.id in wrong:
                    errand.tell({"kind": "file", **state.row()})
            if self._file is None:
                return
            left -= PAGE

    def _look(self, limit: int, readable: int) -> tuple[int | None, list[FileState], int]:
        """Look at the next published files; return where that ended, None for the end, and how much may yet be read."""
        with self._reading.views.read() as reader:
            page = list(due.published(reader, self._file, limit))
        states: list[FileState] = []
        for _, id in page:
            download = self._reading.get(id)
            if download is not None:
                state = self._inspector.look(download, most_bytes=readable)
                readable -= state.bytes_read
                states.append(state)
        return page[-1][0] if len(page) == limit else None, states, readable


def in_the_way(ids: Iterable[UUID]) -> IllegalCommand:
    """Return the refusal to fetch downloads again while a file that was changed lies at their paths."""
    which = " ".join(str(id) for id in sorted(ids))
    return IllegalCommand(
        f"what was published was changed, and stays as it is: {which}",
        hint=f"`lading retry {which} --overwrite` puts aside what lies there, and fetches it again",
    )


class Tended:
    """The side of an engine that tends what lies on the disk."""

    upkeep: Upkeep

    async def files(self, *ids: UUID, tag: str | None = None, digest: bool = False) -> list[dict[str, Any]]:
        """Look what lies on the disk of downloads and whether it is valid, as `lading files --json` shows it.

        Looked at are those named, or else all that were not removed, or those of them with a tag. A published file that
        has gone or changed since it was looked at last, or is right again, is told to the log; with `digest`, files
        are read whole.

        Raises:
            UnknownDownload: there is none of one of the ids.
        """
        return [state.row() for state in await self.upkeep.files(ids, tag=tag, digest=digest)]

    async def clean(
        self,
        *,
        older_than_s: float | None = None,
        dry_run: bool = False,
        cache: bool = False,
        tell: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> dict[str, int]:
        """Remove stale failures, what was put aside and orphan parts, look at published files; return how many of each.

        Args:
            older_than_s: the age from which on a failed or cancelled download is stale; by default `clean_after_s`.
            dry_run: change nothing, and tell what would be done.
            cache: empty the cache too.
            tell: is given each thing as `lading clean --json` shows it.
        """
        done = await self.upkeep.clean(older_than_s=older_than_s, dry_run=dry_run, cache=cache, tell=tell)
        return attrs.asdict(done)
