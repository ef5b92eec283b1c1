"""The storing of what arrives: three hands, each of which takes what arrived first before what arrived later.

One writes; what it has written, another digests piece by piece. So of a checkpoint that is due that one knows what is
to be said, at the very buffer for which it is due, and it is said when all has been flushed (law 2). The third digests
the whole and waits for neither: what is being written may be digested already, and the other way round. Small buffers
are not worth three hands: as long as there are only such, the one that digests pieces does everything.

When a hand fails, nothing behind that buffer is touched any more, and what was digested of the whole but not piece by
piece is taken back: what was stored before counts.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import trio

from lading.buffers import Buffers
from lading.domain import spans
from lading.domain.pieces import Piece
from lading.domain.ports import Begun, Threads
from lading.domain.tally import Whole
from lading.holding import Arrived, Holding
from lading.nurseries import open_plain_nursery

AHEAD = 6
"""How many buffers may be on their way to the disk."""
APART_BYTES = 256 * 1024
"""From here on, digesting takes longer than finding another thread for it."""

Checkpoint = Callable[[tuple[Piece, ...]], Awaitable[None]]
"""Flushes what was written, and has pieces of it logged."""


class Filled(NamedTuple):
    """A buffer, how much of it is filled with what from where, and whether a checkpoint is due after it."""

    buffer: memoryview
    size: int
    start: int
    source: int | None
    due: bool

    @property
    def arrived(self) -> Arrived:
        """What of the file it is."""
        return Arrived(self.start, self.buffer[: self.size], self.source)


class _Step:
    """A buffer on its way, by its number, and what has come of it so far."""

    def __init__(self, filled: Filled, number: int) -> None:
        self.filled = filled
        self.number = number
        self.before: Whole | None = None
        self.to_say: tuple[Piece, ...] = ()
        self.is_in_pieces = self.is_digested = False

    @property
    def counts(self) -> bool:
        """Whether all was done with it."""
        return self.is_in_pieces and self.is_digested


class _Begun(NamedTuple):
    """What the hands have begun with a step: writing gives what was begun after it; without `digesting`, one does all.

    A step does not know this itself, since what was begun knows the step: so it is gone as soon as it is done with.
    """

    step: _Step
    writing: Begun[Begun[None] | None]
    digesting: Begun[None] | None


class Storing:
    """Stores the buffers of one file, one after the other, while more are filled.

    Args:
        held: the part.
        threads: where the hands work.
        buffers: gets the buffers back.
        total: the size of the whole file in bytes, None when unknown.
        checkpoint: makes a checkpoint that is due; None where none ever is.
    """

    def __init__(
        self, held: Holding, threads: Threads, buffers: Buffers, total: int | None, checkpoint: Checkpoint | None
    ) -> None:
        self._held = held
        self._buffers = buffers
        self._total = total
        self._checkpoint = checkpoint
        self._writer, self._piecer, self._digester = threads.hand(), threads.hand(), threads.hand()
        self._turn = trio.Lock()
        self._room = trio.Semaphore(AHEAD)
        self._is_apart = False
        self._news = trio.Event()
        self._steps: deque[_Begun] = deque()
        self._numbers = itertools.count()
        self._faults: list[int] = []
        self._said: frozenset[Piece] = frozenset()
        self._is_closed = False
        self._failure: Exception | None = None
        self._stored = held.tally.held

    async def run(self, filling: Callable[[], Awaitable[None]]) -> None:
        """Store what is `put` until `filling` has returned; whatever ends that, what was put is in the part then.

        Raises:
            DiskFull, OSError: a hand failed; what was stored before counts.
            Exception: whatever keeps a checkpoint from being made, or ends `filling`.
        """
        try:
            async with open_plain_nursery() as nursery:
                nursery.start_soon(self._store)
                try:
                    await filling()
                finally:
                    self._is_closed = True
                    self._news.set()
        except ExceptionGroup as group:  # the body failed, and then the disk: what is on the disk matters more
            raise self._failure or group from None

    async def put(self, filled: Filled) -> None:
        """Have a buffer stored, as soon as few enough are on their way; it is given back then.

        Once storing has failed, this does not return: `run` tells of that, and ends the caller.
        """
        with trio.CancelScope(shield=True):
            async with self._turn:
                await self._room.acquire()
                if filled.size >= APART_BYTES and not self._is_apart:
                    await self._part_hands()
        if self._failure is not None:
            self._let_go(filled)
            await trio.sleep_forever()
        step = _Step(filled, next(self._numbers))
        if self._is_apart:
            digesting = self._digester.begin(lambda: self._digest_whole(step))
            begun = _Begun(step, self._writer.begin(lambda: self._write_apart(step)), digesting)
        else:
            begun = _Begun(step, self._piecer.begin(lambda: self._store_alone(step)), None)
        self._steps.append(begun)
        self._news.set()

    async def _part_hands(self) -> None:
        """Let what one hand does alone come to its end; from then on there are three."""
        for _ in range(AHEAD - 1):
            await self._room.acquire()
        self._is_apart = True
        for _ in range(AHEAD - 1):
            self._room.release()

    async def _store(self) -> None:
        """See each buffer stored, in order, and make the checkpoints that are due, until there is no more."""
        with trio.CancelScope(shield=True):
            try:
                while self._steps or not self._is_closed:
                    if self._steps:
                        await self._see_through(self._steps[0])
                    else:
                        self._news = trio.Event()
                        await self._news.wait()
            except Exception as error:
                self._failure = error
                raise
            finally:
                await self._rest()

    async def _see_through(self, begun: _Begun) -> None:
        """Wait until a buffer has been stored, and make a checkpoint if one is due."""
        step = begun.step
        try:
            if begun.digesting is not None:
                await begun.digesting.result()
        finally:
            digesting_pieces = await begun.writing.result()
            if digesting_pieces is not None:
                await digesting_pieces.result()
        self._steps.popleft()
        self._stored = spans.union(self._stored, step.filled.start, step.filled.start + step.filled.size)
        self._let_go(step.filled)
        if step.to_say and not self._is_closed:
            await self._say(tuple(piece for piece in step.to_say if piece not in self._said))
            self._said = frozenset(step.to_say)  # what was said before these had been logged when they were noted

    async def _say(self, pieces: tuple[Piece, ...]) -> None:
        assert self._checkpoint is not None, "whoever makes no checkpoints puts nothing that is due"
        await self._checkpoint(pieces)
        self._piecer.begin(lambda: self._held.tally.logged(pieces))

    async def _rest(self) -> None:
        """Wait until all hands have done; take back what does not count, and let go of all that was on its way."""
        for hand in (self._digester, self._writer, self._piecer):
            await hand.begin(lambda: None).result()
        for step, *_ in self._steps:
            if step.before is not None and not step.counts:
                self._held.tally.whole = step.before
                break
        while self._steps:
            self._let_go(self._steps.popleft().step.filled)

    def _let_go(self, filled: Filled) -> None:
        self._buffers.give_back(filled.buffer)
        self._room.release()

    # -- in the hands ----------------------------------------------------------------------------------------------

    def _store_alone(self, step: _Step) -> None:
        self._write(step)
        self._digest_pieces(step)
        self._digest_whole(step)

    def _write_apart(self, step: _Step) -> Begun[None]:
        """Write a buffer, and have the next hand go on with it."""
        self._write(step)
        return self._piecer.begin(lambda: self._digest_pieces(step))

    def _write(self, step: _Step) -> None:
        if not self._is_void(step):
            with self._noting_faults(step):
                self._held.write(step.filled.arrived, self._total)

    def _digest_pieces(self, step: _Step) -> None:
        """Digest the pieces of what was written, and note what there is to say if a checkpoint is due after it."""
        if not self._is_void(step):
            with self._noting_faults(step):
                self._held.digest_pieces(step.filled.arrived)
            step.is_in_pieces = True
            step.to_say = self._held.tally.snapshot() if step.filled.due else ()

    def _digest_whole(self, step: _Step) -> None:
        if not self._is_void(step):
            step.before = self._held.tally.whole.copy()
            with self._noting_faults(step):
                self._held.digest_whole(step.filled.arrived, self._stored)
            step.is_digested = True

    def _is_void(self, step: _Step) -> bool:
        """Tell whether a hand has failed at this buffer, or at one before it."""
        return any(number <= step.number for number in self._faults)

    @contextmanager
    def _noting_faults(self, step: _Step) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._faults.append(step.number)
            raise
