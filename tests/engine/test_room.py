"""A full disk blocks and goes on by itself; a disk that fails to flush is never believed."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import events as e
from lading.domain.errors import DiskFull
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.law(2), pytest.mark.law(10), pytest.mark.row("S0.6")]

URL, FINAL = "http://a.example/file.bin", "/downloads/file.bin"
SIZE = 400_000


@pytest.mark.parametrize("room", [1000, 65_536, 200_000, SIZE - 1])
def test_a_full_disk_blocks_and_goes_on_when_there_is_room(room, tale, payload, unlawful):
    """No retry is spent, no byte is lost, the reason is said; within seconds of there being room it runs."""

    async def story(world: World) -> None:
        truth = {URL: payload(SIZE)}
        world.network.serve(URL, truth[URL], rate=50e3)
        world.disk.room = room
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, retries=0))).id
            await trio.sleep(60)
            left = await engine.get(id)
            assert (left.state, left.blocked, left.spent) == (State.WAITING, "disk", 0)
            (row,) = await engine.listing(state="waiting")
            assert "disk" in row["why"]
            assert unlawful(world, truth) == []
            attempts, held = left.attempt, left.received
            assert attempts == 1
            assert room - 65_536 <= held <= room
            world.disk.room = 2 * SIZE
            await trio.sleep(3)
            assert (await engine.get(id)).attempt == 2
            outcome = await engine.wait(id)
        assert (outcome.ok, outcome.attempts, outcome.resumed_from) == (True, 2, held)
        assert world.disk.content(FINAL) == truth[URL]
        assert tale(world.log).all(e.RetryScheduled) == []
        assert [x.reason for x in tale(world.log).all(e.Unblocked)] == ["disk"]

    run(1, story)


@pytest.mark.law(9)
def test_room_that_is_an_illusion_is_believed_less_and_less(tale, payload):
    """A quota lets nothing be written where the file system tells of room: the log is not filled with tries."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), rate=50e3)
        world.disk.room = 100_000
        world.disk.free = lambda _: 2**40
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(3600)
            assert (await engine.get(id)).blocked == "disk"
            assert len(tale(world.log).all(e.Unblocked)) < 25
            world.disk.room = 2 * SIZE
            assert (await engine.wait(id)).ok

    run(1, story)


def test_a_full_disk_stops_nobody_who_needs_none_of_it(payload):
    """Blocked ones give their places to others."""

    async def story(world: World) -> None:
        for number in range(4):
            world.network.serve(f"http://a.example/{number}", payload(SIZE, number))
        world.network.serve("http://a.example/small", payload(100))
        world.disk.room = 1000
        async with world.engine(concurrency=1) as engine:
            asked = [Request(f"http://a.example/{name}") for name in (0, 1, 2, 3, "small")]
            downloads = await engine.submit_many(asked)
            assert (await engine.wait(downloads[4].id)).ok
            assert (await engine.progress()).waiting == 4
            world.disk.room = 10 * SIZE
            for download in downloads:
                assert (await engine.wait(download.id)).ok

    run(1, story)


def test_what_is_blocked_can_be_cancelled_paused_and_resumed(payload):
    """By a person, while the disk is still full."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), rate=50e3)
        world.disk.room = 150_000
        async with world.engine(retention_s=0) as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(10)
            assert (await engine.pause(id))[0].state is State.PAUSED
            await engine.resume(id)
            await trio.sleep(10)
            assert (await engine.get(id)).blocked == "disk"
            await engine.cancel(id)
            assert world.disk.paths() == []

    run(1, story)


def test_blocked_outlives_the_engine(payload):
    """The next one looks for room as well."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), rate=50e3)
        world.disk.room = 150_000
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(10)
            held = (await engine.get(id)).received
        world.disk.room = 2 * SIZE
        async with world.engine() as engine:
            outcome = await engine.wait(id)
        assert (outcome.ok, outcome.resumed_from) == (True, held)

    run(1, story)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), rooms=st.lists(st.integers(0, SIZE * 2), min_size=1, max_size=6))
