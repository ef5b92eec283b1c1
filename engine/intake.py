"""The intake of a file: bodies are received, by one connection or several, while what came before is written.

Whoever receives, buffers are filled one after the other, and handed over to be stored (`lading.storing`), as far as
there are buffers. Now and then one of them is due for a checkpoint. What fits into one buffer, and is all that is
missing, is not worth a step of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from lading.buffers import OWN_BYTES, SIZES
from lading.domain import checkpoints
from lading.domain.allotment import Share
from lading.domain.pieces import Piece
from lading.domain.ports import Reply
from lading.live import Gauge
from lading.services import Services
from lading.storing import Filled, Storing
from lading.throttle import ENDLESS, Account, Lane
from lading.work import Work

FAST_FILL_S = 0.05
SIP_BYTES, TRICKLE_S = 16 * 1024, 0.005
"""A receive of fewer bytes that had to wait for so long is a sip; so is one of fewer than `DROP_BYTES`,
of a body slower than `SLOW_RATE` bytes a second, even if it had not to wait."""
DROP_BYTES, SLOW_RATE = 2 * 1024, 64 * 1024
NAP_S, LEAST_NAP_S, MOST_NAP_S = 0.00025, 0.01, 0.25
"""How long to wait after a sip, for each transfer that runs: so some thousands of them a second leave the loop time."""
SEVERAL = 4
BLOCK_BYTES = 4096


@attrs.frozen(kw_only=True)
class Course:
    """Where the bytes of one body go.

    Attributes:
        share: what they are to fill; whoever holds it may cut it short meanwhile, and then the rest is left alone.
        skip: how many bytes the body has before the first of these.
        until: where the body itself ends, if that is known.
        source: the number of the source that it comes from, None for the attempt's own.
        extend: asked when the share is at its end and the body is not: whether the share goes on.
    """

    share: Share
    skip: int = 0
    until: int | None = None
    source: int | None = None
    extend: Callable[[], bool] = lambda: False


class Intake:
    """Takes bodies into the part that an attempt holds.

    Args:
        services: the ports.
        work: the attempt's side of the download.
        gauge: told of what arrives.
        running: how many transfers share the budget of events.
        total: the size of the whole file in bytes, None when unknown.
        account: pays for what arrives; without one, nothing limits that.
    """

    def __init__(
        self,
        services: Services,
        work: Work,
        gauge: Gauge,
        running: Callable[[], int],
        total: int | None,
        *,
        account: Account | None = None,
    ) -> None:
        self._s = services
        self._work = work
        self._gauge = gauge
        self._running = running
        self._total = total
        self._account = account
        self._handed_s = services.clock.monotonic()
        self._unlogged = 0
        self._storing: Storing | None = None
        self.arrived = 0

    async def run(self, receiving: Callable[[], Awaitable[None]]) -> None:
        """Store what is received until `receiving` has returned; whatever ends it, what had arrived is in the part.

        Raises:
            DiskFull, OSError: the disk failed.
            Fenced: somebody else has the word.
            TransferError: whatever `receiving` raises.
        """
        if self.is_short:
            return await receiving()
        self._storing = Storing(self._work.held, self._s.threads, self._s.buffers, self._total, self._checkpoint)
        return await self._storing.run(receiving)

    @property
    def is_short(self) -> bool:
        """Whether all that is to come fits into one buffer."""
        return self._total is not None and self._total - self._work.held.tally.size <= OWN_BYTES

    async def receive(self, reply: Reply, course: Course) -> bool:
        """Take in a body, as far as its share goes; return False when it went on behind its own end.

        Raises:
            TransferError: the body broke off; what arrived before is counted in the share.
        """
        if self._account is None:
            return await _Reception(self, reply, course, None).run()
        source = self._work.download.source if course.source is None else course.source
        async with self._account.lane(source) as lane:
            return await _Reception(self, reply, course, lane).run()

    # -- for receptions --------------------------------------------------------------------------------------------

    def note(self, count: int, now_s: float) -> bool:
        """Count bytes that arrived, and tell whether a checkpoint is due, which is then taken as made."""
        self.arrived += count
        self._unlogged += count
        self._gauge.add(count, now_s)
        due = checkpoints.due(self._unlogged, now_s - self._handed_s, self._running()) and self._s.budget.take(now_s)
        if due:
            self._unlogged, self._handed_s = 0, now_s
        return due

    def now(self) -> float:
        """Return the time, in monotonic seconds."""
        return self._s.clock.monotonic()

    @property
    def first_size(self) -> int:
        """The size of the buffer that a body begins with."""
        return OWN_BYTES if self.is_short else SIZES[0]

    def take_buffer(self, size: int) -> memoryview:
        """Return an empty buffer of about a size."""
        return self._s.buffers.take(size)

    def give_back(self, buffer: memoryview) -> None:
        """Let go of a buffer that holds nothing."""
        self._s.buffers.give_back(buffer)

    async def hand_over(self, buffer: memoryview, size: int, start: int, source: int | None, *, due: bool) -> None:
        """Have a buffer stored, whatever becomes of the transfer: bytes that arrived need not arrive again."""
        filled = Filled(buffer, size, start, source, due)
        await (self._store_little(filled) if self._storing is None else self._storing.put(filled))

    async def nap(self) -> None:
        """Where very many transfers trickle, let more arrive before it is taken: a few bytes are not worth a turn."""
        nap_s = NAP_S * self._running()
        if nap_s >= LEAST_NAP_S:
            await self._s.clock.sleep(min(nap_s, MOST_NAP_S))

    # -- storing ---------------------------------------------------------------------------------------------------

    async def _store_little(self, filled: Filled) -> None:
        """Store what is not worth hands of its own; the whole of a small file is kept back until it is published."""
        if filled.size == self._total and filled.source is None:
            return self._work.held.keep_back(filled.buffer[: filled.size])
        try:
            await self._work.held.store(filled.arrived, self._total)
        finally:
            self._s.buffers.give_back(filled.buffer)
        if filled.due:
            await self._work.checkpoint()
        return None

    async def _checkpoint(self, pieces: tuple[Piece, ...]) -> None:
        await self._work.held.flush_part()
        await self._work.vouch(pieces)


class _Reception:
    """One body on its way into a share: buffers are filled up to a block of the file, and handed over."""

    def __init__(self, intake: Intake, reply: Reply, course: Course, lane: Lane | None) -> None:
        self._intake = intake
        self._reply = reply
        self._course = course
        self._lane = lane
        self._share = course.share
        self._skip = course.skip
        self._began_s = intake.now()
        self._arrived = 0
        self._size = intake.first_size
        self._buffer = memoryview(b"")
        self._start = self._filled = self._room = 0

    async def run(self) -> bool:
        """Receive, as `Intake.receive` says."""
        intake, share, lane = self._intake, self._share, self._lane
        self._begin_buffer()
        try:
            while not self._is_cut(1):
                most = ENDLESS if lane is None else lane.allowance() or await lane.reopened()
                asked_s = intake.now()
                count = await self._reply.receive_into(
                    self._buffer[self._filled : min(self._room, self._filled + most)]
                )
                if not count:
                    return True
                is_to_pay = lane is not None and lane.owe(count)
                now_s = intake.now()
                arrived = self._drop_skipped(count)
                is_cut = self._is_cut(arrived)
                count = min(arrived, self._bound() - share.at)
                self._filled, self._arrived, share.at = self._filled + count, self._arrived + count, share.at + count
                due = intake.note(count, now_s)
                if count < arrived:  # what was dropped here is gone from the body, which is of no more use
                    await self._hand_over(due=due)
                    return is_cut
                if self._filled == self._room or due:
                    if self._is_fast(now_s):
                        self._size = SIZES[min(SIZES.index(self._size) + 1, len(SIZES) - 1)]
                    await self._hand_over(due=due)
                    self._begin_buffer()
                if lane is not None and is_to_pay:
                    await lane.pay()
                elif most == ENDLESS and share.at != share.end and self._trickles(count, now_s, now_s - asked_s):
                    await intake.nap()
        finally:
            if self._filled:
                await self._hand_over(due=False)
            elif len(self._buffer):
                intake.give_back(self._buffer)
        return True

    def _begin_buffer(self) -> None:
        """Take an empty buffer; its room ends on a block of the file."""
        self._buffer = self._intake.take_buffer(self._size)
        self._start, self._filled = self._share.at, 0
        self._room = len(self._buffer) - self._start % BLOCK_BYTES

    async def _hand_over(self, *, due: bool) -> None:
        buffer, self._buffer, filled, self._filled = self._buffer, memoryview(b""), self._filled, 0
        await self._intake.hand_over(buffer, filled, self._start, self._course.source, due=due)

    def _drop_skipped(self, count: int) -> int:
        """Drop what is to be skipped of the last `count` bytes, and return how many are left."""
        dropped = min(self._skip, count)
        if dropped:
            self._skip -= dropped
            at, buffer = self._filled, self._buffer
            buffer[at : at + count - dropped] = bytes(buffer[at + dropped : at + count])
        return count - dropped

    def _bound(self) -> int:
        """Return the byte before which the share, or the body, ends."""
        return min((end for end in (self._share.end, self._course.until) if end is not None), default=ENDLESS)

    def _is_cut(self, count: int) -> bool:
        """Tell whether the share ends, for good, before the next `count` bytes of the body do."""
        share, until = self._share, self._course.until
        while share.end is not None and until is not None and share.end < min(share.at + count, until):
            if not self._course.extend():
                return True
        return False

    def _trickles(self, count: int, now_s: float, waited_s: float) -> bool:
        """Tell whether a receive of so many bytes was a sip: waited for, or next to nothing of a body that is slow."""
        if count >= SIP_BYTES or waited_s >= TRICKLE_S:
            return count < SIP_BYTES
        return count < DROP_BYTES and self._arrived < SLOW_RATE * (now_s - self._began_s)

    def _is_fast(self, now_s: float) -> bool:
        """Tell whether buffers like the present one fill in no time: several have, on the average since the beginning.

        Servers that hold a rate send in bursts; one buffer that was filled by a burst proves nothing.
        """
        buffers = self._arrived / self._size
        return buffers >= SEVERAL and now_s - self._began_s < buffers * FAST_FILL_S
