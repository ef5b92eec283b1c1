"""The storing of what arrives: whichever hand is ahead, what counts is written, and digests are those of the file."""

from __future__ import annotations

import errno
import hashlib
from collections import deque

import outcome
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.buffers import POOL_BYTES, SIZES, Buffers
from lading.domain.errors import DiskFull, Fenced, TransferError
from lading.domain.spans import gaps
from lading.holding import Holding
from lading.storing import AHEAD, APART_BYTES, Filled, Storing
from lading.testing.simulation import World, run

BLOCK, COUNT = APART_BYTES, 9
SIZE = BLOCK * COUNT
PART = "/downloads/.part"
ORDERS = st.just(list(range(COUNT))) | st.permutations(range(COUNT))
TURNS = st.lists(st.integers(0, 3), max_size=4 * COUNT)
DUE = HALVED = st.sets(st.integers(0, COUNT - 1))


class Turns:
    """Threads of which one is at work at a time: whose turn it is, among those that have something to do, is given."""

    def __init__(self, turns) -> None:
        self._turns = iter(turns)
        self._hands: list[deque[Turn]] = []
        self.begins: list[Begin] = []
        self.are_stuck = self.is_at_work = False

    @property
    def is_idle(self) -> bool:
        return not any(self._hands)

    async def run(self, work):
        await trio.lowlevel.checkpoint()
        return work()

    def hand(self):
        hand = deque()
        self._hands.append(hand)
        self.begins.append(Begin(self, hand))
        return self.begins[-1]

    def go_on(self) -> None:
        ready = [hand for hand in self._hands if hand]
        self.is_at_work = True
        ready[self.next() % len(ready)].popleft().do()
        self.is_at_work = False

    def next(self) -> int:
        return next(self._turns, 0)


class Begin:
    def __init__(self, turns: Turns, hand: deque[Turn]) -> None:
        self._turns, self._hand = turns, hand
        self.begun = 0

    def begin(self, work):
        turn = Turn(self._turns, work)
        self._hand.append(turn)
        self.begun += 1
        while self._turns.is_at_work and self._hand and self._turns.next():  # a work began it: no need to wait for that
            self._hand.popleft().do()
        return turn


class Turn:
    def __init__(self, turns: Turns, work) -> None:
        self._turns, self._work, self._outcome = turns, work, None

    async def result(self):
        while self._outcome is None:
            await trio.sleep(1 if self._turns.are_stuck else 0)
            if self._outcome is None and not self._turns.are_stuck:
                self._turns.go_on()
        return self._outcome.unwrap()

    def do(self) -> None:
        self._outcome = outcome.capture(self._work)


class Scene:
    """A part of a file, and whoever stores into it."""

    def __init__(self, world: World, threads, content: bytes) -> None:
        self.world, self.threads, self.content = world, threads, content
        self.buffers = Buffers()
        self.held = Holding(PART, None, world.disk, threads, algorithm="sha256", also=None, reserve_bytes=0)
        self.said, self.times = [], 0

    async def store(self, numbers, due=(), checkpoint=None, *, halved=()) -> None:
        """Store blocks of the file, in this order, some in two steps; what is said goes through `checkpoint`."""
        storing = self.storing = Storing(self.held, self.threads, self.buffers, SIZE, checkpoint or self.say)

        async def fill() -> None:
            for number in numbers:
                step = BLOCK // 2 if number in halved else BLOCK
                for start in range(number * BLOCK, (number + 1) * BLOCK, step):
                    buffer = self.buffers.take(SIZES[2])
                    buffer[:step] = self.content[start : start + step]
                    await storing.put(Filled(buffer, step, start, None, number in due))

        try:
            await storing.run(fill)
        finally:
            assert self.threads.is_idle
            assert self.held.tally.whole.at <= self.held.tally.at

    async def say(self, pieces) -> None:
        """Flush; what is to be said must be on the disk then."""
        await self.held.flush_part()
        self.said += pieces
        self.times += 1
        self.see(pieces)

    def see(self, pieces) -> None:
        durable = self.world.disk.durable(PART) or b""
        assert all(piece.fits(durable[piece.start : piece.end]) for piece in pieces)

    async def finish(self) -> None:
        """Store what is missing; whatever was before, the file is whole then, and all that is held of it is true."""
        self.see(await self.held.flush())
        missing = [
            start // BLOCK for low, high in gaps(self.held.tally.held, SIZE) for start in range(low, high, BLOCK)
        ]
        await self.store(sorted(missing))
        await self.held.settle()
        assert self.held.tally.digest == f"sha256:{hashlib.sha256(self.content).hexdigest()}"
        self.see(await self.held.flush())
        assert not self.lent
        self.held.close()

    @property
    def lent(self) -> int:
        """How many bytes of the pool somebody holds."""
        idle = sum(len(buffer) for kind in self.buffers._idle.values() for buffer in kind)
        return POOL_BYTES - self.buffers._left - idle


@pytest.mark.law(2)
@settings(max_examples=150, deadline=None)
@given(order=ORDERS, turns=TURNS, due=DUE, halved=HALVED)
def test_what_is_said_was_written_before_the_flush_whichever_hand_is_ahead(order, turns, due, halved, payload):
    """Nothing is said twice, and all that was due by the end is said; the digest is that of the file."""

    async def story(world: World) -> None:
        scene = Scene(world, Turns(turns), payload(SIZE))
        await scene.store(order, due, halved=halved)
        assert len(set(scene.said)) == len(scene.said)
        assert scene.times <= len(due) + len(halved & due)
        await scene.finish()

    run(1, story)


