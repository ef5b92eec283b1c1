"""What has to be met before anything runs: room, memory, a network, and a queue that nobody paused.

Nothing of it spends a retry, each is said once and why, and each passes by itself.
"""

from __future__ import annotations

import pytest
import trio

from lading.domain import events as e
from lading.domain import requirements
from lading.domain.errors import DiskFull
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = pytest.mark.law(10)

URL, HERE = "http://a.example/file.bin", "http://127.0.0.1:8000/file.bin"
SIZE = 400_000


async def why(engine, id) -> str:
    """What `list` says of a download."""
    (row,) = [row for row in await engine.listing() if row["id"] == str(id)]
    return row["why"]


@pytest.mark.row("S3.7", "S2.10")
@pytest.mark.parametrize("cut", [0.0, 2.5])
def test_a_network_that_goes_away_costs_no_retry(cut, tale, payload):
    """What runs gives way with what it has, what waits does not start, and all of it goes on by itself."""

    async def story(world: World) -> None:
        truth = {f"http://a.example/{number}": payload(SIZE, number) for number in range(5)}
        for url, data in truth.items():
            world.network.serve(url, data, rate=50e3)
        async with world.engine(watch_s=1.0, retries=0) as engine:
            ids = [(await engine.submit(Request(url))).id for url in truth]
            await trio.sleep(cut)
            world.network.online = world.machine.online = False
            await trio.sleep(30)
            states = [await engine.get(id) for id in ids]
            assert {state.state for state in states} <= {State.WAITING, State.QUEUED}
            assert {state.blocked for state in states if state.state is State.WAITING} <= {"network"}
            assert all(["network" in await why(engine, id) for id in ids])
            assert "network" in (await engine.progress()).blocked
            asked = len(world.network.calls)
            await trio.sleep(600)
            assert len(world.network.calls) == asked
            world.network.online = world.machine.online = True
            for id in ids:
                assert (await engine.wait(id)).ok
        assert [world.disk.content(f"/downloads/{number}") for number in range(5)] == list(truth.values())
        told = tale(world.log)
        assert told.all(e.RetryScheduled) == told.all(e.Failed) == []
        assert [(each.online) for each in told.all(e.NetworkChanged)] == [False, True]
        assert [each.reason for each in told.all(e.QueueBlocked)] == ["network"]
        assert [each.reason for each in told.all(e.QueueUnblocked)] == ["network"]

    run(1, story)


@pytest.mark.row("S3.7")
def test_what_lies_on_this_machine_needs_no_network(payload):
    """A loopback address is fetched while everything else waits."""

    async def story(world: World) -> None:
        world.machine.online = False
        world.network.serve(URL, payload(SIZE))
        world.network.serve(HERE, payload(SIZE))
        async with world.engine(concurrency=1) as engine:
            away = (await engine.submit(Request(URL))).id
            here = (await engine.submit(Request(HERE, path="here.bin"))).id
            assert (await engine.wait(here)).ok
            assert (await engine.get(away)).state is State.QUEUED

    run(1, story)


@pytest.mark.row("S3.7")
def test_a_server_that_is_down_is_not_taken_for_a_network_that_is_gone(tale, payload):
    """While this machine is online, a failure is the server's, and costs a retry."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE))
        world.network.online = False
        async with world.engine(watch_s=1.0, retries=1) as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
        assert (outcome.state, outcome.cause, outcome.attempts) == (State.FAILED, "network", 2)

    run(1, story)


@pytest.mark.row("S3.7")
def test_a_machine_that_may_not_look_at_the_network_spends_retries(payload):
    """Without `watch_network` an offline machine is none of our business."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE))
        world.network.online = world.machine.online = False
        async with world.engine(watch_network=False, retries=1) as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
        assert (outcome.state, outcome.attempts) == (State.FAILED, 2)

    run(1, story)


