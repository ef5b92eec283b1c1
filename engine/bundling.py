"""The owner's side of bundles: when all members are whole, they become visible together, or none of them does.

Before anything gets a final name, `BundleVerified` says that this begins. Then each part is linked to its name; under
`all_or_nothing` those names lie in a hidden folder, whose parts go and which is then renamed, in one step that never
replaces. The last word, `BundlePublished` and the `Completed` of every member, is one request of the log. Each step may
be taken again: whoever finds a bundle between the two, after a kill or a loss of power, goes on from whatever is there,
or takes back the names that were given and says `BundleFailed`. A file is a member's own by the inode that its
`Verified` tells.
"""

from __future__ import annotations

import contextlib
import functools
import math
import posixpath
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from uuid import UUID

import attrs
import trio

from lading.domain import bundle as bundles
from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.bundle import MEMBER, Bundle, Phase, Step
from lading.domain.decide import decide
from lading.domain.disks import Publication
from lading.domain.download import Download
from lading.domain.errors import DestinationTaken, DiskFull, Fenced, IllegalCommand, InvalidDestination, LadingError
from lading.domain.faults import BUNDLE, Cause
from lading.domain.ports import Conflict, Entry
from lading.domain.validators import Validator
from lading.files import Files
from lading.gathering import MOST_TOGETHER
from lading.placing import Places
from lading.projections import bundles as view
from lading.projections import progress
from lading.reading import Reading
from lading.services import Services
from lading.views import ROWS

MOST_ROUNDS = 64
AGAIN_S = 30.0


@attrs.frozen(kw_only=True)
class _Member:
    """A member and its files, absolute: the part, None when it is gone for good, and the name that it is to get."""

    download: Download
    verified: e.Verified | None
    part: str | None
    final: str | None

    @property
    def inode(self) -> int | None:
        """The file that was verified."""
        return None if self.verified is None else self.verified.inode


class _Misfit(Exception):
    """The files of these members are not what the log says; they must be looked at again before anything else."""

    def __init__(self, ids: Sequence[UUID]) -> None:
        super().__init__("files of members were changed or removed")
        self.ids = ids