@pytest.mark.law(2)
@pytest.mark.parametrize(
    ("step", "fault"),
    [("write", DiskFull("no")), ("write", OSError(errno.EIO, "no")), ("digest_pieces", MemoryError())],
)
@settings(max_examples=150, deadline=None)
@given(order=ORDERS, turns=TURNS, due=DUE, halved=HALVED, at=st.integers(0, COUNT - 1))
def test_where_a_step_fails_nothing_counts_from_there_on(step, fault, order, turns, due, halved, at, payload):
    """Although it was digested as part of the whole, or even written; and all before it does count."""

    async def story(world: World) -> None:
        scene, counted, asked = Scene(world, Turns(turns), payload(SIZE)), [], []
        held = scene.held
        real = getattr(held, step)

        def failing(arrived, *total):
            asked.append(arrived.start)
            if len(asked) == at + 1:
                raise fault
            counted.append(len(arrived.data))
            real(arrived, *total)

        setattr(held, step, failing)
        with pytest.raises(type(fault)):
            await scene.store(order, due, halved=halved)
        assert len(asked) == at + 1
        assert held.tally.size == sum(counted)
        setattr(held, step, real)
        await scene.finish()

    run(1, story)


@settings(max_examples=100, deadline=None)
@given(turns=TURNS, due=DUE)
def test_what_arrives_in_order_is_never_read_back(turns, due, payload):
    """Also where it was written long before its turn to be digested comes: it is in memory still."""

    async def story(world: World) -> None:
        scene = Scene(world, Turns(turns), payload(SIZE))
        scene.held.part.read = None
        await scene.store(range(COUNT), due)
        await scene.finish()

    run(1, story)


@pytest.mark.law(2)
@settings(max_examples=150, deadline=None)
@given(order=ORDERS, turns=TURNS, due=DUE, halved=HALVED, at=st.integers(0, COUNT - 1))
def test_where_the_digest_fails_what_is_written_is_digested_again(order, turns, due, halved, at, payload):
    """The bytes are there; who digests them later reads them back."""

    async def story(world: World) -> None:
        scene, calls = Scene(world, Turns(turns), payload(SIZE)), []
        held = scene.held
        real = held.digest_whole

        def digest(arrived, written):
            calls.append(arrived)
            if len(calls) == at + 1:
                held.tally.whole.take(memoryview(b"half of it"))
                raise OSError(errno.EIO, "no")
            real(arrived, written)

        held.digest_whole = digest
        with pytest.raises(OSError, match="no"):
            await scene.store(order, due, halved=halved)
        assert len(calls) == at + 1
        held.digest_whole = real
        await scene.finish()

    run(1, story)


@pytest.mark.law(2, 6)
@settings(max_examples=100, deadline=None)
@given(order=ORDERS, turns=TURNS, at=st.integers(0, COUNT - AHEAD - 1))
def test_who_may_say_no_more_writes_no_more_than_was_under_way(order, turns, at, payload):
    """Somebody else may have the word; what was written all the same is no harm, and is what the tally says it is."""

    async def story(world: World) -> None:
        scene = Scene(world, Turns(turns), payload(SIZE))

        async def refuse(pieces) -> None:
            assert pieces
            raise Fenced("another")

        with pytest.raises(Fenced):
            await scene.store(order, order[at:], refuse)
        assert (at + 1) * BLOCK <= scene.held.tally.size <= (at + 1 + AHEAD) * BLOCK
        await scene.finish()

    run(1, story)


def test_what_the_body_failed_with_matters_less_than_that_the_disk_did(payload):
    """A body breaks off every day."""

    async def story(world: World) -> None:
        scene = Scene(world, Turns(()), payload(SIZE))
        world.disk.room = 0
        storing = Storing(scene.held, scene.threads, scene.buffers, SIZE, None)

        async def fill() -> None:
            buffer = scene.buffers.take(SIZES[2])
            await storing.put(Filled(buffer, BLOCK, 0, None, due=False))
            raise TransferError("it broke off")

        with pytest.raises(DiskFull):
            await storing.run(fill)
        world.disk.room = 9 * SIZE
        await scene.finish()

    run(1, story)


@pytest.mark.law(9)
def test_no_more_buffers_are_on_their_way_than_there_may_be(payload):
    """Whoever fills them waits for the slower hand."""

    async def story(world: World) -> None:
        scene = Scene(world, Turns(()), payload(SIZE))
        scene.threads.are_stuck = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.store, range(COUNT))
            await trio.sleep(5)
            assert scene.lent == (AHEAD + 1) * SIZES[2]
            scene.threads.are_stuck = False
        await scene.finish()

    run(1, story)


def test_as_long_as_there_is_little_one_hand_does_everything(payload):
    """What is told of pieces included: so nobody else touches the tally meanwhile."""

    async def story(world: World) -> None:
        scene = Scene(world, Turns(()), payload(SIZE))
        await scene.store(range(COUNT), range(COUNT), halved=range(COUNT))
        resting = 1  # each hand is asked for the end of its works
        assert sorted(begin.begun for begin in scene.threads.begins)[:2] == [resting, resting]
        await scene.finish()

    run(1, story)


@pytest.mark.law(9)
def test_what_was_said_is_not_remembered_for_ever(payload):
    """Only what may be in the next snapshot too."""

    async def story(world: World) -> None:
        scene = Scene(world, Turns(()), payload(SIZE))
        await scene.store(range(COUNT), range(COUNT))
        assert 1 <= len(scene.storing._said) < len(scene.said)
        await scene.finish()

    run(1, story)
