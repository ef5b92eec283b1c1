"""Health of a whole engine, asked by its owner and by a client, alive, abandoned, paused, and where room is short."""

from __future__ import annotations

import pytest
import trio

from lading.domain.health import GIB, Process, Status
from lading.domain.requests import Request
from lading.testing.simulation import FOLDER, World, run

pytestmark = [pytest.mark.row("S2.7"), pytest.mark.row("S3.9")]

URL = "http://a.example/file.bin"
SIZE = 100_000


def by_check(found):
    """Return the findings by what was looked at."""
    return {finding.check: finding for finding in found.findings}


def test_an_owner_tells_of_its_own_process(payload):
    """And of its queue, its partial data and the room of its folder."""

    async def story(world: World):
        world.processes.processes[None] = Process(pid=42, own_bytes=2 * GIB)
        world.network.serve(URL, payload(SIZE), rate=500)
        async with world.engine() as engine:
            await engine.submit(Request(URL))
            await trio.sleep(130)
            return await engine.health(), await engine.progress()

    found, overall = run(1, story)
    assert found.vitals.working
    checks = by_check(found)
    assert checks["process"].value.startswith("42,")
    assert checks["memory"].status is found.status is Status.WARN
    assert checks["queue"].value == "1 active"
    assert found.vitals.partial_downloads == 1
    assert 0 < found.vitals.partial_bytes <= overall.received
    assert [space.folder for space in found.vitals.folders] == [FOLDER]
    assert found.vitals.home is None


def test_what_a_client_cannot_know_it_does_not_say(payload):
    """The memory of another's process is not its own."""

    async def story(world: World):
        async with world.engine(), world.engine(owner=False) as client:
            return await client.health()

    found = run(1, story)
    assert found.vitals.working
    assert found.vitals.process is None
    assert by_check(found)["process"].value == "the engine's process is not known here"


def test_a_home_that_an_engine_left_without_a_word_is_abandoned(payload):
    """Until the next one has recovered it."""

    async def story(world: World):
        world.network.serve(URL, payload(SIZE), rate=500)
        async with world.engine() as engine:
            await engine.submit(Request(URL))
            await trio.sleep(70)
            left = world.fork(2)
        async with left.engine(owner=False) as client:
            before = await client.health()
        async with left.engine() as engine:
            return before, await engine.health()

    before, after = (by_check(found)["engine"] for found in run(1, story))
    assert before.status is Status.WARN
    assert "without a word" in before.value
    assert after.status is Status.OK


def test_room_that_is_short_fails(payload):
    """Where downloads go and nothing can be stored, whether any is waiting for that or not."""

    async def story(world: World):
        async with world.engine(reserve_bytes=1000) as engine:
            world.disk.room = 500
            return await engine.health()

    found = run(1, story)
    room = by_check(found)["downloads: free space"]
    assert room.status is found.status is Status.FAIL
    assert room.figures["free_bytes"] == 500


@pytest.mark.law(8)
def test_asking_leaves_no_trace_in_the_log(payload):
    """However often health and statistics are asked, the log is the same."""

    async def story(world: World, *, asking: bool) -> str:
        world.network.serve(URL, payload(SIZE))
        async with world.engine() as engine:
            await engine.wait((await engine.submit(Request(URL))).id)
            for _ in range(3 * asking):
                await engine.health()
                await engine.statistics()
        return world.fingerprint()

    async def asked(world):
        return await story(world, asking=True)

    async def unasked(world):
        return await story(world, asking=False)

    assert run(1, asked) == run(1, unasked)


def test_an_empty_look_is_well():
    """Nothing was ever asked of it."""

    async def story(world: World):
        async with world.engine() as engine:
            return await engine.health()

    assert run(1, story).status is Status.OK