def test_however_the_room_changes_nothing_is_lost(seed, rooms, payload, unlawful):
    """Somebody else fills and frees the disk all the time."""

    async def story(world: World) -> None:
        truth = {URL: payload(SIZE, 1), "http://b.example/other": payload(SIZE // 2, 2)}
        for url, data in truth.items():
            world.network.serve(url, data, rate=40e3)
        async with world.engine() as engine:
            ids = [d.id for d in await engine.submit_many([Request(url, retries=0) for url in truth])]
            for room in rooms:
                world.disk.room = room
                await trio.sleep(2.5)
                assert unlawful(world, truth) == []
            world.disk.room = 3 * SIZE
            for id in ids:
                assert (await engine.wait(id)).ok
        assert unlawful(world, truth) == []

    run(seed, story)


@pytest.mark.parametrize("fails", range(6))
def test_a_flush_that_fails_is_never_believed(fails, tale, telling, payload, unlawful):
    """Whichever it is, the log vouches for nothing since the last good one; a fresh attempt gets it right."""

    async def story(world: World) -> None:
        truth = {URL: payload(SIZE)}
        world.network.serve(URL, truth[URL], rate=2e3)
        flushes = 0
        disk = world.disk

        def tell(step: str) -> None:
            nonlocal flushes
            if step == "before flush":
                disk.broken = flushes == fails
                flushes += 1
            assert unlawful(world, truth) == []

        world.disk = telling(disk, tell)
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
            await engine.wait_idle()
        assert outcome.ok
        assert disk.durable(FINAL) == truth[URL]
        assert bool(tale(world.log).all(e.RetryScheduled)) is (fails < flushes)

    run(1, story)


def test_a_disk_that_never_flushes_fails_the_download_and_says_so(tale, payload):
    """One more attempt, then an end with a hint; nothing was ever claimed."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), rate=2e3)
        world.disk.broken = True
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
        assert (outcome.state, outcome.cause, outcome.attempts) == (State.FAILED, "disk", 2)
        assert outcome.hint
        assert tale(world.log).all(e.Progressed) == []
        assert FINAL not in world.disk.paths()

    run(1, story)


@pytest.mark.parametrize("moment", [0, 3, 70, 75])
def test_a_log_whose_disk_is_full_blocks_and_goes_on(moment, tale, payload, unlawful):
    """Nothing can be recorded for a while: commands are refused, downloads wait, and then go on without loss."""

    async def story(world: World) -> None:
        truth = {URL: payload(SIZE), "http://a.example/other": payload(1000)}
        world.network.serve(URL, truth[URL], rate=4e3, break_after=300_000)
        world.network.serve("http://a.example/other", truth["http://a.example/other"])
        log = world.log
        full = False

        class Filling:
            def __getattr__(self, name):
                return getattr(log, name)

            def append(self, requests):
                if full:
                    raise DiskFull("no room for the log: nothing was stored")
                return log.append(requests)

        world.log = Filling()
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(moment)
            full = True
            with pytest.raises(DiskFull):
                await engine.submit(Request("http://a.example/other"))
            await trio.sleep(40)
            full = False
            assert (await engine.wait((await engine.submit(Request("http://a.example/other"))).id)).ok
            assert (await engine.wait(id)).ok
        assert unlawful(world, truth) == []
        assert world.disk.content(FINAL) == truth[URL]

    run(1, story)


def test_what_is_lacking_is_said_in_the_words_of_everything_else_and_with_the_setting_that_decides():
    """Nothing is said to be wanted of what has no size yet."""

    async def story(world: World, **chosen: int) -> str:
        world.network.serve(URL, b"x" * SIZE)
        world.disk.room = 200 << 20
        async with world.engine(**chosen) as engine:
            await engine.submit(Request(URL))
            await trio.sleep(10)
            return (await engine.listing())[0]["why"]

    said = run(5, lambda world: story(world, reserve_bytes=1 << 30))
    assert "200.0 MiB are free in /downloads, 1.0 GiB are kept free (reserve_bytes)" in said
    assert "wanted" not in said