class Bundling:
    """Carries out what is to be done with bundles; for the owner of a home, whose files no other engine touches.

    `on_rest` is called when a run of `attend` has ended.
    """

    def __init__(self, services: Services, reading: Reading, places: Places, files: Files) -> None:
        self._s = services
        self._reading = reading
        self._places = places
        self._files = files
        self._again_s: dict[UUID, float] = {}
        self._closing = False
        self.is_busy = False
        self.on_rest: Callable[[], None] = lambda: None

    def close(self) -> None:
        """Begin with no other bundle."""
        self._closing = True

    async def recover(self) -> None:
        """Bring to an end what an engine that ended without a word had begun to make visible, before anything else.

        What cannot be done now is tried again like anything that there is to do with bundles.
        """
        begun = await self._s.threads.run(self._begun)
        for id in begun:
            await self._is_settled(id)

    def _begun(self) -> list[UUID]:
        with self._reading.views.read() as reader:
            found = [view.get(reader, id) for id in view.wanted(reader)]
        return [known[0].id for known in found if known is not None and known[0].phase is Phase.PUBLISHING]

    @property
    def again_s(self) -> float:
        """When what could not be done is tried again, in monotonic seconds from now on; `inf` when nothing is."""
        now_s = self._s.clock.monotonic()
        return min((again_s for again_s in self._again_s.values() if again_s > now_s), default=math.inf)

    def wanted(self, most: int) -> list[UUID]:
        """Return bundles with which there is something to do, as the views have it now; blocks."""
        now_s = self._s.clock.monotonic()
        with self._reading.look() as reader:
            ids = list(view.wanted(reader, most + len(self._again_s)))
        return [id for id in ids if self._again_s.get(id, now_s) <= now_s]

    def attend(self, nursery: trio.Nursery, ids: Sequence[UUID]) -> None:
        """Begin to do what there is to do with these, beside everything else, unless that is being done."""
        if ids and not self.is_busy:
            self.is_busy = True
            nursery.start_soon(self._work, ids)

    async def _work(self, ids: Sequence[UUID]) -> None:
        try:
            now_s = self._s.clock.monotonic()
            self._again_s = {id: again_s for id, again_s in self._again_s.items() if again_s > now_s}
            with trio.CancelScope(shield=True):
                for id in ids:
                    if self._closing:
                        break
                    if not await self._is_settled(id):
                        self._again_s[id] = self._s.clock.monotonic() + AGAIN_S
        finally:
            self.is_busy = False
            self.on_rest()

    async def _is_settled(self, id: UUID) -> bool:
        """Settle a bundle; one of which the log has no room to say anything, or that Lading fails at, is not."""
        with self._s.mishaps.survived(f"what there is to do with the bundle {id}", DiskFull):
            return await self.settle(id)
        return False

    async def settle(self, id: UUID) -> bool:
        """Do what there is to do with a bundle now, and tell whether that could be done; it may be tried at any time.

        Raises:
            DiskFull: the log has no room.
        """
        for _ in range(MOST_ROUNDS):
            known = await self._s.threads.run(functools.partial(self._look, id))
            if known is None:
                return False
            done = await self._take_step(*known)
            if done is not False:
                return done is True
        return False

    async def _take_step(self, bundle: Bundle, members: Sequence[_Member]) -> bool | None:
        """Take the next step with a bundle, if there is one; tell whether the log took it, None for not now."""
        standing = bundles.muster(member.download for member in members)
        match bundles.following(bundle, standing):
            case Step.NOTHING:
                return True
            case Step.REOPEN:
                return await self._is_said(bundle, bundles.TryAgain())
            case Step.FAIL:
                return await self._is_given_up(bundle, members, MEMBER, bundles.lost(standing))
            case Step.PUBLISH:
                return await self._is_published(bundle, members)

    # -- looking ---------------------------------------------------------------------------------------------------

    def _look(self, id: UUID) -> tuple[Bundle, list[_Member]] | None:
        """Return a bundle and its members as the log has them now, None where its folder is not known here; blocks."""
        self._reading.catch_up()
        with self._reading.views.read() as reader:
            known = view.get(reader, id)
            found = [progress.get(reader, member, ROWS) for member in view.members(reader, id)]
        with contextlib.suppress(InvalidDestination):
            return None if known is None else (known[0], [self._member(d) for d in found if d is not None])
        return None

    def _member(self, download: Download) -> _Member:
        events = (fact.event for fact in reversed(self._reading.stream(download.id)))
        verified = next((event for event in events if isinstance(event, e.Verified)), None)
        return _Member(
            download=download,
            verified=verified,
            part=self._absolute(download, download.part),
            final=self._absolute(download, download.path),
        )

    def _absolute(self, download: Download, path: str | None) -> str | None:
        return None if path is None else self._places.absolute(download.order.root, path)

    # -- making visible --------------------------------------------------------------------------------------------

    async def _is_published(self, bundle: Bundle, members: Sequence[_Member]) -> bool | None:
        """Make a bundle visible and say so; tell whether the log took it, None when it must wait for a better time."""
        try:
            if bundle.phase is Phase.OPEN:
                inode = await self._s.threads.run(functools.partial(self._ready, bundle, members))
            else:
                await self._s.threads.run(functools.partial(self._show, bundle, members))
        except _Misfit as misfit:
            return await self._is_sent_back(bundle, members, misfit)
        except (DestinationTaken, InvalidDestination) as error:
            return await self._is_given_up(bundle, members, Cause.DESTINATION, error.message)
        except (OSError, DiskFull) as error:
            told = error.message if isinstance(error, DiskFull) else error.strerror or type(error).__name__
            return await self._is_given_up(bundle, members, Cause.DISK, told)
        if bundle.phase is Phase.OPEN:
            await self._is_said(bundle, bundles.Begin(inode=inode))
            return False  # whoever had the word, the next round looks at what is so then
        if not await self._is_concluded(bundle, members):
            return False
        await self._s.threads.run(functools.partial(self._tidy, members))
        return True

    def _ready(self, bundle: Bundle, members: Sequence[_Member]) -> int | None:
        """See that every part is what was verified and that nothing is in the way; return the staged folder's inode.

        Raises:
            DestinationTaken: something else has a final name.
            _Misfit: parts that are not.
        """
        unfit = [member.download.id for member in members if not self._is_fit(member)]
        if unfit:
            raise _Misfit(unfit)
        self._see_free(bundle, members)
        return (
            None if bundle.staging is None else self._s.disk.inode(self._places.absolute(bundle.root, bundle.staging))
        )

    def _is_fit(self, member: _Member) -> bool:
        """Tell whether the part is the file that was verified, of the size that it had."""
        disk, part, verified = self._s.disk, member.part, member.verified
        if part is None or verified is None or disk.inode(part) != verified.inode or disk.read(part, verified.size, 1):
            return False
        return verified.size == 0 or bool(disk.read(part, verified.size - 1, 1))

    def _see_free(self, bundle: Bundle, members: Sequence[_Member]) -> None:
        for member in members:
            if member.final is not None and self._s.disk.inode(member.final) not in {None, member.inode}:
                raise DestinationTaken(f"{member.final} exists already")
        if bundle.folder is not None:
            folder = self._places.absolute(bundle.root, bundle.folder)
            if self._s.disk.inode(folder) is not None:
                raise DestinationTaken(f"{folder} exists already")

    def _show(self, bundle: Bundle, members: Sequence[_Member]) -> None:
        """Give every part its name, and the staged folder its own; what is done already needs nothing; blocks.

        Raises:
            DestinationTaken: something else has a final name.
            _Misfit: files are not there any more.
        """
        if self._is_shown(bundle):
            return
        self._see_free(bundle, members)
        for start in range(0, len(members), MOST_TOGETHER):
            self._link(members[start : start + MOST_TOGETHER])
        if bundle.folder is not None and bundle.staging is not None:
            self._s.disk.retract([member.part for member in members if member.part is not None])
            staging = self._places.absolute(bundle.root, bundle.staging)
            self._s.disk.rename(staging, self._places.absolute(bundle.root, bundle.folder))

    def _is_shown(self, bundle: Bundle) -> bool:
        """Tell whether the folder that was staged has its final name."""
        if bundle.folder is None or bundle.staging is None or bundle.inode is None:
            return False
        inode = self._s.disk.inode
        is_moved = inode(self._places.absolute(bundle.root, bundle.staging)) is None
        return is_moved and inode(self._places.absolute(bundle.root, bundle.folder)) == bundle.inode

    def _link(self, members: Sequence[_Member]) -> None:
        """Link parts to their names, durably, some at a time; one whose part is gone must have its name already."""
        disk, unfit = self._s.disk, list[UUID]()
        publications: list[Publication] = []
        with ExitStack() as stack:
            for member in members:
                assert member.final is not None
                part = None if member.part is None else disk.open_part(member.part, create=False)
                if part is not None:
                    stack.callback(part.close)
                    publications.append(Publication(part, member.final, replace=False))
                if (disk.inode(member.final) if part is None else part.inode) != member.inode:
                    unfit.append(member.download.id)
            if unfit:
                raise _Misfit(unfit)
            for why in disk.publish(publications):
                if why is not None:
                    raise why

    async def _is_concluded(self, bundle: Bundle, members: Sequence[_Member]) -> bool:
        """Say in one request that the bundle is published and every member complete; tell whether the log took it."""
        now_ns = self._s.clock.now_ns()
        entries = self._entries(bundle.id, bundle.version, bundles.decide(bundle, bundles.Finish()), now_ns)
        for member in members:
            try:
                said = decide(member.download, self._complete(bundle, member))
            except (Fenced, IllegalCommand):
                return False
            entries += self._entries(member.download.id, member.download.version, said, now_ns)
        return not isinstance((await self._s.journal.append([entries]))[0], Conflict)

    def _complete(self, bundle: Bundle, member: _Member) -> c.Complete:
        download, verified = member.download, member.verified
        assert verified is not None
        assert download.path is not None
        path = download.path
        if bundle.folder is not None and bundle.staging is not None:
            path = posixpath.join(bundle.folder, posixpath.relpath(path, bundle.staging))
        return c.Complete(
            attempt=download.attempt,
            path=path,
            size=verified.size,
            digest=verified.digest,
            assurance=verified.assurance,
            url=download.url or download.order.url,
            validator=download.validator or Validator(),
        )

    def _tidy(self, members: Sequence[_Member]) -> None:
        """Remove the parts of what is published; what cannot be removed is left to the next recovery."""
        for member in members:
            if member.part is not None:
                with contextlib.suppress(InvalidDestination, OSError):
                    self._s.disk.unlink(member.part)

    # -- giving up -------------------------------------------------------------------------------------------------

    async def _is_given_up(self, bundle: Bundle, members: Sequence[_Member], cause: str, told: str) -> bool | None:
        """Take back what is visible, and say that it failed; None when it could not be taken back now."""
        if bundle.phase is Phase.PUBLISHING:
            try:
                await self._s.threads.run(functools.partial(self._take_back, bundle, members))
            except (LadingError, OSError):
                return None
        return await self._is_said(bundle, bundles.Fail(cause=cause, message=told))

    def _take_back(self, bundle: Bundle, members: Sequence[_Member]) -> None:
        """Leave no final name to any member, and its part to each, were it given up or not; blocks."""
        disk, names = self._s.disk, list[str]()
        if self._is_shown(bundle) and bundle.folder is not None and bundle.staging is not None:
            staging = self._places.absolute(bundle.root, bundle.staging)
            disk.rename(self._places.absolute(bundle.root, bundle.folder), staging)
        for member in members:
            part, final = member.part, member.final
            if final is None or not self._is_ours(member, final):
                continue
            if part is None or disk.inode(part) is not None:
                names.append(final)
            else:
                disk.rename(final, part)
        folders = {f: None for member in members for f in bundles.staging_folders(member.download.order)}
        deepest_first = sorted(folders, key=lambda folder: -folder.count("/"))
        disk.retract([*names, *(self._places.absolute(bundle.root, folder) for folder in deepest_first)])

    def _is_ours(self, member: _Member, final: str) -> bool:
        """Tell whether the member's part, or what was verified as such, has this name; a number alone is no proof."""
        inode, verified = self._s.disk.inode(final), member.verified
        if inode is None or (member.part is not None and self._s.disk.inode(member.part) == inode):
            return inode is not None
        if verified is None or verified.inode != inode:
            return False
        return self._files.holds(final, verified.size, verified.digest)

    async def _is_sent_back(self, bundle: Bundle, members: Sequence[_Member], misfit: _Misfit) -> bool | None:
        """Have members run again whose files are not what the log says; what is missing of them is fetched anew."""
        if bundle.phase is Phase.PUBLISHING:
            done = await self._is_given_up(bundle, members, MEMBER, str(misfit))
            if not done:
                return done
        for member in members:
            if member.download.id in misfit.ids:
                with contextlib.suppress(Fenced, IllegalCommand):
                    unblock = c.Unblock(reason=BUNDLE)
                    await self._s.journal.execute(member.download.id, unblock, context=self._s.context)
        return True

    # -- saying ----------------------------------------------------------------------------------------------------

    async def _is_said(self, bundle: Bundle, command: bundles.Command) -> bool:
        """Have the log take a command on a bundle as it stands; tell whether it did."""
        entries = self._entries(bundle.id, bundle.version, bundles.decide(bundle, command), self._s.clock.now_ns())
        return not isinstance((await self._s.journal.append([entries]))[0], Conflict)

    def _entries(self, stream: UUID, version: int, events: Sequence[e.Event], now_ns: int) -> list[Entry]:
        return [
            self._s.journal.entry(stream, version + number, event, now_ns, self._s.context)
            for number, event in enumerate(events, start=1)
        ]
