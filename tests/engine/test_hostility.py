"""What a hostile day brings: files that are not ours, folders in the way, liars, clocks that step back."""

from __future__ import annotations

import random

import pytest
import trio

from lading.domain import events as e
from lading.domain.errors import InvalidDestination
from lading.domain.requests import IfExists, Request, Resume
from lading.domain.states import State
from lading.testing.simulation import World, run

URL, OTHER = "http://a.example/file.bin", "http://b.example/file.bin"
FINAL = "/downloads/file.bin"


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.mark.law(5)
def test_removing_files_spares_what_somebody_else_put_under_the_name():
    """Neither the file of another download nor one of the user's own goes with a download that had the name before."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"A" * 1000)
        world.network.serve(OTHER, b"B" * 1000)
        async with world.engine() as engine:
            first = await engine.submit(Request(URL))
            await engine.wait(first.id)
            second = await engine.submit(Request(OTHER, if_exists=IfExists.OVERWRITE))
            await engine.wait(second.id)
            await engine.remove(first.id, files=True)
            assert world.disk.content(FINAL) == b"B" * 1000
            world.disk.unlink(FINAL)
            world.disk.put(FINAL, b"the user's own")
            await engine.remove(second.id, files=True)
        assert world.disk.content(FINAL) == b"the user's own"

    run(1, story)


@pytest.mark.law(9)
def test_an_error_before_the_start_is_told_and_retried_as_any_other():
    """Nothing that goes wrong before `Started` makes a loop that says nothing."""

    async def story(world: World) -> None:
        world.network.serve(URL, noise(3000))

        def storage(_: str) -> str:
            raise RuntimeError("a surprise")

        world.disk.storage = storage
        async with world.engine() as engine:
            download = await engine.submit(Request(URL))
            outcome = await engine.wait(download.id)
        assert (outcome.state, outcome.cause) == (State.FAILED, "unknown")
        assert outcome.attempts == 2

    run(1, story)


@pytest.mark.law(10)
def test_files_that_cannot_be_removed_end_neither_this_engine_nor_the_next():
    """A name that the system will not let go of is one download's trouble, and it stays in the queue of the sweep."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"A" * 1000)
        world.network.serve(OTHER, noise(400_000), rate=2e3)
        unlink = world.disk.unlink

        def refuse(path: str) -> int:
            if path == FINAL:
                raise InvalidDestination("a folder lies there")
            return unlink(path)

        world.disk.unlink = refuse
        async with world.engine(retention_s=0) as engine:
            first = await engine.submit(Request(URL))
            await engine.wait(first.id)
            second = await engine.submit(Request(OTHER, path="other.bin"))
            await engine.remove(first.id, files=True)
            assert (await engine.get(first.id)).litter
            assert (await engine.wait(second.id)).ok
        world.disk.unlink = unlink
        async with world.engine(retention_s=0):
            await trio.sleep(1)
        assert world.disk.content(FINAL) is None

    run(1, story)


@pytest.mark.law(4)
def test_a_lenient_resume_does_not_go_on_with_the_bytes_of_another_mirror():
    """A mirror without a digest starts over, even when the last piece happens to be the same there."""

    async def story(world: World) -> None:
        one = noise(10_000_000)
        other = noise(1_000_000, 9) + one[1_000_000:9_000_000] + noise(1_000_000, 8)
        bare = {"last-modified": ""}
        world.network.serve(URL, one, break_after=6_000_000, etag=None, rate=1e6, headers=bare)
        world.network.serve(OTHER, other, etag=None, headers=bare)
        async with world.engine() as engine:
            asked = Request(URL, mirrors=(OTHER,), resume=Resume.LENIENT, retries=0)
            download = await engine.submit(asked)
            assert (await engine.wait(download.id)).ok
        assert world.disk.content(FINAL) == other

    run(1, story)


@pytest.mark.law(5)
def test_a_body_that_is_longer_than_announced_is_never_published():
    """What the server said of the length was not true, so nothing vouches for the bytes before it either."""

    async def story(world: World) -> None:
        world.network.serve(URL, noise(300_000), sized=False, headers={"content-length": "200000"})
        async with world.engine() as engine:
            download = await engine.submit(Request(URL))
            outcome = await engine.wait(download.id)
        assert (outcome.state, outcome.cause) == (State.FAILED, "protocol")
        assert world.disk.paths() == []

    run(1, story)


@pytest.mark.law(9)
def test_a_clock_that_steps_back_does_not_make_a_retry_wait_for_it():
    """A time that is further ahead than anything ever waits counts as come."""

    async def story(world: World) -> None:
        served = world.network.serve(URL, noise(3000), status=503, retry_after="5")
        async with world.engine() as engine:
            download = await engine.submit(Request(URL))
            async for fact in engine.follow(download.id):
                if isinstance(fact.event, e.RetryScheduled):
                    break
            served.status = None
            world.clock.stepped_ns -= 365 * 86_400 * 10**9
            with trio.fail_after(3600):
                assert (await engine.wait(download.id)).ok

    run(1, story)