@pytest.mark.row("S3.7")
@pytest.mark.parametrize("metered", [True, False, None])
def test_a_metered_network_pauses_only_where_that_is_set(metered, payload):
    """`metered = pause` waits for another network; by default, and where nobody knows, it runs."""

    async def story(world: World) -> None:
        world.machine.metered = metered
        world.network.serve(URL, payload(SIZE))
        async with world.engine(metered="pause", watch_s=1.0) as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(60)
            assert (await engine.get(id)).state is (State.QUEUED if metered else State.COMPLETED)
            if metered:
                assert "metered" in await why(engine, id)
            world.machine.metered = False
            assert (await engine.wait(id)).ok
        async with world.engine(watch_s=1.0) as engine:
            world.machine.metered = True
            assert (await engine.wait((await engine.submit(Request(URL, path="other"))).id)).ok

    run(1, story)


@pytest.mark.row("S2.10")
def test_memory_that_is_used_up_keeps_the_next_from_starting_and_nothing_from_going_on(tale, payload):
    """By default from 80 % on, until it has come down clearly: no flicker in the log."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), rate=50e3)
        world.network.serve(HERE, payload(SIZE), rate=50e3)
        async with world.engine(watch_s=1.0) as engine:
            first = (await engine.submit(Request(URL))).id
            await trio.sleep(2)
            world.machine.memory_percent = 85.0
            await trio.sleep(2)
            second = (await engine.submit(Request(HERE, path="other"))).id
            assert (await engine.wait(first)).ok
            for used in (79.0, 81.0, 76.0):
                world.machine.memory_percent = used
                await trio.sleep(5)
                assert "80 %" in await why(engine, second)
            assert len(tale(world.log).all(e.QueueBlocked)) == 1
            world.machine.memory_percent = 70.0
            assert (await engine.wait(second)).ok
        assert tale(world.log).all(e.Blocked) == []

    run(1, story)


@pytest.mark.row("S2.10", "S1.4")
def test_a_disk_without_room_holds_the_queue_and_says_how_much_is_kept_free(tale, payload):
    """By default a tenth of the disk is left alone: nothing is begun that would take of it, until there is room."""

    async def story(world: World) -> None:
        world.disk.room = 1_000_000
        world.disk.put("/downloads/other", bytes(920_000))
        world.network.serve(URL, payload(SIZE))
        async with world.engine(disk_free_percent=10) as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(60)
            assert (await engine.get(id)).attempt == 0
            assert "kept free" in await why(engine, id)
            assert len(tale(world.log).all(e.QueueBlocked)) == 1
            world.disk.unlink("/downloads/other")
            await trio.sleep(3)
            assert (await engine.get(id)).state is State.COMPLETED
            assert (await engine.hold()).why is None

    run(1, story)


@pytest.mark.row("S2.10", "S1.4")
def test_what_cannot_fit_is_not_begun(payload):
    """When the size has become known, it is blocked before its first byte, beside what others have still to receive."""

    async def story(world: World) -> None:
        size = 3_000_000
        world.disk.room = 4_000_000
        world.network.serve(URL, payload(size))
        async with world.engine(disk_free_percent=40) as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(10)
            left = await engine.get(id)
            assert (left.blocked, left.received, left.total, left.spent) == ("disk", 0, size, 0)
            assert left.attempt < 4
            world.disk.room = 16_000_000
            assert (await engine.wait(id)).ok

    run(1, story)


@pytest.mark.row("S0.1")
@pytest.mark.law(1)
def test_a_paused_queue_stays_paused_across_engines_and_new_ones_wait(tale, payload):
    """The pause is in the log: what is added waits and says why, what runs goes on, and one word lets all go."""

    async def story(world: World) -> None:
        for number in range(3):
            world.network.serve(f"http://a.example/{number}", payload(SIZE, number), rate=50e3)
        async with world.engine() as engine:
            first = (await engine.submit(Request("http://a.example/0"))).id
            await trio.sleep(1)
            await engine.pause_queue()
            await engine.pause_queue()
            await engine.submit(Request("http://a.example/1"))
            assert (await engine.wait(first)).ok
            await trio.sleep(60)
            assert (await engine.progress()).paused
        world.disk.crash()
        async with world.engine() as engine:
            last = (await engine.submit(Request("http://a.example/2"))).id
            await trio.sleep(60)
            assert "paused" in await why(engine, last)
            assert (await engine.get(last)).attempt == 0
            with trio.fail_after(5):
                await engine.wait_idle()
            async with world.engine(owner=False) as client:
                await client.resume_queue()
            with trio.fail_after(60):
                await engine.wait_idle()
            assert [row["state"] for row in await engine.listing()] == ["completed"] * 3
        told = tale(world.log)
        assert (len(told.all(e.QueuePaused)), len(told.all(e.QueueResumed))) == (1, 1)

    run(1, story)


@pytest.mark.row("S1.4")
@pytest.mark.parametrize("date", [False, True])
def test_a_server_that_asks_to_wait_is_left_alone_whole_and_others_are_not_slowed(date, tale, payload):
    """`Retry-After` on one file rests its host, no other file of it is asked for; another host goes at its speed."""

    async def story(world: World) -> None:
        from email.utils import formatdate

        busy = [f"http://busy.example/{number}" for number in range(6)]
        fine = [f"http://fine.example/{number}" for number in range(6)]
        for url in (*busy, *fine):
            world.network.serve(url, payload(100_000), rate=50e3)
        served = world.network.files[busy[0]]
        served.status = 429
        until_s = world.clock.now_ns() / 1e9 + 120
        served.retry_after = formatdate(until_s, usegmt=True) if date else "120"
        async with world.engine(concurrency=1) as engine:
            ids = [(await engine.submit(Request(url, folder=url[7:11]))).id for url in (*busy, *fine)]
            await trio.sleep(0.5)
            served.status = None
            for id in ids[6:]:
                assert (await engine.wait(id)).ok
            assert trio.current_time() < 14
            states = {(await engine.get(id)).state for id in ids[:6]}
            assert states == {State.WAITING, State.QUEUED}
            assert "busy.example" in await why(engine, ids[1])
            for id in ids[:6]:
                assert (await engine.wait(id)).ok
        told = tale(world.log)
        (scheduled,) = told.all(e.RetryScheduled)
        assert (scheduled.whole_host, scheduled.cause) == (True, "busy")
        assert scheduled.not_before_ns / 1e9 == pytest.approx(until_s, abs=2)
        first_again = min(told.times(e.Started, ids[number])[-1] for number in range(6))
        assert first_again >= scheduled.not_before_ns / 1e9

    run(1, story)


@pytest.mark.row("S1.4")
def test_a_rest_that_was_asked_for_outlives_the_engine(payload):
    """The host is left alone by the next engine too: it is in the log."""

    async def story(world: World) -> None:
        urls = [f"http://busy.example/{number}" for number in range(3)]
        for url in urls:
            world.network.serve(url, payload(1000))
        world.network.files[urls[0]].status, world.network.files[urls[0]].retry_after = 503, "600"
        async with world.engine(concurrency=1) as engine:
            for url in urls:
                await engine.submit(Request(url))
            await trio.sleep(1)
        world.network.files[urls[0]].status = None
        asked = len(world.network.calls)
        async with world.engine(concurrency=1) as engine:
            await trio.sleep(300)
            assert len(world.network.calls) == asked
            await engine.wait_idle()
            assert 590 < trio.current_time() < 620

    run(1, story)


@pytest.mark.row("S1.4")
def test_trying_again_at_once_ends_the_rest(payload):
    """Whoever says `retry` knows better than the server's wish."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(1000), status=429, retry_after="3600")
        world.network.serve("http://a.example/other", payload(1000))
        async with world.engine(concurrency=1) as engine:
            id = (await engine.submit(Request(URL))).id
            other = (await engine.submit(Request("http://a.example/other"))).id
            await trio.sleep(60)
            world.network.files[URL].status = None
            await engine.retry(id)
            assert (await engine.wait(id)).ok
            assert (await engine.wait(other)).ok
            assert trio.current_time() < 120

    run(1, story)


