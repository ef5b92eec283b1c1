"""The journal: what it asks of the log, however long that has become."""

from __future__ import annotations

import trio

from lading.testing.simulation import World, run


def test_noting_what_happens_to_an_engine_costs_the_same_for_ever():
    """An engine whose network comes and goes for a year reads no year of that each time."""

    async def story(world: World) -> list[int]:
        read: list[int] = []
        stream = world.log.stream

        def counting(id, after=0):
            found = stream(id, after)
            if id == engine.worker:
                read.append(len(found))
            return found

        async with world.engine(watch_s=1.0) as engine:
            world.log.stream = counting
            for number in range(40):
                world.machine.online = bool(number % 2)
                await trio.sleep(2)
            return read

    read = run(1, story)
    assert len(read) >= 40
    assert max(read) <= 1
