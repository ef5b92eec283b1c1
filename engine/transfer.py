"""One attempt at one download, from the first question to the published file.

The attempt asks what the pure `replies.plan` says, believes an answer only as far as `replies.judge` does, writes into a
part file that it alone holds locked, and reports to the journal, whose word is final. It ends in exactly one way:
published, faltered, blocked or stopped; once it has said which, it writes nothing more.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from uuid import UUID

import attrs
import trio

from lading.domain import checkpoints, digests, holdings, names, replies, secrets
from lading.domain import commands as c
from lading.domain.digests import Digest
from lading.domain.download import Download
from lading.domain.errors import (
    DestinationTaken,
    DiskFull,
    Fenced,
    IntegrityError,
    InvalidDestination,
    TransferError,
)
from lading.domain.faults import Cause
from lading.domain.pieces import Piece
from lading.domain.ports import Call, Part, Reply, Secrets
from lading.domain.replies import Afresh, Ask, Receive, Reject, Whole
from lading.domain.requests import IfExists
from lading.domain.states import RUNNING, State
from lading.domain.validators import Validator
from lading.holding import Holding
from lading.live import Gauge
from lading.placing import Place, Places
from lading.services import Services

SMALL_BYTES = 1024 * 1024
SMALLEST_BUFFER = 64 * 1024
LARGEST_BUFFER = 1024 * 1024
FAST_FILL_S = 0.05
MOST_ROUNDS = 5
WIND_UP_S = 60.0


class Step(enum.StrEnum):
    """The points of an attempt at which a test may stop the world."""

    STARTED = "started"
    FLUSHED = "flushed"
    VOUCHED = "vouched"
    VERIFIED = "verified"
    PUBLISHED = "published"
    COMPLETED = "completed"
    UNLINKED = "unlinked"


class Attempt:
    """One try by one worker. `run` does all of it; the scheduler cancels `scope` to stop it."""

    def __init__(
        self,
        services: Services,
        places: Places,
        worker: UUID,
        download: Download,
        running: Callable[[], int],
        hook: Callable[[Step], Awaitable[None]] | None = None,
    ) -> None:
        self._s = services
        self._places = places
        self._worker = worker
        self._download = download
        self._id = download.id
        self._number = 0
        self._running = running
        self._hook = hook
        self._place: Place | None = None
        self._holding: Holding | None = None
        self._secrets: Secrets | None = None
        self._calls: tuple[Call, ...] = ()
        self._probe: c.Probe | None = None
        self._published = False
        self._expected: Receive | None = None
        self._checkpoint_s = services.clock.monotonic()
        self.gauge = Gauge(services.clock.monotonic())
        self.scope = trio.CancelScope()
        self.stop_reason = "the engine was closed"

    @property
    def number(self) -> int:
        """This attempt's number; 0 until it has started."""
        return self._number

    async def run(self) -> None:
        """Make the attempt; whatever comes of it is in the log when this returns."""
        try:
            with self.scope:
                await self._guarded()
            if self.scope.cancelled_caught:
                await self._wind_up()
        except trio.Cancelled:
            await self._wind_up()
            raise
        finally:
            if self._holding is not None:
                self._holding.part.close()
            self._places.release(self._id)

    async def _guarded(self) -> None:
        try:
            await self._begin()
            await self._fetch()
            await self._finish()
        except Fenced:
            await self._wind_up()
        except DiskFull as error:
            await self._give_up(c.Block(attempt=self.number, reason="disk", message=self._clean(error)))
        except TransferError as error:
            await self._falter(Cause(error.cause), error)
        except (DestinationTaken, InvalidDestination) as error:
            await self._falter(Cause.DESTINATION, error)
        except OSError as error:
            await self._falter(Cause.DISK, error)
        except IntegrityError as error:
            await self._falter(Cause.SECRET, error)

    # -- taking it -------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Settle where it goes, take the part file, say `Started`, and hold the part against the log."""
        before = self._download
        source = before.source % len(before.order.sources)
        trouble: Exception | None = None
        held: Holding | None = None
        place = Place(path=before.path or before.order.name or names.FALLBACK, storage=before.storage or "")
        try:
            if before.order.secret:
                self._secrets = await self._s.threads.run(lambda: self._s.vault.recall(self._id))
            place = await self._places.settle(before)
            held = await self._open_part(before, place)
        except (DestinationTaken, InvalidDestination, DiskFull, IntegrityError, OSError) as error:
            trouble = error
        reuse = held is not None or (trouble is not None and before.part is not None)
        start = c.Start(
            worker=self._worker,
            storage=place.storage,
            source=source,
            transport=self._s.transport.name,
            tier=before.order.sources[source].tier,
            path=place.path,
            part=before.part if reuse and before.part else place.part(before.attempt + 1),
            reuse=reuse,
        )
        self._place, self._holding = place, held
        self._download = await self._s.journal.execute(self._id, start, state=before, context=self._s.context)
        self._number = self._download.attempt
        await self._reach(Step.STARTED)
        if trouble is not None:
            raise trouble
        if place.skip:
            await self._report(c.Cancel(reason="skipped: something lies at the destination already"))
            raise Fenced("skipped")
        self._calls = secrets.join(before.order, self._secrets)
        if held is not None:
            await self._hold_against_log(held)
        else:
            await self._new_part(before)

    async def _open_part(self, download: Download, place: Place) -> Holding | None:
        """Take the part of an earlier attempt, when it is on this storage and its lock can be had."""
        if download.part is None or download.storage != place.storage:
            return None
        path = self._places.absolute(download.order.root, download.part)
        part = await self._s.threads.run(lambda: self._s.disk.open_part(path, create=False))
        return self._hold(part) if part is not None else None

    def _hold(self, part: Part) -> Holding:
        expected = self._download.order.digest
        return Holding(
            part,
            self._s.disk,
            self._s.threads,
            algorithm=Digest.parse(expected).algorithm if expected else digests.DEFAULT,
            reserve_bytes=self._s.settings.reserve_bytes,
        )

    async def _new_part(self, before: Download) -> None:
        """Make this attempt's own part; where an old one exists but is held by another, copy what the log vouches for."""
        download = self._download
        assert download.part is not None
        path = self._places.absolute(download.order.root, download.part)
        part = await self._s.threads.run(lambda: self._s.disk.open_part(path, create=True))
        if part is None:
            raise TransferError("another worker holds the part file", cause=Cause.DISK)
        self._holding = self._hold(part)
        if not before.durable or before.part is None or before.validator is None:
            return
        old = self._places.absolute(before.order.root, before.part)
        pieces = await self._pieces(before.version)
        copied = await self._holding.copy_from(old, pieces, before.total)
        if copied:
            probe = c.Probe(
                attempt=self.number,
                url=before.url or before.order.url,
                status=0,
                total=before.total,
                validator=before.validator,
            )
            await self._holding.flush()
            await self._report(probe, c.Vouch(attempt=self.number, pieces=copied))
            self._holding.tally.logged(copied)

    async def _hold_against_log(self, holding: Holding) -> None:
        """Believe of the part only what the log vouches for and the disk still holds; say what is discarded."""
        pieces = await self._pieces()
        findings = await holding.check(pieces, self._download.total)
        rejects = [
            c.Reject(attempt=self.number, start=finding.start, end=finding.end, reason=finding.reason)
            for finding in findings
        ]
        if rejects:
            await self._report(*rejects)
        await holding.cut()

    async def _pieces(self, up_to_version: int | None = None) -> tuple[Piece, ...]:
        facts = await self._s.journal.facts(self._id)
        events = (fact.event for fact in facts if up_to_version is None or fact.version <= up_to_version)
        return holdings.contiguous(holdings.standing(events))

    # -- fetching it -----------------------------------------------------------------------------------------------

    async def _fetch(self) -> None:
        """Ask until an answer has been received to its end, or the part is known to be whole."""
        for _ in range(MOST_ROUNDS):
            ask = replies.plan(self._download)
            if ask is None:
                await self._start_over("nothing proves that the rest of the file would fit to what we hold")
                ask = Ask()
            if ask.start == 0 and self._held.tally.at:
                await self._held.start_over(None)
            async with self._s.transport.exchange(self._call(ask)) as reply:
                verdict = replies.judge(ask, reply.head, self._download, now_s=self._s.clock.now_ns() / 1e9)
                match verdict:
                    case Whole():
                        return
                    case Reject():
                        raise TransferError(verdict.message, cause=verdict.cause, retry_after_s=verdict.retry_after_s)
                    case Afresh(receive=None):
                        await self._changed(verdict)
                    case Afresh(receive=receive):
                        await self._changed(verdict)
                        assert receive is not None
                        await self._receive(reply, receive)
                        return
                    case Receive():
                        await self._receive(reply, verdict)
                        return
        raise TransferError("the server never sent what we asked for", cause=Cause.CHANGED)

    def _call(self, ask: Ask) -> Call:
        source = self._download.source % len(self._download.order.sources)
        call = self._calls[source]
        return attrs.evolve(call, start=ask.start, if_range=ask.if_range)

    async def _changed(self, verdict: Afresh) -> None:
        known, sent = self._download.validator, verdict.validator
        changed = (known, sent) if known is not None and sent is not None and known.differs(sent) else None
        await self._start_over(verdict.reason, changed)

    async def _start_over(
        self, reason: str, changed: tuple[Validator, Validator] | None = None
    ) -> None:
        await self._report(c.StartOver(attempt=self.number, reason=reason, changed=changed))
        await self._held.start_over(None)

    async def _receive(self, reply: Reply, receive: Receive) -> None:
        """Take the body in, checkpoint by checkpoint, and see that it is all there."""
        holding = self._held
        if holding.tally.at == 0:
            await holding.start_over(receive.total)
        self._expected = receive
        self._probe = await self._name_it(reply, receive)
        self.gauge.begin(holding.tally.at, receive.total)
        await self._body(reply, receive)
        at = holding.tally.at
        if receive.total is not None and at != receive.total:
            raise TransferError(f"the body ended at byte {at} of {receive.total}", cause=Cause.BROKEN)
        if receive.total is None and not receive.framed and self._download.order.digest is None:
            if not self._download.order.allow_unsized:
                raise TransferError("nothing vouches for the end of this body", cause=Cause.UNSIZED)

    async def _name_it(self, reply: Reply, receive: Receive) -> c.Probe | None:
        """Say `Probed`, at once when it matters; else keep it for the first checkpoint, which small files never reach."""
        head, download = reply.head, self._download
        path: str | None = None
        disposition = head.headers.get("content-disposition")
        if disposition and download.order.name is None:
            name = names.from_disposition(disposition)
            if name:
                self._place = await self._places.settle(download, name)
                path = self._place.path if self._place.path != download.path else None
        probe = c.Probe(
            attempt=self.number,
            url=head.url,
            status=head.status,
            total=receive.total,
            validator=receive.validator,
            path=path,
        )
        if path is None and receive.total is not None and receive.total <= SMALL_BYTES:
            return probe
        await self._report(probe)
        if self._place is not None and self._place.skip:
            await self._report(c.Cancel(reason="skipped: something lies at the destination already"))
            raise Fenced("skipped")
        return None

    async def _body(self, reply: Reply, receive: Receive) -> None:
        clock, holding = self._s.clock, self._held
        skip, filled, buffer = receive.skip, 0, bytearray(SMALLEST_BUFFER)
        began_s = filling_s = self._checkpoint_s = clock.monotonic()
        arrived = 0
        try:
            while count := await reply.receive_into(memoryview(buffer)[filled:]):
                now_s = clock.monotonic()
                if skip:
                    dropped = min(skip, count)
                    buffer[filled : filled + count - dropped] = buffer[filled + dropped : filled + count]
                    skip, count = skip - dropped, count - dropped
                filled, arrived = filled + count, arrived + count
                if receive.total is not None and holding.tally.at + filled > receive.total:
                    raise TransferError("the body is longer than the server said", cause=Cause.PROTOCOL)
                self.gauge.add(count, now_s)
                unlogged = holding.tally.unlogged + filled
                due = checkpoints.due(unlogged, now_s - self._checkpoint_s, self._running())
                if filled == len(buffer) or due:
                    await holding.write(memoryview(buffer)[:filled], receive.total)
                    fast = now_s - filling_s < FAST_FILL_S
                    if fast and filled == len(buffer) < LARGEST_BUFFER:
                        buffer = bytearray(len(buffer) * 4)
                    filled, filling_s = 0, now_s
                if due:
                    await self._checkpoint()
                await self._pace(arrived, began_s)
        finally:
            if filled:
                with trio.CancelScope(shield=True):
                    await holding.write(memoryview(buffer)[:filled], receive.total)

    async def _pace(self, arrived: int, began_s: float) -> None:
        limit = self._download.order.limit_rate
        if limit is not None:
            ahead_s = arrived / limit - (self._s.clock.monotonic() - began_s)
            if ahead_s > 0:
                await self._s.clock.sleep(ahead_s)

    async def _checkpoint(self, *more: c.Report) -> None:
        """Flush, then have the log vouch for what was flushed (law 2)."""
        pieces = await self._held.flush()
        await self._reach(Step.FLUSHED)
        first: tuple[c.Report, ...] = (self._probe,) if self._probe is not None else ()
        await self._report(*first, c.Vouch(attempt=self.number, pieces=pieces), *more)
        self._probe = None
        self._held.tally.logged(pieces)
        self._checkpoint_s = self._s.clock.monotonic()
        await self._reach(Step.VOUCHED)

    # -- ending it -------------------------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """Check the whole, publish it under its final name, and say `Completed`."""
        order, tally = self._download.order, self._held.tally
        expected = str(Digest.parse(order.digest)) if order.digest else None
        if expected is not None and tally.digest != expected:
            await self._start_over("the digest of the whole file is not the expected one")
            raise TransferError(f"the file has {tally.digest}, expected was {expected}", cause=Cause.DIGEST)
        small = self._probe is not None
        validator = self._probe.validator if self._probe else self._download.validator
        url = self._probe.url if self._probe else self._download.url
        if small:
            await self._held.flush()
            await self._reach(Step.FLUSHED)
        else:
            inode = self._held.part.inode
            await self._checkpoint(
                c.Verify(attempt=self.number, digest=tally.digest, size=tally.at, inode=inode)
            )
            await self._reach(Step.VERIFIED)
        assert self._place is not None
        path = self._download.path or self._place.path
        final = self._places.absolute(order.root, path)
        replace, part = order.if_exists is IfExists.OVERWRITE, self._held.part
        with trio.CancelScope(shield=True):
            self._published = True
            await self._s.threads.run(lambda: self._s.disk.publish(part, final, replace=replace))
            await self._reach(Step.PUBLISHED)
            await self._report(
                c.Complete(
                    attempt=self.number,
                    path=path,
                    size=tally.at,
                    digest=tally.digest,
                    assurance=self._assurance(),
                    url=url or order.url,
                    validator=validator or Validator(),
                )
            )
            await self._reach(Step.COMPLETED)
            await self._s.threads.run(lambda: self._s.disk.unlink(part.path))
            await self._reach(Step.UNLINKED)

    def _assurance(self) -> str:
        receive = self._expected
        if self._download.order.digest is not None:
            return "digest"
        if receive is None or receive.total is not None:
            return "length"
        return "framing" if receive.framed else "none"

    async def _falter(self, cause: Cause, error: Exception) -> None:
        budget = self._download.order.retries
        await self._give_up(
            c.Falter(
                attempt=self.number,
                cause=cause,
                message=self._clean(error),
                now_ns=self._s.clock.now_ns(),
                jitter=self._s.chance.uniform(0.0, 1.0),
                budget=self._s.settings.retries if budget is None else budget,
                retry_after_s=getattr(error, "retry_after_s", None),
            )
        )

    async def _give_up(self, report: c.Report) -> None:
        """Say why the attempt ends, after what it wrote has been made to count."""
        with trio.CancelScope(shield=True):
            try:
                await self._save()
                await self._report(report)
                if not self._download.durable and self._holding is not None:
                    part = self._holding.part
                    await self._s.threads.run(lambda: self._s.disk.unlink(part.path))
            except Fenced:
                await self._wind_up()

    async def _save(self) -> None:
        """Checkpoint what has been written and not been logged; if that fails, those bytes do not count."""
        if self._holding is None or not self._holding.tally.unlogged or self._download.state not in RUNNING:
            return
        try:
            await self._checkpoint()
        except (OSError, DiskFull):
            return

    async def _wind_up(self) -> None:
        """Stop because somebody said so: let the log know, and leave the disk as the new state wants it."""
        with trio.move_on_after(WIND_UP_S, shield=True):
            state = await self._s.journal.load(self._id, self._download)
            if state is None or self._holding is None:
                return
            part = self._holding.part
            if state.attempt != self.number:
                if state.part != self._download.part:
                    await self._s.threads.run(lambda: self._s.disk.unlink(part.path))
                return
            if state.state in {State.CANCELLING, State.REMOVING}:
                self._download = state
                size = await self._discard()
                await self._report(c.Stop(attempt=self.number, reason=state.state.value), c.Discard(size=size))
            elif state.state in RUNNING or state.state is State.PAUSING:
                reason = "paused" if state.state is State.PAUSING else self.stop_reason
                self._download = state
                pieces = await self._flushed()
                await self._report(
                    *((c.Vouch(attempt=self.number, pieces=pieces),) if pieces else ()),
                    c.Stop(attempt=self.number, reason=reason),
                )

    async def _flushed(self) -> tuple[Piece, ...]:
        holding = self._held
        if not holding.tally.unlogged or self._probe is not None:
            return ()
        try:
            return await holding.flush()
        except OSError:
            return ()

    async def _discard(self) -> int:
        """Take the part off the disk, and the final name back if we had given it and nobody may know it yet."""
        part, disk = self._held.part, self._s.disk
        path = self._download.path
        final = self._places.absolute(self._download.order.root, path) if path else None

        def remove() -> int:
            if self._published and final is not None and disk.inode(final) == part.inode:
                disk.unlink(final)
            return disk.unlink(part.path)

        return await self._s.threads.run(remove)

    async def _report(self, *reports: c.Command) -> None:
        self._download = await self._s.journal.execute(
            self._id, *reports, state=self._download, context=self._s.context
        )

    async def _reach(self, step: Step) -> None:
        if self._hook is not None:
            await self._hook(step)

    def _clean(self, error: Exception) -> str:
        if isinstance(error, OSError):
            return f"the disk failed: {error.strerror or type(error).__name__}"
        return secrets.scrub(str(error), self._secrets)

    @property
    def _held(self) -> Holding:
        assert self._holding is not None, "the attempt has a part file before it fetches"
        return self._holding