@pytest.mark.row("S2.10")
def test_what_does_not_fit_stands_in_nobodys_way(payload):
    """One that is larger than the room that there is waits alone; what fits runs past it."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(3_000_000))
        world.network.serve("http://a.example/small", payload(1000))
        world.disk.room = 2_000_000
        async with world.engine(concurrency=1) as engine:
            large = (await engine.submit(Request(URL))).id
            await trio.sleep(5)
            await engine.pause(large)
            await engine.resume(large)
            small = (await engine.submit(Request("http://a.example/small"))).id
            assert (await engine.wait(small)).ok
            assert (await engine.get(large)).blocked == "disk"
            assert (await engine.hold()).why is None

    run(1, story)


@pytest.mark.row("S3.7")
@pytest.mark.law(2)
@pytest.mark.parametrize("reason", ["network", "metered"])
def test_what_runs_gives_way_with_all_that_had_arrived(reason, payload):
    """A transfer whose network is gone, or costs now, does not hang until it times out: it stops, with its bytes."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), rate=50e3)
        async with world.engine(watch_s=1.0, metered="pause", retries=0) as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(4.2)
            world.machine.online, world.machine.metered = reason != "network", True
            await trio.sleep(1.5)
            left = await engine.get(id)
            assert (left.state, left.blocked) == (State.WAITING, reason)
            assert left.received > 180_000
            world.machine.online, world.machine.metered = True, False
            outcome = await engine.wait(id)
            assert (outcome.ok, outcome.resumed_from, outcome.attempts) == (True, left.received, 2)

    run(1, story)


