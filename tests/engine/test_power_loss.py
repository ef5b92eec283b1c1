"""Power loss and kills, at every step that touches the log or the disk: nothing acknowledged is lost or made up."""

from __future__ import annotations

import random

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import events as e
from lading.domain.errors import StoreUnavailable
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.law(1), pytest.mark.law(2), pytest.mark.law(3), pytest.mark.law(5), pytest.mark.row("S0.4")]

LARGE, BROKEN, SMALL, NAMED = (f"http://{name}.example/{name}.bin" for name in ("large", "broken", "small", "named"))


def serve(world: World, payload) -> dict[str, bytes]:
    """Four files: one with checkpoints, one whose connection breaks, a small one, one that the server names."""
    truth = {
        LARGE: payload(1_100_000, 1),
        BROKEN: payload(250_000, 2),
        SMALL: payload(3000, 3),
        NAMED: payload(120_000, 4),
    }
    world.network.serve(LARGE, truth[LARGE], rate=8e3)
    world.network.serve(BROKEN, truth[BROKEN], rate=4e3, break_after=90_000)
    world.network.serve(SMALL, truth[SMALL])
    world.network.serve(
        NAMED, truth[NAMED], rate=1.5e3, headers={"content-disposition": 'attachment; filename="other.bin"'}
    )
    return truth


async def finish(world: World, truth: dict[str, bytes], tale, unlawful) -> None:
    """Open an engine on what is left, let it finish, and hold everything against the laws."""
    before = tale(world.log)
    left = {download.id: download for download in before.downloads()}
    async with world.engine() as engine:
        for download in left.values():
            if download.state is State.COMPLETED:
                continue
            outcome = await engine.wait(download.id)
            assert outcome.ok, (outcome, tale(world.log).names(download.id))
        await engine.wait_idle()
    after = tale(world.log)
    assert after.facts[: len(before.facts)] == before.facts
    for download in after.downloads():
        assert download.state is State.COMPLETED
        assert world.disk.durable(f"/downloads/{download.path}") == truth[download.order.url]
        resumed = [
            x.resumed_from for x in after.all(e.Started, download.id) if x.attempt == left[download.id].attempt + 1
        ]
        assert resumed in ([], [left[download.id].received])
    assert len(world.disk.paths()) == len(left), "no part is left behind"
    assert unlawful(world, truth) == []


async def tell_it(world: World, payload) -> None:
    async with world.engine() as engine:
        for download in await engine.submit_many([Request(url) for url in (LARGE, BROKEN, SMALL, NAMED)]):
            await engine.wait(download.id)


@pytest.mark.parametrize("loss", ["power", *(pytest.param(loss, marks=pytest.mark.long) for loss in ("kill", "torn"))])
def test_at_every_step_the_next_engine_finishes_from_the_last_durable_byte(loss, tale, telling, payload, unlawful):
    """Before and after each append, write, flush, link, unlink: cut off there, opened again, everything comes right."""

    async def story(world: World) -> int:
        truth = serve(world, payload)
        cut_off: list[World] = []

        def picture(step: str) -> None:
            if step.startswith("before"):  # nothing has changed since the step before it
                return
            fork = world.fork(len(cut_off))
            if loss != "kill":
                chance = random.Random(len(cut_off))
                fork.disk.crash(lambda: loss == "torn" and chance.random() < 0.5)
            cut_off.append(fork)

        log, disk = world.log, world.disk
        world.log, world.disk = telling(log, picture), telling(disk, picture)
        await tell_it(world, payload)
        for fork in cut_off:
            assert unlawful(fork, truth) == []
            await finish(fork, truth, tale, unlawful)
        return len(cut_off)

    assert run(7, story) > 70


async def until(world: World, seconds: float, payload) -> World:
    """Run for so long in virtual time, and return what a kill leaves."""
    async with trio.open_nursery() as nursery:
        if tuple(world.log.read(limit=1)):
            nursery.start_soon(work_on, world)
        else:
            nursery.start_soon(tell_it, world, payload)
        await trio.sleep(seconds)
        left = world.fork(round(seconds * 1000))
        nursery.cancel_scope.cancel()
    return left


async def work_on(world: World) -> None:
    async with world.engine() as engine:
        await engine.wait_idle()


LOSSES = st.lists(
    st.tuples(st.floats(0.001, 150), st.sampled_from([None, 0.0, 0.5])),
    min_size=1,
    max_size=4,
)


def lost_again_and_again(seed, losses, tale, payload, unlawful):
    async def story(world: World) -> None:
        truth = serve(world, payload)
        chance = random.Random(seed)
        for seconds, share in losses:
            world = await until(world, seconds, payload)
            if share is not None:
                world.disk.crash(lambda share=share: chance.random() < share)
            assert unlawful(world, truth) == []
        await finish(world, truth, tale, unlawful)

    run(seed, story)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), losses=LOSSES)
def test_it_may_be_lost_again_and_again_while_it_recovers(seed, losses, tale, payload, unlawful):
    """Any number of kills and power losses, at any moments, each in the engine that recovers from the one before."""
    lost_again_and_again(seed, losses, tale, payload, unlawful)


@pytest.mark.long
@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32), losses=LOSSES)
def test_it_may_be_lost_hundreds_of_times(seed, losses, tale, payload, unlawful):
    """The same, at many more moments."""
    lost_again_and_again(seed, losses, tale, payload, unlawful)


@pytest.mark.parametrize("error", [StoreUnavailable("no log"), RuntimeError("a bug"), KeyboardInterrupt()])
def test_a_log_that_fails_at_any_append_ends_the_engine_and_costs_nothing(error, tale, payload, unlawful):
    """Whoever waits for an answer gets the error; nothing hangs; the next engine finishes."""

    async def story(world: World, fails_at: int) -> bool:
        truth = serve(world, payload)
        log, appends = world.log, iter(range(10**6))

        class Failing:
            def __getattr__(self, name):
                return getattr(log, name)

            def append(self, requests):
                if next(appends) >= fails_at:
                    raise error
                return log.append(requests)

        world.log = Failing()
        expected = StoreUnavailable if isinstance(error, Exception) else type(error)
        try:
            await tell_it(world, payload)
        except expected:
            failed = True
        else:
            failed = False
        world.log = log
        assert unlawful(world, truth) == []
        world.disk.crash()
        await finish(world, truth, tale, unlawful)
        return failed

    for fails_at in range(1000):
        if not run(fails_at, lambda world, at=fails_at: story(world, at)):
            break
    assert fails_at > 15


def test_an_empty_file_that_was_published_is_found_by_its_part(telling, payload):
    """Its folder was flushed, and with that the name of its part: the next engine says that it is complete."""

    async def story(world: World) -> None:
        world.network.serve(SMALL, payload(0))
        cut_off: list[World] = []

        def tell(step: str) -> None:
            if step == "after publish":
                cut_off.append(world.fork(1))

        world.disk = telling(world.disk, tell)
        async with world.engine() as engine:
            id = (await engine.submit(Request(SMALL, path="empty.bin"))).id
            await engine.wait(id)
        (fork,) = cut_off
        fork.disk.crash()
        async with fork.engine() as engine:
            assert (await engine.wait(id)).ok
            await engine.wait_idle()
        assert fork.disk.paths() == ["/downloads/empty.bin"]

    run(1, story)
