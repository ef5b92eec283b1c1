"""The intake: bytes are stored in order while others arrive, none is lost, and memory stays bounded."""

from __future__ import annotations

import hashlib

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.buffers import OWN_BYTES, POOL_BYTES, SIZES, Buffers
from lading.domain.errors import DiskFull
from lading.domain.requests import Request
from lading.domain.states import State
from lading.engine import Engine
from lading.holding import Arrived, Holding
from lading.testing.simulation import World, run
from lading.testing.threads import InlineThreads

URL, FINAL = "http://a.example/file.bin", "/downloads/file.bin"
SIZE = 9_000_000


def all_given_back(engine: Engine) -> bool:
    """Tell whether nobody holds a buffer of the pool."""
    buffers = engine._s.buffers
    return buffers._left + sum(len(idle) for kind in buffers._idle.values() for idle in kind) == POOL_BYTES


@pytest.mark.law(2)
@pytest.mark.parametrize("size", [0, 1, SIZES[0], OWN_BYTES, OWN_BYTES + 1, SIZES[3] * 3, SIZE])
def test_a_fast_body_arrives_whole_and_every_buffer_comes_back(size, payload, unlawful):
    """Through buffers that grow, whatever the size of the body."""

    async def story(world: World) -> None:
        truth = {URL: payload(size)}
        world.network.serve(URL, truth[URL])
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
            assert (outcome.ok, outcome.size) == (True, size)
            assert all_given_back(engine)
        assert world.disk.content(FINAL) == truth[URL]
        assert unlawful(world, truth) == []

    run(1, story)


@pytest.mark.law(2)
@pytest.mark.parametrize("room", [0, SIZES[1], 3_000_000, SIZE - 1])
def test_a_disk_that_fills_while_more_arrives_stops_it_and_every_buffer_comes_back(room, payload, unlawful):
    """What waits to be stored then is dropped; what was stored counts."""

    async def story(world: World) -> None:
        truth = {URL: payload(SIZE)}
        world.network.serve(URL, truth[URL])
        world.disk.room = room
        world.disk.free = lambda _: 2**40
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, retries=0))).id
            await trio.sleep(1)
            left = await engine.get(id)
            assert (left.state, left.blocked) == (State.WAITING, "disk")
            assert left.received <= room
            assert all_given_back(engine)
            assert unlawful(world, truth) == []
            world.disk.room = 2 * SIZE
            assert (await engine.wait(id)).ok
        assert world.disk.content(FINAL) == truth[URL]

    run(1, story)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 99), after_s=st.floats(0, 0.8), verb=st.sampled_from(["pause", "cancel"]))
def test_a_transfer_that_is_stopped_keeps_what_had_arrived_and_no_buffer(seed, after_s, verb, payload, unlawful):
    """A paused one goes on from every byte that had arrived; of a cancelled one nothing is left."""

    async def story(world: World) -> None:
        truth = {URL: payload(SIZE)}
        world.network.serve(URL, truth[URL], rate=10e6)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(after_s)
            (stopped,) = await getattr(engine, verb)(id)
            assert all_given_back(engine)
            if verb == "cancel":
                assert world.disk.paths() == []
                return
            assert stopped.received >= min(SIZE, 10e6 * after_s) * 0.9 - 2 * SIZES[0]
            assert unlawful(world, truth) == []
            await engine.resume(id)
            outcome = await engine.wait(id)
            assert (outcome.ok, outcome.resumed_from) == (True, stopped.received)
        assert world.disk.content(FINAL) == truth[URL]

    run(seed, story)


@pytest.mark.law(9)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(SIZES)), max_size=60))
def test_the_pool_never_gives_more_than_it_has(steps):
    """Whoever asks for too much gets a smaller buffer; what comes back serves again, in another size if need be."""
    most = 3 * SIZES[-1] + SIZES[2]
    buffers, taken = Buffers(most), []
    for is_taking, size in steps:
        if is_taking or not taken:
            taken.append(buffers.take(size))
            assert SIZES[0] <= len(taken[-1]) <= size
        else:
            buffers.give_back(taken.pop(0))
        idle = sum(len(buffer) for kind in buffers._idle.values() for buffer in kind)
        assert sum(len(buffer) for buffer in taken if len(buffer) > OWN_BYTES) + idle <= most
    for buffer in taken:
        buffers.give_back(buffer)
    assert len(buffers.take(SIZES[-1])) == SIZES[-1]


class Late:
    """Threads of which the one that was begun first does its work last."""

    def __init__(self) -> None:
        self._waiting = 0

    async def run(self, work):
        turn, self._waiting = self._waiting, self._waiting + 1
        await trio.sleep(10 - turn)
        self._waiting -= 1
        return work()


@pytest.mark.law(2)
@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(9)), cuts=st.lists(st.integers(1, 4), min_size=9, max_size=9))
def test_whatever_is_stored_together_and_in_which_order_digests_are_those_of_the_file(order, cuts, payload):
    """Also where the digest is done before the write: what is read back was written in an earlier step."""
    block, content = 128 * 1024, payload(9 * 128 * 1024)

    async def story(world: World) -> None:
        part = world.disk.open_part("/downloads/.part", create=True)
        held = Holding("/downloads/.part", part, world.disk, Late(), algorithm="sha256", also=None, reserve_bytes=0)
        await held.start_over(len(content))
        left = [Arrived(n * block, memoryview(content)[n * block : (n + 1) * block], None) for n in order]
        for cut in cuts:
            if left:
                await held.write(left[:cut], len(content))
                left = left[cut:]
            for piece in await held.flush():
                assert piece.fits(world.disk.durable("/downloads/.part")[piece.start : piece.end])
        await held.settle()
        assert held.tally.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
        held.close()

    run(1, story)


@pytest.mark.law(2)
def test_where_a_write_fails_none_of_what_was_to_be_stored_with_it_counts(payload):
    """Although all of it was digested meanwhile."""
    block, content = 256 * 1024, payload(4 * 256 * 1024)

    async def story(world: World) -> None:
        held = Holding("/downloads/.part", None, world.disk, Late(), algorithm="sha256", also=None, reserve_bytes=0)
        await held.start_over(len(content))
        arrived = [Arrived(n * block, memoryview(content)[n * block : (n + 1) * block], None) for n in range(4)]
        await held.write(arrived[:1], len(content))
        world.disk.room = 2 * block
        with pytest.raises(DiskFull):
            await held.write(arrived[1:], len(content))
        pieces = await held.flush()
        assert sum(piece.size for piece in pieces) == block
        assert all(piece.fits(world.disk.durable("/downloads/.part")[piece.start : piece.end]) for piece in pieces)
        world.disk.room = 9 * block
        await held.write(arrived[1:], len(content))
        assert held.tally.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
        held.close()

    run(1, story)


def test_of_two_faults_in_one_step_the_full_disk_is_told():
    """It may pass by itself, and the download waits for that."""

    async def story(world: World) -> None:
        block = 300_000
        held = Holding(
            "/downloads/.part", None, world.disk, InlineThreads(), algorithm="sha256", also=None, reserve_bytes=0
        )
        await held.start_over(9 * block)
        data = memoryview(bytes(block))
        await held.write([Arrived(block, data, None)], 9 * block)
        await held.write([Arrived(0, data, None)], 9 * block)
        held.part.truncate(0)
        world.disk.room = 0
        with pytest.raises(DiskFull):
            await held.write([Arrived(2 * block, data, None)], 9 * block)
        held.close()

    run(1, story)
