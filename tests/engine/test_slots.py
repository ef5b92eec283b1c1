"""Connections to a host stay within their number, first and further ones together, and everybody has a first one."""

from __future__ import annotations

from collections import Counter

import pytest
import trio

from lading.domain.requests import Request
from lading.settings import HostLimits
from lading.slots import Slots
from lading.testing.simulation import World, run

pytestmark = pytest.mark.row("S1.1", "S2.11")

MIB = 1024 * 1024
CONTENT = bytes(32 * MIB)


def watched(world: World, highest: Counter[str]):
    """Return a task that notes how many answers of each host were being read at once."""

    async def watch():
        while True:
            now = Counter(reply.head.url.split("/")[2] for reply in world.network.open)
            for host, count in now.items():
                highest[host] = max(highest[host], count)
            await trio.sleep(0.2)

    return watch


def test_first_and_further_connections_together_stay_within_the_number_of_their_host():
    """One has both; when a second download comes it gets one of them, within seconds; and sizes do not matter."""

    async def story(world: World):
        highest, seen = Counter(), []
        tables = {"host": {"a.example": HostLimits(connections=2)}}
        async with world.engine(concurrency=4, per_host=9, tables=tables) as engine, trio.open_nursery() as nursery:
            nursery.start_soon(watched(world, highest))
            for number in range(3):
                world.network.serve(f"http://a.example/{number}", CONTENT, etag='"one"', rate=MIB)
                await engine.submit(Request(f"http://a.example/{number}"))
                await trio.sleep(8 if number == 0 else 3)
                seen.append(sorted(int(reply.head.url[-1]) for reply in world.network.open))
            world.network.serve("http://b.example/3", CONTENT, etag='"one"', rate=MIB)
            await engine.submit(Request("http://b.example/3"))
            await engine.wait_idle()
            assert not +engine._s.board.connections
            nursery.cancel_scope.cancel()
        assert all(world.disk.content(f"/downloads/{number}") == CONTENT for number in range(4))
        return highest, seen

    highest, seen = run(2, story)
    assert highest["a.example"] == 2
    assert highest["b.example"] > 2
    assert seen == [[0, 0], [0, 1], [0, 1]]


def test_small_files_have_slots_too():
    """A mirror's host counts where it is a mirror's, and a slot comes back whatever becomes of the attempt."""

    async def story(world: World):
        highest = Counter()
        async with world.engine(concurrency=9, per_host=1, retries=0) as engine, trio.open_nursery() as nursery:
            nursery.start_soon(watched(world, highest))
            for number in range(4):
                world.network.serve(f"http://b.example/{number}", bytes(1000), rate=1000)
                request = Request(
                    f"http://a{number}.example/{number}", mirrors=(f"http://b.example/{number}",), retries=1
                )
                await engine.submit(request)
            await engine.wait_idle()
            assert not +engine._s.board.connections
            assert len(await engine.listing(state="completed")) == 4
            nursery.cancel_scope.cancel()
        return highest

    assert run(2, story)["b.example"] == 1


def test_a_first_connection_that_is_begun_anew_leaves_its_slot_to_another_of_its_download():
    """One falls asleep, and is given up; there are two again, and never three."""

    async def story(world: World):
        highest = Counter()
        world.network.serve("http://a.example/0", CONTENT, etag='"one"', rate=MIB)
        async with world.engine(per_host=2) as engine, trio.open_nursery() as nursery:
            nursery.start_soon(watched(world, highest))
            await engine.submit(Request("http://a.example/0", connections=6))
            await trio.sleep(8)
            assert len(world.network.open) == 2
            world.network.open[0].asleep = True
            await trio.sleep(8)
            assert not any(reply.asleep for reply in world.network.open)
            assert len(world.network.open) == 2
            assert engine._s.board.connections["a.example:80"] == 2
            await engine.wait_idle()
            assert not +engine._s.board.connections
            nursery.cancel_scope.cancel()
        return highest

    assert run(2, story)["a.example"] == 2


@pytest.mark.parametrize("seed", range(6))
def test_slots_are_given_in_the_order_of_coming_and_none_is_lost(seed):
    """Whoever stops waiting lets the next one look; more slots let more in."""
    run(seed, lambda _: _in_order())


async def _in_order() -> None:
    connections: Counter[str] = Counter()
    most = 1
    slots = Slots(connections, lambda _: most)
    order: list[int] = []

    async def hold(number: int, patience_s: float) -> None:
        with trio.move_on_after(patience_s):
            async with slots.first("a"):
                order.append(number)
                assert connections["a"] <= most
                await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        for number, patience_s in enumerate([9, 9, 0.5, 9, 9, 9]):
            nursery.start_soon(hold, number, patience_s)
            await trio.sleep(0.01)
        assert slots.is_wanted("a")
        assert not slots.has_room("a")
        assert slots.has_room("b")
        await trio.sleep(2.5)
        most = 2
        slots.tell()
    assert order == [0, 1, 3, 4, 5]
    assert not +connections
    assert not slots.is_wanted("a")
    assert slots.has_room("a")


def test_a_slot_that_is_free_is_theirs_who_wait():
    """Nobody who comes later takes it from them, be it in the moment before they wake."""

    async def story(_: World):
        slots = Slots(Counter(), lambda _: 1)
        slots.enter("a")

        async def hold() -> None:
            async with slots.first("a"):
                await trio.sleep(1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold)
            await trio.sleep(1)
            slots.leave("a")
            assert not slots.has_room("a")
        assert slots.has_room("a")

    run(1, story)
