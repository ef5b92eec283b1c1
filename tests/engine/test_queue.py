"""The queue: priority, then age; bounded concurrency, in all and for a host; what one does harms no other."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import events as e
from lading.domain.requests import Request
from lading.domain.states import State
from lading.publisher import Publisher
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S1.1"), pytest.mark.row("S2.3")]

SIZE = 20_000


def stock(world: World, payload, count: int, *, hosts: str = "a", rate: float = 10e3) -> list[str]:
    """Serve so many files, on hosts in turn, each taking two seconds."""
    urls = [f"http://{hosts[n % len(hosts)]}.example/{hosts}{n}.bin" for n in range(count)]
    for number, url in enumerate(urls):
        world.network.serve(url, payload(SIZE, number), rate=rate)
    return urls


def most_at_once(tale, world: World, host: str = "") -> int:
    """The most attempts that ran at one time, of all downloads or of one host's."""
    chronicle = tale(world.log)
    host_of = {f.stream: f.event.order.host for f in chronicle.facts if isinstance(f.event, e.Queued)}
    running, most = set(), 0
    for fact in chronicle.facts:
        if host_of.get(fact.stream, "").startswith(host):
            if isinstance(fact.event, e.Started):
                running.add(fact.stream)
            elif isinstance(fact.event, e.Completed | e.Failed | e.RetryScheduled | e.Stopped | e.Blocked):
                running.discard(fact.stream)
        most = max(most, len(running))
    return most


