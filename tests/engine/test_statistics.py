"""Statistics of a whole engine: a life with a known outcome comes to exactly these numbers."""

from __future__ import annotations

import attrs
import pytest
import trio

from lading.domain.requests import Request
from lading.testing import MemoryStore
from lading.testing.simulation import World, run
from lading.views import Views

pytestmark = [pytest.mark.row("S2.7")]

SIZE = 100_000
SLOW = "http://slow.example/slow.bin"


async def life(world: World, payload) -> World:
    """Live it: three that go well, one that is not there, one that is busy at first, one that a crash cuts short."""
    for number in range(3):
        world.network.serve(f"http://a.example/{number}.bin", payload(SIZE, number))
    world.network.serve("http://a.example/none.bin", b"", status=404)
    busy = world.network.serve("http://b.example/busy.bin", payload(SIZE, 7), status=503, retry_after="10")
    world.network.serve(SLOW, payload(SIZE, 8), rate=500)
    async with world.engine(concurrency=1) as engine:
        names = ("0.bin", "1.bin", "2.bin", "none.bin")
        for download in await engine.submit_many([Request(f"http://a.example/{name}") for name in names]):
            await engine.wait(download.id)
        late = await engine.submit(Request("http://b.example/busy.bin"))
        while (await engine.get(late.id)).state != "waiting":
            await trio.sleep(0.1)
        busy.status = None
        await engine.wait(late.id)
        await engine.submit(Request(SLOW))
        await trio.sleep(130)
        world = world.fork(2)
    world.disk.crash()
    world.network.serve(SLOW, payload(SIZE, 8))
    async with world.engine() as engine:
        await engine.wait_idle()
    return world


def test_a_life_with_a_known_outcome_comes_to_exactly_these_numbers(payload):
    """Counts, causes, rates and bytes; asked of an engine that has seen none of it, so that replay gives them."""

    async def story(world: World):
        world = await life(world, payload)
        async with world.engine(owner=False) as engine:
            return await engine.statistics()

    found = run(1, story)
    assert (found.queued, found.completed, found.failed, found.attempts) == (6, 5, 1, 8)
    assert found.failed_by_cause == {"refused": 1}
    assert found.retries_by_cause == {"busy": 1}
    assert (found.completed_after_retry, found.failed_after_retry, found.retry_rate) == (1, 0, 1.0)
    assert found.interrupted == {"crash": 1}
    assert (found.completed_after_interruption, found.recovery_rate) == (1, 1.0)
    assert found.success_rate == pytest.approx(5 / 6)
    assert found.received_bytes == 5 * SIZE
    assert 0 < found.resumed_bytes < SIZE
    assert (found.resumed, found.refetched_bytes, found.partial_bytes) == (1, 0, 0)
    assert (found.engines_opened, found.engines_closed) == (2, 1)
    assert (found.recovered["times"], found.recovered["interrupted"]) == (1, 1)
    assert found.recovered["bytes_vouched"] == found.resumed_bytes
    assert (found.took.count, found.attempts_took.count) == (5, 8)


@pytest.mark.row("S0.3")
def test_partial_data_is_told_while_it_is_there(payload):
    """What an interrupted download holds on the disk is what the log vouches for."""

    async def story(world: World):
        world.network.serve(SLOW, payload(SIZE), rate=500)
        async with world.engine() as engine:
            download = await engine.submit(Request(SLOW))
            await trio.sleep(130)
            await engine.pause(download.id)
            held = (await engine.get(download.id)).received
            return held, await engine.statistics()

    held, found = run(1, story)
    assert (found.partial_bytes, found.partial_downloads) == (held, 1)
    assert held > 0


@pytest.mark.law(3)
def test_a_rebuild_counts_the_same(payload):
    """Views are disposable: dropped and folded again, the statistics are the ones that they were."""

    async def story(world: World):
        world = await life(world, payload)
        async with world.engine() as engine:
            live = await engine.statistics()
            engine.reading.views.rebuild()
            rebuilt = await engine.statistics()
        fresh = Views(world.log, lambda _: MemoryStore())
        while not fresh.catch_up(limit=1).reached:
            continue
        return live, rebuilt, fresh.verify()

    live, rebuilt, wrong = run(1, story)
    assert attrs.asdict(live) == attrs.asdict(rebuilt)
    assert wrong == []
