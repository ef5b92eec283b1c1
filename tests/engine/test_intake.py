"""The intake: bytes are stored in order while others arrive, none is lost, and memory stays bounded."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.buffers import OWN_BYTES, SIZES, Buffers
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

URL, FINAL = "http://a.example/file.bin", "/downloads/file.bin"
SIZE = 9_000_000


@pytest.mark.law(2)
@pytest.mark.parametrize("size", [0, 1, SIZES[0], OWN_BYTES, OWN_BYTES + 1, SIZES[3] * 3, SIZE])
def test_a_fast_body_arrives_whole_and_every_buffer_comes_back(size, payload, unlawful, all_given_back):
    """Through buffers that grow, whatever the size of the body."""

    async def story(world: World) -> None:
        truth = {URL: payload(size)}
        world.network.serve(URL, truth[URL])
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
            assert (outcome.ok, outcome.size) == (True, size)
            assert all_given_back(engine._s.buffers)
        assert world.disk.content(FINAL) == truth[URL]
        assert unlawful(world, truth) == []

    run(1, story)


@pytest.mark.law(2)
@pytest.mark.parametrize("room", [0, SIZES[1], 3_000_000, SIZE - 1])
def test_a_disk_that_fills_while_more_arrives_stops_it_and_every_buffer_comes_back(
    room, payload, unlawful, all_given_back
):
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
            assert all_given_back(engine._s.buffers)
            assert unlawful(world, truth) == []
            world.disk.room = 2 * SIZE
            assert (await engine.wait(id)).ok
        assert world.disk.content(FINAL) == truth[URL]

    run(1, story)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 99), after_s=st.floats(0, 0.8), verb=st.sampled_from(["pause", "cancel"]))
def test_a_transfer_that_is_stopped_keeps_what_had_arrived_and_no_buffer(
    seed, after_s, verb, payload, unlawful, all_given_back
):
    """A paused one goes on from every byte that had arrived; of a cancelled one nothing is left."""

    async def story(world: World) -> None:
        truth = {URL: payload(SIZE)}
        world.network.serve(URL, truth[URL], rate=10e6)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(after_s)
            (stopped,) = await getattr(engine, verb)(id)
            assert all_given_back(engine._s.buffers)
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
