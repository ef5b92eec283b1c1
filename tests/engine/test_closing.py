"""Closing an engine, whenever and however it happens: what was received counts, and the next one goes on from there."""

from __future__ import annotations

import pytest
import trio

from lading.domain import events as e
from lading.domain.errors import DiskFull, StoreUnavailable
from lading.domain.replies import OVERLAP_BYTES
from lading.domain.requests import Request
from lading.domain.states import RUNNING, STOPPING, State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S1.1"), pytest.mark.row("C.3")]

URL, OTHER, REFUSED = (f"http://{host}.example/{host}.bin" for host in "abc")


class Elsewhere(Exception):
    """Something in the embedder's own code."""


def serve(world: World, payload) -> dict[str, bytes]:
    truth = {URL: payload(1_060_000, 1), OTHER: payload(40_000, 2)}
    world.network.serve(URL, truth[URL], rate=20e3)
    world.network.serve(OTHER, truth[OTHER], rate=2e3)
    world.network.serve(REFUSED, b"", status=503)
    return truth


def closed_at(step: int, how: str, tale, telling, payload, unlawful) -> bool:
    async def story(world: World) -> bool:
        truth = serve(world, payload)
        reached, steps = trio.Event(), iter(range(10**6))

        def tell(_: str) -> None:
            if next(steps) == step:
                reached.set()

        world.log, world.disk = telling(world.log, tell), telling(world.disk, tell)
        was_reached = False
        with trio.CancelScope() as scope:
            try:
                async with world.engine() as engine:
                    await engine.submit_many([Request(url, retries=99) for url in (URL, OTHER, REFUSED)])
                    with trio.move_on_after(100):
                        await reached.wait()
                        was_reached = True
                    if how == "cancelled":
                        scope.cancel()
                        await trio.sleep_forever()
                    if how == "raised":
                        raise Elsewhere
            except Elsewhere:
                pass
        chronicle = tale(world.log)
        left = {download.id: download for download in chronicle.downloads()}
        assert not any(download.state in RUNNING | STOPPING for download in left.values())
        assert chronicle.names(chronicle.facts[0].stream)[-1] == ("EngineClosed" if how == "closed" else "EngineOpened")
        assert unlawful(world, truth) == []
        world.network.files[REFUSED].status = None
        async with world.engine() as engine:
            for id in left:
                assert (await engine.wait(id)).ok
        chronicle = tale(world.log)
        for id, download in left.items():
            if download.state is not State.COMPLETED:
                again = next(x for x in chronicle.all(e.Started, id) if x.attempt == download.attempt + 1)
                assert again.resumed_from == download.received
        assert chronicle.all(e.Recovered) == []
        assert unlawful(world, truth) == []
        assert len(world.disk.paths()) == 3
        return was_reached

    return run(step, story)


@pytest.mark.long
@pytest.mark.parametrize("how", ["closed", "cancelled", "raised"])
def test_at_every_step_closing_leaves_nothing_running_and_nothing_to_recover(how, tale, telling, payload, unlawful):
    """Whether the block ends, is cancelled, or raises: attempts checkpoint and say `Stopped`."""
    steps = 0
    while closed_at(steps, how, tale, telling, payload, unlawful):
        steps += 1 if how == "closed" else 3
    assert steps > 40


def test_what_was_received_since_the_last_checkpoint_is_not_fetched_again(tale, payload):
    """Half a minute's bytes count, although no checkpoint was due."""

    async def story(world: World) -> None:
        truth = serve(world, payload)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(30)
            assert (await engine.get(id)).received == 0
        (download,) = tale(world.log).downloads()
        assert download.state is State.QUEUED
        assert download.received == pytest.approx(600_000, abs=17_000)
        assert tale(world.log).names(id)[-2:] == ["Progressed", "Stopped"]
        async with world.engine() as engine:
            assert (await engine.wait(id)).resumed_from == download.received
        assert world.network.calls[-1].start == download.received - OVERLAP_BYTES
        assert world.disk.content("/downloads/a.bin") == truth[URL]

    run(1, story)


def test_a_closed_engine_takes_nothing_more(payload):
    """Whoever kept it learns that, and nothing is recorded."""

    async def story(world: World) -> None:
        serve(world, payload)
        async with world.engine() as engine:
            download = await engine.submit(Request(URL))
        head = world.log.head()
        for verb in (engine.submit(Request(OTHER)), engine.pause(download.id), engine.cancel(download.id)):
            with pytest.raises(StoreUnavailable) as caught:
                await verb
            assert caught.value.hint
        assert world.log.head() == head

    run(1, story)


def test_a_stalled_origin_does_not_hold_up_closing(payload):
    """Closing waits for the disk and the log, not for the network."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(50_000), rate=0.001)
        async with world.engine() as engine:
            await engine.submit(Request(URL))
            await trio.sleep(10)
            before = trio.current_time()
        assert trio.current_time() - before < 0.1

    run(1, story)


@pytest.mark.parametrize("how", ["pause", "close"])
def test_a_small_slow_file_keeps_what_it_has_as_well(how, tale, payload):
    """Although nothing of it was logged before: what its server said is logged now, and the next attempt goes on."""

    async def story(world: World) -> None:
        data = payload(90_000)
        world.network.serve(URL, data, rate=2e3)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(30)
            if how == "pause":
                await engine.pause(id)
        assert tale(world.log).names(id)[-3:] == ["Probed", "Progressed", "Stopped"]
        (left,) = tale(world.log).downloads()
        assert left.received > 40_000
        async with world.engine() as engine:
            await engine.resume(id)
            assert (await engine.wait(id)).resumed_from == left.received
        assert world.disk.content("/downloads/a.bin") == data

    run(1, story)


def test_an_engine_whose_log_is_full_closes_all_the_same(payload):
    """It cannot say so; the next one goes on with what was running."""

    async def story(world: World) -> None:
        url, data, append = "http://a.example/f", payload(100_000), world.log.append
        world.network.serve(url, data, rate=1e3)

        def full(requests):
            raise DiskFull("the disk of the log is full")

        async with world.engine() as engine:
            id = (await engine.submit(Request(url))).id
            await trio.sleep(5)
            world.log.append = full
        world.log.append = append
        async with world.engine() as engine:
            assert (await engine.wait(id)).ok

    run(1, story)
