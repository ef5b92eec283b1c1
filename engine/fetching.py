"""The conversation with an origin: ask, judge the answer, take its body in, and see that it is all there.

What may be asked and what an answer is worth is decided by the pure `lading.domain.replies`; here that is carried out,
checkpoint by checkpoint.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import attrs
import trio

from lading.caching import Claim
from lading.crew import Crew, Overlong
from lading.domain import caching, holdings, names, replies, spans, urls
from lading.domain import commands as c
from lading.domain.allotment import Share
from lading.domain.caching import Stored
from lading.domain.digests import Digest
from lading.domain.errors import DiskFull, Fenced, TransferError
from lading.domain.faults import Cause
from lading.domain.pieces import Piece
from lading.domain.ports import Call, Reply
from lading.domain.replies import Afresh, Ask, Head, Receive, Reject, Unguarded, Whole
from lading.domain.requests import Resume
from lading.domain.validators import Validator
from lading.intake import Course, Intake
from lading.live import Gauge
from lading.overlap import agrees
from lading.placing import Place, Places
from lading.room import Room
from lading.services import Services
from lading.throttle import Account
from lading.work import Work

SMALL_BYTES = 1024 * 1024
MOST_ROUNDS = 5
NOT_MODIFIED = 304


class Fetching:
    """Fetches the content of one download into the part that its attempt holds."""

    def __init__(
        self,
        services: Services,
        places: Places,
        work: Work,
        place: Place,
        *,
        gauge: Gauge,
        running: Callable[[], int],
        secret_path: bool,
        claim: Claim,
    ) -> None:
        self._s = services
        self._places = places
        self._work = work
        self._claim = claim
        self._gauge = gauge
        self._running = running
        self._secret_path = secret_path
        self._room = Room(services)
        self._account: Account
        self.place = place
        self.received: Receive | None = None
        self.cached = False
        self._stored: Stored | None = None
        self._is_guarded = True
        self._ending = trio.CancelScope()

    def finish(self) -> None:
        """Let a body whose end nobody knows end with what has arrived; any other ends by itself."""
        self._ending.cancel()

    @property
    def assurance(self) -> str:
        """What vouches that the content is whole, once it has been fetched (law 5)."""
        work = self._work
        known = work.probe.validator if work.probe is not None else work.download.validator
        if work.download.expected is not None or (known and known.digest and work.held.tally.agrees(known.digest)):
            return "digest"
        total = known.length if self.received is None and known is not None else None
        if total is not None or (self.received is not None and self.received.total is not None):
            return "length"
        return "framing" if self.received is not None and self.received.framed else "none"

    async def run(self, calls: Sequence[Call]) -> None:
        """Ask until an answer has been received to its end, or the part is known to be whole.

        Raises:
            TransferError: it cannot be had from this source now.
            DiskFull: there is no room for it.
            Fenced: somebody else has the word.
        """
        work, download = self._work, self._work.download
        if not work.held.tally.held and not download.durable:
            self._stored = await self._find_stored()
        if self.cached:
            return
        host = urls.host(download.order.sources[download.source].url)
        async with self._s.slots.first(host):
            with self._s.throttle.account(download) as self._account:
                await self._ask_and_receive(calls)

    async def _ask_and_receive(self, calls: Sequence[Call]) -> None:
        work = self._work
        for _ in range(MOST_ROUNDS):
            if work.held.tally.at and work.held.tally.at == work.download.total:
                return
            if self._is_torn():
                if await self._is_mended(calls):
                    return
                continue
            ask = replies.plan(work.present, await self._last_piece(), guarded=self._is_guarded)
            if ask is None:
                await work.start_over("nothing proves that the rest of the file would fit to what we hold")
                ask = Ask()
            if await self._is_answered(ask, calls):
                return
        raise TransferError("the server never sent what we asked for", cause=Cause.CHANGED)

    async def _is_answered(self, ask: Ask, calls: Sequence[Call]) -> bool:
        """Ask, and take in what is answered; tell whether that was what was missing."""
        work, stored = self._work, self._stored
        call = calls[work.download.source]
        if ask.is_range:
            call = attrs.evolve(call, start=ask.first, end=ask.end, if_range=ask.if_range)
        if stored is not None:
            call = caching.conditional(call, stored.validator)
        await self._account.ask(work.download.source)
        async with AsyncExitStack() as answer:
            reply = await answer.enter_async_context(self._s.transport.exchange(call))
            if stored is not None and reply.head.status == NOT_MODIFIED:
                self._stored = None
                await answer.aclose()
                return await self._is_still(reply.head, stored)
            verdict = replies.judge(ask, reply.head, work.present, now_s=self._s.clock.now_ns() / 1e9)
            if replies.is_of_another_size(verdict, work.download):
                work.unless_repairing("the server has another version of the file now, of another size")
            match verdict:
                case Whole():
                    return True
                case Unguarded():
                    self._is_guarded = False
                case Reject():
                    raise TransferError(verdict.message, cause=verdict.cause, retry_after_s=verdict.retry_after_s)
                case Afresh(receive=None):
                    await self._give_up_held(verdict)
                case Afresh(receive=Receive() as receive):
                    await self._give_up_held(verdict)
                    await self._receive(reply, receive, calls, answer.aclose)
                    return True
                case Receive():
                    if not ask.overlap or await agrees(
                        reply, verdict.skip - ask.overlap, work.held, ask.first, ask.start
                    ):
                        rest = attrs.evolve(verdict, skip=0 if ask.overlap else verdict.skip)
                        await self._receive(reply, rest, calls, answer.aclose)
                        return True
                    await work.start_over("the server sends other bytes than those that we hold")
        return False

    async def _find_stored(self) -> Stored | None:
        """Return what the cache has of this URL, to be asked about; what it has by the digest of the order is taken."""
        stored = await self._claim.by_digest()
        if stored is None:
            return await self._claim.by_key()
        order = self._work.download.order
        await self._take_stored(Head(status=0, headers={}, url=order.sources[self._work.download.source].url), stored)
        return None

    async def _is_still(self, head: Head, stored: Stored) -> bool:
        """Tell whether a 304 says that the server still has what the cache has, and take that."""
        return caching.confirms(head, stored.validator) and await self._take_stored(head, stored)

    async def _take_stored(self, head: Head, stored: Stored) -> bool:
        """Take the file out of the cache, and tell whether it was there, and what it should be."""
        await self._see_room(stored.size)
        self.cached = await self._claim.fill(self._work.held, stored, self._s.buffers)
        if self.cached:
            self._gauge.begin(stored.size, stored.size)
            named = {"content-disposition": stored.disposition} if stored.disposition else {}
            validator = attrs.evolve(stored.validator, length=stored.size)
            await self._say_probed(attrs.evolve(head, headers=named), stored.size, validator)
        return self.cached

    def _is_torn(self) -> bool:
        """Tell whether the beginning of what is held is missing, so that no answer can be compared where it goes on."""
        held, known = self._work.held.tally.held, self._work.download
        return bool(held and held[0][0]) and known.total is not None and replies.is_provable(self._work.present)

    async def _is_mended(self, calls: Sequence[Call]) -> bool:
        """Fetch what is missing of a torn file, or give up what is held where the server turns out to have another."""
        work, download = self._work, self._work.download
        total, validator = download.total, download.validator or Validator()
        assert total is not None
        self._gauge.begin(work.held.tally.size, total)
        self.received = Receive(offset=0, until=total, total=total, framed=False, validator=validator)
        intake = Intake(self._s, work, self._gauge, self._running, total, account=self._account)
        crew = self._crew(calls, intake, self.received)
        try:
            await intake.run(crew.run)
        except TransferError as error:
            if error.cause not in {Cause.CHANGED, Cause.PROTOCOL}:
                raise
            await work.start_over(str(error))
            return False
        return True

    async def _last_piece(self) -> Piece | None:
        if self._work.download.order.resume is not Resume.LENIENT:
            return None
        pieces = holdings.contiguous(await self._work.pieces())
        return pieces[-1] if pieces else None

    async def _give_up_held(self, verdict: Afresh) -> None:
        known, sent = self._work.download.validator, verdict.validator
        changed = (known, sent) if known is not None and sent is not None and known.differs(sent) else None
        await self._work.start_over(verdict.reason, changed)

    async def _receive(
        self, reply: Reply, receive: Receive, calls: Sequence[Call], close: Callable[[], Awaitable[None]]
    ) -> None:
        """Take the body in, and whatever else is missing, and see that it is all there."""
        work = self._work
        if not work.held.tally.held:
            stated = None if work.download.expected else receive.validator.digest
            await work.held.start_over(receive.total, Digest.parse(stated).algorithm if stated else None)
        self.received = receive
        self._claim.note(reply.head, receive)
        await self._say_probed(reply.head, receive.total, receive.validator)
        await self._see_room(receive.total)
        self._gauge.begin(work.held.tally.size, receive.total)
        intake = Intake(self._s, work, self._gauge, self._running, receive.total, account=self._account)
        try:
            is_all = intake.is_short and receive.offset == 0 and receive.until == receive.total
            if receive.total is None:
                with self._ending:
                    await intake.run(lambda: self._receive_alone(reply, receive, intake))
            elif not receive.total or is_all:
                await intake.run(lambda: self._receive_alone(reply, receive, intake))
            elif spans.gaps(work.held.tally.held, receive.total):
                crew = self._crew(calls, intake, receive)
                await intake.run(lambda: crew.run((reply, close)))
        except Overlong as error:
            await work.start_over(error.message)
            raise
        if self._ending.cancelled_caught:
            self.received = attrs.evolve(receive, framed=False)
            return
        order = work.download.order
        vouched = receive.total is not None or receive.framed or work.download.expected is not None
        if not vouched and not order.allow_unsized:
            raise TransferError("nothing vouches for the end of this body", cause=Cause.UNSIZED)

    async def _see_room(self, total: int | None) -> None:
        """Refuse to begin what the disk has no room for; small files are not worth the question.

        Raises:
            DiskFull: there is no room for the rest of it, beside what others have still to receive.
        """
        if total is None or total <= SMALL_BYTES:
            return
        work, storage = self._work, self.place.storage
        folder, wanted = work.held.path.rpartition("/")[0], total - work.held.tally.size
        promised = self._room.promised(storage)
        lack = await self._s.threads.run(lambda: self._room.lack(folder, wanted, promised=promised))
        if lack is not None:
            raise DiskFull(lack)

    async def _receive_alone(self, reply: Reply, receive: Receive, intake: Intake) -> None:
        """Take in the one body of a file that is small, or as long as it turns out to be."""
        share = Share(receive.offset, receive.total)
        if not await intake.receive(reply, Course(share=share, until=receive.until)):
            raise Overlong("the body is longer than the server said", cause=Cause.PROTOCOL)
        if share.end is not None and share.left:
            raise TransferError(f"the body ended at byte {share.at} of {receive.until}", cause=Cause.BROKEN)

    def _crew(self, calls: Sequence[Call], intake: Intake, receive: Receive) -> Crew:
        return Crew(
            self._s,
            self._work,
            calls,
            intake,
            receive,
            account=self._account,
            most=self._most(),
            secret_path=self._secret_path,
        )

    def _most(self) -> int:
        """Return how many connections this file may have; what is to be slow needs no second one."""
        download = self._work.download
        if download.connections is not None:
            return download.connections
        return 1 if download.limit_rate is not None else self._s.settings.connections

    async def _say_probed(self, head: Head, total: int | None, validator: Validator) -> None:
        """Say `Probed` at once when it matters; else keep it for the first checkpoint, which small files never see."""
        work = self._work
        path = await self._name_it(head.headers.get("content-disposition"))
        probe = c.Probe(
            attempt=work.number,
            url=urls.public(head.url, secret_path=self._secret_path).url,
            status=head.status,
            total=total,
            validator=validator,
            path=path,
        )
        if path is None and total is not None and total <= SMALL_BYTES:
            work.probe = probe
            return
        await work.report(probe)
        if self.place.skip:
            await work.report(c.Cancel(reason="skipped: something lies at the destination already"))
            raise Fenced("skipped")

    async def _name_it(self, disposition: str | None) -> str | None:
        """Settle the destination anew when the server names the file, and return its path if that is another one."""
        download = self._work.download
        name = names.from_disposition(disposition) if disposition and download.order.name is None else None
        if not name:
            return None
        self.place = await self._places.settle(download, name)
        return self.place.path if self.place.path != download.path else None