@pytest.mark.row("S1.4")
def test_a_retry_that_is_due_heeds_the_rest_of_its_host_too(payload):
    """What another file of the host was told holds for what only waited for its own backoff."""

    async def story(world: World) -> None:
        first, second = "http://a.example/1", "http://a.example/2"
        world.network.serve(first, payload(1000), status=500)
        world.network.serve(second, payload(1000), status=429, retry_after="600")
        async with world.engine(concurrency=1) as engine:
            ids = [(await engine.submit(Request(url))).id for url in (first, second)]
            await trio.sleep(0.5)
            world.network.files[first].status = world.network.files[second].status = None
            asked = len(world.network.calls)
            await trio.sleep(500)
            assert len(world.network.calls) == asked
            for id in ids:
                assert (await engine.wait(id)).ok

    run(1, story)


@pytest.mark.row("S3.7")
@pytest.mark.law(1)
def test_a_network_that_went_while_nothing_could_be_said_is_told_later(tale):
    """What the log did not take was not said."""

    async def story(world: World) -> None:
        append = world.log.append

        def full(requests):
            raise DiskFull("the disk of the log is full")

        async with world.engine(watch_s=1.0):
            world.log.append = full
            world.machine.online = False
            await trio.sleep(5)
            world.log.append = append
            await trio.sleep(5)
        assert [each.online for each in tale(world.log).all(e.NetworkChanged)] == [False]

    run(1, story)


@pytest.mark.law(9)
@pytest.mark.row("S2.10")
def test_while_nothing_may_start_no_host_of_the_queue_is_looked_at(payload, monkeypatch):
    """However many there are, and however often what runs wakes the engine; it goes on by itself afterwards."""
    asked: list[str] = []

    def counting(reasons, host):
        asked.append(host)
        return holds(reasons, host)

    holds = requirements.holds
    monkeypatch.setattr(requirements, "holds", counting)

    async def story(world: World) -> None:
        urls = [f"http://{number}.example/f" for number in range(50)]
        for url in urls:
            world.network.serve(url, payload(1000))
        world.machine.memory_percent = 99.0
        async with world.engine(watch_s=1.0) as engine:
            for url in urls:
                await engine.submit(Request(url))
            await trio.sleep(5)
            assert len(asked) == 0
            world.machine.memory_percent = 10.0
            await engine.wait_idle()
            assert len(await engine.history()) == 50

    run(1, story)