@pytest.mark.parametrize(("settings", "most"), [({}, 3), ({"concurrency": 1}, 1), ({"concurrency": 7}, 7)])
def test_so_many_run_at_once_and_no_more(settings, most, tale, payload):
    """Three unless somebody says otherwise; places are filled as long as anything is ready."""

    async def story(world: World) -> float:
        urls = stock(world, payload, 14)
        async with world.engine(**settings) as engine:
            await engine.submit_many([Request(url) for url in urls])
            await trio.sleep(1)
            assert (await engine.progress()).active == most
            await engine.wait_idle()
            assert (await engine.progress()).active == 0
        assert most_at_once(tale, world) == most
        return trio.current_time()

    assert run(1, story) == pytest.approx(2 * -(-14 // most), abs=0.5)


def test_a_host_has_its_own_limit_and_does_not_hold_up_the_others(tale, payload):
    """Two at once from each host; the places that a saturated host cannot use go to others."""

    async def story(world: World) -> None:
        first, second = (stock(world, payload, 6, hosts=host) for host in "ab")
        async with world.engine(concurrency=4, per_host=2) as engine:
            asked = await engine.submit_many([Request(url) for url in first + second])
            await trio.sleep(1)
            assert (await engine.progress()).active == 4
            assert all([(await engine.wait(download.id)).ok for download in asked])
        assert [most_at_once(tale, world, host) for host in "ab"] == [2, 2]

    run(1, story)


def test_a_slow_disk_holds_up_nobody_else_at_the_host(tale, payload, monkeypatch):
    """One connection to it, never idle: the next is received while others are published; in all, as many as is set."""
    publish = Publisher.publish
    busy: list[int] = []

    async def slow(self, *args, **options):
        await trio.sleep(4)
        return await publish(self, *args, **options)

    async def story(world: World) -> float:
        urls = stock(world, payload, 8)
        monkeypatch.setattr(Publisher, "publish", slow)
        async with world.engine(concurrency=3, per_host=1) as engine, trio.open_nursery() as nursery:

            async def watch() -> None:
                while True:
                    busy.append(len(world.network.open))
                    await trio.sleep(0.25)

            nursery.start_soon(watch)
            await engine.submit_many([Request(url) for url in urls])
            await engine.wait_idle()
            nursery.cancel_scope.cancel()
        assert most_at_once(tale, world) == 3
        assert sum(isinstance(fact.event, e.Completed) for fact in tale(world.log).facts) == 8
        return trio.current_time()

    assert run(1, story) == pytest.approx(8 * 2 + 4, abs=1.5)
    assert max(busy) == 1


@settings(max_examples=25, deadline=None)
@given(priorities=st.lists(st.integers(-3, 3), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_higher_runs_first_and_equal_ones_by_age(priorities, seed, tale, payload):
    """Whatever the order of asking."""

    async def story(world: World) -> None:
        urls = stock(world, payload, len(priorities), hosts="abc")
        async with world.engine(concurrency=1) as engine:
            asked = [Request(url, priority=p) for url, p in zip(urls, priorities, strict=True)]
            ids = [d.id for d in await engine.submit_many(asked)]
            await engine.wait_idle()
        turns = sorted(range(len(ids)), key=lambda number: (-priorities[number], number))
        assert tale(world.log).started() == [ids[number] for number in turns]

    run(seed, story)


def test_a_priority_that_is_raised_while_waiting_counts(tale, payload):
    """The last asked for is next; what runs already goes on."""

    async def story(world: World) -> None:
        urls = stock(world, payload, 5)
        async with world.engine(concurrency=1) as engine:
            ids = [d.id for d in await engine.submit_many([Request(url) for url in urls])]
            await trio.sleep(0.5)
            await engine.prioritise(7, ids[4])
            await engine.prioritise(-1, ids[1])
            await engine.wait_idle()
        assert tale(world.log).started() == [ids[n] for n in (0, 4, 2, 3, 1)]

    run(1, story)


def test_the_order_of_one_call_is_kept_with_and_without_keys(tale, payload):
    """A key changes what a request is called, not when its turn is."""

    async def story(world: World) -> None:
        urls = stock(world, payload, 6)
        async with world.engine(concurrency=1) as engine:
            asked = [Request(url, key=url if n % 2 else None) for n, url in enumerate(urls)]
            ids = [d.id for d in await engine.submit_many(asked)]
            await engine.wait_idle()
            assert [row["url"] for row in await engine.listing()] == urls
        assert tale(world.log).started() == ids

    run(1, story)


def test_what_waits_to_be_tried_again_takes_its_turn_by_priority(tale, payload):
    """A retry whose time has come goes before younger ones, not before more important ones."""

    async def story(world: World) -> None:
        urls = stock(world, payload, 5)
        world.network.files[urls[0]].status = 503
        world.network.files[urls[0]].retry_after = "3"
        async with world.engine(concurrency=1) as engine:
            ids = [(await engine.submit(Request(urls[0]))).id]
            await trio.sleep(1)
            world.network.files[urls[0]].status = None
            asked = zip(urls[1:], (9, 0, 5, 5), strict=True)
            ids += [d.id for d in await engine.submit_many([Request(url, priority=p) for url, p in asked])]
            await engine.wait_idle()
        assert tale(world.log).started() == [ids[n] for n in (0, 1, 3, 4, 0, 2)]

    run(1, story)


def test_a_retry_that_is_due_waits_for_a_place_without_ado(tale, payload):
    """Passes of the scheduler are counted: nothing spins while the only place is taken for an hour."""

    async def story(world: World) -> int:
        urls = stock(world, payload, 2)
        world.network.files[urls[0]].status = 503
        world.network.files[urls[1]].rate = SIZE / 3600
        async with world.engine(concurrency=1) as engine:
            one, two = await engine.submit_many([Request(url) for url in urls])
            await trio.sleep(1)
            passes = 0
            inner = engine._scheduler._pass

            async def counted(nursery: trio.Nursery) -> None:
                nonlocal passes
                passes += 1
                assert passes < 1000
                await inner(nursery)

            engine._scheduler._pass = counted
            world.network.files[urls[0]].status = None
            assert (await engine.wait(two.id)).ok
            assert (await engine.wait(one.id)).ok
        assert tale(world.log).started() == [one.id, two.id, one.id]
        return passes

    assert run(1, story) < 200


def test_a_place_is_given_to_what_is_due_first_and_in_time(tale, payload):
    """While a retry of a saturated host is overdue, that of another host is not kept waiting beyond its time."""

    async def story(world: World) -> None:
        (slow, refused), (other,) = stock(world, payload, 2), stock(world, payload, 1, hosts="b")
        world.network.files[slow].rate = SIZE / 500
        for url, wait in ((refused, "5"), (other, "20")):
            world.network.files[url].status, world.network.files[url].retry_after = 503, wait
        async with world.engine(concurrency=3, per_host=1) as engine:
            await engine.submit_many([Request(refused)])
            await trio.sleep(0.5)
            await engine.submit_many([Request(slow), Request(other)])
            await trio.sleep(0.5)
            world.network.files[other].status = world.network.files[refused].status = None
            await engine.wait_idle()
        chronicle = tale(world.log)
        waited = {x.stream: x.event.not_before_ns for x in chronicle.facts if isinstance(x.event, e.RetryScheduled)}
        late = [
            (x.at_ns - waited[x.stream]) / 1e9
            for x in chronicle.facts
            if isinstance(x.event, e.Started) and x.event.attempt == 2
        ]
        assert len(late) == 2
        assert min(late) == pytest.approx(0, abs=0.01)

    run(1, story)


def test_the_failure_of_one_harms_no_other(tale, payload):
    """Broken, missing, endless and refused ones beside good ones: these end as if they were alone."""

    async def story(world: World) -> None:
        urls = stock(world, payload, 9)
        world.network.files[urls[0]].status = 404
        world.network.files[urls[2]].status = 500
        world.network.files[urls[4]].break_after = 0
        world.network.files[urls[6]].sized = False
        async with world.engine() as engine:
            downloads = await engine.submit_many([Request(url) for url in urls])
            outcomes = [await engine.wait(download.id) for download in downloads]
        bad = {0, 2, 4, 6}
        for number, outcome in enumerate(outcomes):
            assert outcome.state is (State.FAILED if number in bad else State.COMPLETED)
            if number not in bad:
                assert outcome.attempts == 1
                assert world.disk.content(f"/downloads/a{number}.bin") == payload(SIZE, number)

    run(1, story)


def test_nobody_is_starved(tale, payload):
    """Under a stream of equals the oldest is next, however many come after."""

    async def story(world: World) -> None:
        urls = stock(world, payload, 30)
        async with world.engine(concurrency=2) as engine:
            ids = []
            for url in urls:
                ids.append((await engine.submit(Request(url))).id)
                await trio.sleep(0.3)
            await engine.wait_idle()
        assert tale(world.log).started() == ids

    run(1, story)
