"""The intake of one body: received into one buffer while the one before is written and digested.

Buffers are stored in the order in which they were received, one at a time, each written and digested side by side where
that pays. What is due for a checkpoint is flushed and logged by the same hand, right after it was stored, so that what
a `Progressed` names was written before the flush (law 2); receiving goes on meanwhile, as far as there are buffers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

import trio

from lading.buffers import OWN_BYTES, SIZES
from lading.domain import checkpoints
from lading.domain.ports import Reply
from lading.live import Gauge
from lading.nurseries import open_plain_nursery
from lading.services import Services
from lading.work import Work

AHEAD = 3
"""How many buffers may wait to be stored."""
FAST_FILL_S = 0.05
SEVERAL = 4
BLOCK_BYTES = 4096


class _Filled(NamedTuple):
    """A buffer, how much of it is filled, and whether a checkpoint is due after it."""

    buffer: memoryview
    size: int
    due: bool


class Intake:
    """Takes the body of one answer into the part that an attempt holds.

    Args:
        services: the ports.
        work: the attempt's side of the download.
        gauge: told of what arrives.
        running: how many transfers share the budget of events.
        total: the size of the whole file in bytes, None when unknown.
    """

    def __init__(
        self, services: Services, work: Work, gauge: Gauge, running: Callable[[], int], total: int | None
    ) -> None:
        self._s = services
        self._work = work
        self._gauge = gauge
        self._running = running
        self._total = total
        self._at = work.held.tally.at
        self._handed_s = self._began_s = services.clock.monotonic()
        self._unlogged = 0
        self._arrived = 0
        self._size = OWN_BYTES if self._is_short() else SIZES[0]
        self._is_stopping = False

    async def run(self, reply: Reply, skip: int) -> bool:
        """Take in everything but the first `skip` bytes; return False when there was more than `total` allows.

        Whatever ends this, what had arrived is in the part then, but for what is too much.

        Raises:
            TransferError: the body broke off.
            DiskFull, OSError: the disk failed.
            Fenced: somebody else has the word.
        """
        if self._is_short():
            return await self._receive(reply, skip, self._store)
        async with open_plain_nursery() as nursery:
            send, receive = trio.open_memory_channel[_Filled](AHEAD)
            nursery.start_soon(self._store_all, receive)
            try:
                async with send:
                    return await self._receive(reply, skip, send.send)
            finally:
                self._is_stopping = True

    def _is_short(self) -> bool:
        """Tell whether all that is to come fits into one buffer."""
        return self._total is not None and self._total - self._at <= OWN_BYTES

    # -- receiving -------------------------------------------------------------------------------------------------

    async def _receive(self, reply: Reply, skip: int, store: Callable[[_Filled], Awaitable[None]]) -> bool:
        buffer, filled, room = self._fresh()
        try:
            while count := await reply.receive_into(buffer[filled:room]):
                now_s = self._s.clock.monotonic()
                if skip:
                    dropped = min(skip, count)
                    buffer[filled : filled + count - dropped] = bytes(buffer[filled + dropped : filled + count])
                    skip, count = skip - dropped, count - dropped
                if self._total is not None and self._at + count > self._total:
                    filled = 0
                    return False
                filled, self._at, self._arrived = filled + count, self._at + count, self._arrived + count
                self._unlogged += count
                self._gauge.add(count, now_s)
                due = checkpoints.due(self._unlogged, now_s - self._handed_s, self._running())
                due = due and self._s.budget.take(now_s)
                if filled == room or due:
                    if self._is_fast(now_s):
                        self._size = SIZES[min(SIZES.index(self._size) + 1, len(SIZES) - 1)]
                    if due:
                        self._unlogged, self._handed_s = 0, now_s
                    full, count, filled = buffer, filled, 0
                    buffer = memoryview(b"")
                    await self._hand_over(store, _Filled(full, count, due))
                    buffer, filled, room = self._fresh()
                await self._keep_to_limit()
        finally:
            if filled:
                await self._hand_over(store, _Filled(buffer, filled, due=False))
            else:
                self._s.buffers.give_back(buffer)
        return True

    async def _hand_over(self, store: Callable[[_Filled], Awaitable[None]], filled: _Filled) -> None:
        """Have a buffer stored, whatever becomes of the transfer: bytes that arrived need not arrive again."""
        try:
            with trio.CancelScope(shield=True):
                await store(filled)
        except trio.BrokenResourceError:  # storing has failed before, which is told by who stored
            self._s.buffers.give_back(filled.buffer)
            await trio.sleep_forever()

    def _is_fast(self, now_s: float) -> bool:
        """Tell whether buffers like the present one fill in no time: several have, on the average since the beginning.

        Servers that hold a rate send in bursts; one buffer that was filled by a burst proves nothing.
        """
        buffers = self._arrived / self._size
        return buffers >= SEVERAL and now_s - self._began_s < buffers * FAST_FILL_S

    def _fresh(self) -> tuple[memoryview, int, int]:
        """Return an empty buffer, 0, and the room in it that ends on a block of the file."""
        buffer = self._s.buffers.take(self._size)
        return buffer, 0, len(buffer) - self._at % BLOCK_BYTES

    async def _keep_to_limit(self) -> None:
        limit = self._work.download.order.limit_rate
        if limit is not None:
            ahead_s = self._arrived / limit - (self._s.clock.monotonic() - self._began_s)
            if ahead_s > 0:
                await self._s.clock.sleep(ahead_s)

    # -- storing ---------------------------------------------------------------------------------------------------

    async def _store_all(self, receive: trio.MemoryReceiveChannel[_Filled]) -> None:
        with trio.CancelScope(shield=True):
            try:
                async for filled in receive:
                    await self._store(filled)
            finally:
                with suppress(trio.WouldBlock, trio.EndOfChannel):
                    while True:
                        self._s.buffers.give_back(receive.receive_nowait().buffer)
                receive.close()

    async def _store(self, filled: _Filled) -> None:
        try:
            await self._work.held.write(filled.buffer[: filled.size], self._total)
        finally:
            self._s.buffers.give_back(filled.buffer)
        if filled.due and not self._is_stopping:
            await self._work.checkpoint()
