"""Limits: rates hold from one byte to the next, whoever changes them, and those who share one get the same."""

from __future__ import annotations

from uuid import UUID

import attrs
import pytest
import trio

from lading.domain import events as e
from lading.domain.errors import InvalidSetting, UsageError
from lading.domain.metering import BURST_S, MOST_QUANTUM
from lading.domain.requests import Request
from lading.domain.states import State
from lading.settings import HostLimits
from lading.testing.clock import START_NS
from lading.testing.simulation import World, run

pytestmark = pytest.mark.row("S2.11", "S1.1")

KIB, MIB = 1024, 1024 * 1024
CONTENT = bytes(64 * MIB)
ETAG = '"one"'
"""What they are does not matter here."""


def url(number: int, host: str = "a.example") -> str:
    return f"http://{host}/{number}"


async def received(engine) -> dict[str, int]:
    """Return what has arrived of each download, by URL."""
    return {row["url"]: row["received"] for row in await engine.listing()}


async def gains(engine, seconds: float) -> dict[str, float]:
    """Return the rate of each download over the next so many seconds."""
    before = await received(engine)
    await trio.sleep(seconds)
    return {name: (now - before.get(name, 0)) / seconds for name, now in (await received(engine)).items()}


def jain(shares) -> float:
    """Jain's index of fairness: 1 where all are equal."""
    shares = list(shares)
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


async def begin(world: World, engine, count: int, *, hosts=("a.example",), rate: float | None = None, **request):
    """Serve and submit so many endless downloads, spread over hosts."""
    ids = []
    for number in range(count):
        at = url(number, hosts[number % len(hosts)])
        world.network.serve(at, CONTENT, etag=ETAG, rate=rate)
        ids.append((await engine.submit(Request(at, **request))).id)
    await trio.sleep(0.5)
    return ids


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("rate", [200_000, 2_000_000])
def test_the_rate_of_all_together_is_the_one_that_is_set_and_shares_are_even(rate, count):
    """Within a turn of each, however many share it."""

    async def story(world: World):
        async with world.engine(limit_rate=rate, concurrency=count) as engine:
            await begin(world, engine, count)
            return await gains(engine, 4.0)

    got = run(3, story)
    assert sum(got.values()) == pytest.approx(rate, rel=0.03)
    assert jain(got.values()) >= 0.99


def test_who_cannot_use_a_share_leaves_it_to_others():
    """The slow one is as fast as its server, the others divide the rest."""

    async def story(world: World):
        async with world.engine(limit_rate=1_000_000, concurrency=4) as engine:
            await begin(world, engine, 4, connections=1)
            world.network.files[url(0)].rate = 50_000
            await trio.sleep(1)
            return await gains(engine, 5.0)

    got = run(3, story)
    assert got[url(0)] == pytest.approx(50_000, rel=0.2)
    assert sum(got.values()) == pytest.approx(1_000_000, rel=0.02)
    assert jain([rate for name, rate in got.items() if name != url(0)]) >= 0.99


def test_downloads_share_evenly_not_their_connections():
    """One of several connections gets no more than one of one."""

    async def story(world: World):
        async with world.engine(limit_rate=1_000_000, concurrency=2, total_timeout_s=0) as engine:
            for number, connections in enumerate([6, 1]):
                world.network.serve(url(number), CONTENT, etag=ETAG, rate=100_000)
                await engine.submit(Request(url(number), connections=connections))
            await trio.sleep(20)
            lines = engine._s.board.connections["a.example:80"]
            for number in range(2):  # servers that are no faster than the limit would share unevenly
                world.network.files[url(number)].rate = 1_000_000
            engine.retune(limit_rate=100_000)
            await trio.sleep(2)
            return lines, await gains(engine, 10.0)

    lines, got = run(3, story)
    assert lines > 3
    assert sum(got.values()) == pytest.approx(100_000, rel=0.03)
    assert jain(got.values()) >= 0.99


@pytest.mark.parametrize("verb", ["retune", "limit"])
def test_a_limit_that_changes_holds_at_once_without_a_new_request(verb):
    """Slower, faster, and not at all; the transfer goes on in the answer that it has."""

    async def story(world: World):
        async with world.engine(limit_rate=500_000 if verb == "retune" else 0) as engine:
            (id,) = await begin(
                world, engine, 1, rate=5e6, limit_rate=500_000 if verb == "limit" else None, connections=1
            )
            rates = [500_000, 20_000, 2_000_000, None]
            got = []
            for rate in rates:
                if verb == "retune":
                    engine.retune(limit_rate=rate or 0)
                else:
                    await engine.limit(rate, id)
                await trio.sleep(0.2)
                got.append(sum((await gains(engine, 2.0)).values()))
            return rates, got, len(world.network.calls)

    rates, got, calls = run(3, story)
    assert got[:3] == pytest.approx(rates[:3], rel=0.06)
    assert got[3] == pytest.approx(5e6, rel=0.06)
    assert calls == 1


@pytest.mark.parametrize("verb", ["retune", "limit"])
def test_who_waits_for_a_crawling_limit_is_set_free_at_once_when_it_is_lifted(verb):
    """Not when the wait would have been over, which is a minute."""

    async def story(world: World):
        slow = {"limit_rate": 16} if verb == "retune" else {}
        async with world.engine(**slow) as engine:
            (id,) = await begin(world, engine, 1, rate=5e6, limit_rate=16 if verb == "limit" else None, connections=1)
            await trio.sleep(1)
            if verb == "retune":
                engine.retune(limit_rate=0)
            else:
                await engine.limit(None, id)
            await trio.sleep(0.2)
            return sum((await gains(engine, 1.0)).values())

    assert run(3, story) == pytest.approx(5e6, rel=0.06)


def test_another_process_may_limit_what_runs():
    """A client appends; the owner goes by it. Connections stay as they were unless they are named."""

    async def story(world: World):
        async with world.engine() as engine, world.engine(owner=False) as client:
            (id,) = await begin(world, engine, 1, rate=5e6, connections=2)
            await client.limit(50_000, id)
            await trio.sleep(3)
            slow = sum((await gains(engine, 2.0)).values())
            first = await engine.get(id)
            await client.limit(None, id, connections=0)
            second = await engine.get(id)
            with pytest.raises(UsageError):
                client.retune(limit_rate=1)
            for wrong in ({"limit_rate": 0}, {"limit_rate": 5, "connections": 65}):
                with pytest.raises(InvalidSetting):
                    await client.limit(wrong["limit_rate"], id, connections=wrong.get("connections"))
            return slow, first, second

    slow, first, second = run(3, story)
    assert slow == pytest.approx(50_000, rel=0.05)
    assert (first.limit_rate, first.connections) == (50_000, 2)
    assert (second.limit_rate, second.connections) == (None, None)


def test_connections_that_are_taken_away_end_within_seconds_and_come_back():
    """Without another attempt, and the file is whole."""

    async def story(world: World):
        async with world.engine() as engine:
            (id,) = await begin(world, engine, 1, rate=500_000, connections=4)
            counts = []
            for connections, within_s in ((4, 12), (2, 2), (4, 12)):
                await engine.limit(None, id, connections=connections)
                await trio.sleep(within_s)
                counts.append(len(world.network.open))
            outcome = await engine.wait(id)
            assert (outcome.ok, outcome.attempts) == (True, 1)
            return counts, world.disk.content("/downloads/0")

    counts, content = run(3, story)
    assert counts == [4, 2, 4]
    assert content == CONTENT


def test_each_host_and_each_download_has_its_own_limit():
    """A table for one host counts in place of what holds for all; the smallest limit decides."""

    async def story(world: World):
        hosts = {"b.example": HostLimits(limit_rate=40_000), "c.example:80": HostLimits(limit_rate=0)}
        options = {"host_limit_rate": 100_000, "concurrency": 9, "tables": {"host": hosts}}
        async with world.engine(**options) as engine:
            await begin(world, engine, 6, hosts=("a.example", "b.example", "c.example"), rate=300_000, connections=1)
            world.network.serve(url(9, "c.example"), CONTENT, etag=ETAG)
            await engine.submit(Request(url(9, "c.example"), limit_rate=10_000))
            await trio.sleep(0.5)
            return await gains(engine, 5.0)

    got = run(3, story)
    per_host = {host: sum(rate for name, rate in got.items() if host in name) for host in ("a.ex", "b.ex")}
    assert per_host == pytest.approx({"a.ex": 100_000, "b.ex": 40_000}, rel=0.03)
    assert got[url(9, "c.example")] == pytest.approx(10_000, rel=0.1)
    assert got[url(2, "c.example")] == pytest.approx(300_000, rel=0.1)


def test_requests_to_a_host_are_spaced():
    """Ten small files of one host take nine spaces; another host's are not held up; bursts are not saved up."""

    async def story(world: World):
        times: dict[str, list[float]] = {"a": [], "b": []}
        async with world.engine(host_requests=2.0, concurrency=20) as engine:
            transport, began_s = engine._s.transport, trio.current_time()
            exchange = transport.exchange

            def noted(call):
                times[call.url[7]].append(trio.current_time() - began_s)
                return exchange(call)

            transport.exchange = noted
            await trio.sleep(30)
            for host in ("a", "b"):
                for number in range(10) if host == "a" else (20, 21):
                    world.network.serve(url(number, f"{host}.example"), b"small")
                    await engine.submit(Request(url(number, f"{host}.example")))
            await engine.wait_idle()
            for number in range(10, 13):
                world.network.serve(url(number), b"small")
                await engine.submit(Request(url(number)))
            await engine.wait_idle()
        return times

    times = run(3, story)
    gaps = [after - before for before, after in zip(times["a"], times["a"][1:], strict=False)]
    assert len(gaps) == 12
    assert all(gap >= 0.5 - BURST_S - 0.001 for gap in gaps)
    assert times["a"][9] - times["a"][0] == pytest.approx(4.5, abs=0.15)
    assert times["b"][1] - times["b"][0] < 0.6


def test_small_files_pay_too():
    """None of them takes a turn, all of them together do."""

    async def story(world: World):
        async with world.engine(limit_rate=20_000, concurrency=3) as engine:
            began_s = trio.current_time()
            for number in range(50):
                world.network.serve(url(number), bytes(1_000))
                await engine.submit(Request(url(number)))
            await engine.wait_idle()
            return trio.current_time() - began_s

    assert run(3, story) == pytest.approx(2.5, rel=0.1)


@pytest.mark.law(10)
def test_a_schedule_sets_the_rate_by_the_time_of_day_and_pauses(tale):
    """The day of the simulation begins at 22:13 UTC; at 22:15 nothing more arrives, at 22:20 all that there is."""
    assert START_NS // 60_000_000_000 % 1440 == 22 * 60 + 13

    async def story(world: World):
        text = "22:15-22:20 pause, 22:20-22:30 unlimited"
        async with world.engine(limit_rate=100_000, schedule=text, concurrency=3) as engine:
            ids = await begin(world, engine, 2, rate=400_000, connections=1)
            first = await gains(engine, 20.0)
            await trio.sleep(102)
            at_rest, calls = await received(engine), len(world.network.calls)
            states = [(await engine.get(id)).blocked for id in ids]
            assert list((await engine.hold()).blocked) == ["schedule"]
            world.network.serve(url(7), b"late")
            await engine.submit(Request(url(7)))
            await trio.sleep(60)
            assert len(world.network.calls) == calls
            assert await received(engine) == at_rest | {url(7): 0}
            await trio.sleep(222)
            assert not (await engine.hold()).blocked
            assert not tale(world.log).all(e.RetryScheduled)
            return first, states, await gains(engine, 5.0)

    first, states, last = run(3, story)
    assert sum(first.values()) == pytest.approx(100_000, rel=0.02)
    assert states == ["schedule", "schedule"]
    assert sum(last.values()) > 700_000


def test_while_a_schedule_pauses_not_even_what_is_under_way_arrives():
    """From the very second on, whoever has still to be told; and nothing is asked for."""

    async def story(world: World):
        async with world.engine(limit_rate=100_000) as engine:
            await begin(world, engine, 1, rate=400_000)
            engine.retune(schedule="00:00-24:00 pause")
            assert sum((await gains(engine, 0.9)).values()) <= 10_000 / 0.9
            with engine._s.throttle.account(await engine.get(UUID((await engine.listing())[0]["id"]))) as account:
                with trio.move_on_after(5) as patience:
                    await account.ask(0)
                assert patience.cancelled_caught
                async with account.lane(0) as lane:
                    assert lane.allowance() == 0
                engine.retune(schedule="")
                await account.ask(0)

    run(3, story)


def test_a_metered_network_has_its_own_rate():
    """The smaller one counts, for as long as it is metered."""

    async def story(world: World):
        world.machine.metered = True
        async with world.engine(limit_rate=200_000, metered="50K", watch_s=1.0) as engine:
            await begin(world, engine, 1)
            slow = await gains(engine, 5.0)
            world.machine.metered = False
            await trio.sleep(1.5)
            return slow, await gains(engine, 5.0)

    slow, fast = run(3, story)
    assert sum(slow.values()) == pytest.approx(50 * KIB, rel=0.03)
    assert sum(fast.values()) == pytest.approx(200_000, rel=0.03)


@pytest.mark.law(8)
def test_a_seed_tells_what_limits_do():
    """Turns follow from the seed."""

    async def story(world: World):
        async with world.engine(limit_rate=300_000, host_requests=3, concurrency=4) as engine:
            for number in range(6):
                world.network.serve(url(number), bytes(300_000 + number))
                await engine.submit(Request(url(number)))
            await trio.sleep(1)
            engine.retune(limit_rate=900_000)
            await engine.wait_idle()
        return world.fingerprint()

    assert run(5, story) == run(5, story)


@pytest.mark.law(9)
def test_what_limits_remember_is_forgotten_with_what_they_were_for():
    """Hosts, bundles and downloads that have ended; but not what a host is owed."""

    async def story(world: World):
        async with world.engine(host_requests=0.2, host_limit_rate=10_000_000, concurrency=50) as engine:
            throttle = engine._s.throttle
            for number in range(40):
                at = url(number, f"h{number}.example")
                world.network.serve(at, b"small")
                await engine.submit(Request(at))
            await engine.wait_idle()
            assert len(throttle._hosts) == 40
            assert throttle._accounts == throttle._bundles == {}
            throttle.refresh()
            assert len(throttle._hosts) == 40
            await trio.sleep(70)
            assert throttle._hosts == {}
            assert throttle._all.sharers == 0

    run(3, story)


def test_a_bundle_has_a_bucket_of_its_own():
    """Two members share it; who belongs to none is not held up."""

    async def story(world: World):
        async with world.engine(bundle_limit_rate=50_000) as engine:
            throttle, got = engine._s.throttle, {}
            ids = await begin(world, engine, 1, rate=1.0)
            plain = await engine.get(ids[0])
            member = attrs.evolve(plain, order=attrs.evolve(plain.order, bundle=ids[0]))

            async def fetch(name, download):
                got[name] = 0
                with throttle.account(download) as account:
                    async with account.lane(0) as lane:
                        while True:
                            count = min(lane.allowance(), MOST_QUANTUM)
                            got[name] += count
                            if lane.owe(count):
                                await lane.pay()
                            await trio.sleep(0.01)

            with trio.move_on_after(10):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(fetch, "first", member)
                    nursery.start_soon(fetch, "second", member)
                    nursery.start_soon(fetch, "none", plain)
            assert throttle._bundles == {}
            return got

    got = run(3, story)
    assert got["first"] + got["second"] == pytest.approx(500_000, rel=0.05)
    assert jain([got["first"], got["second"]]) > 0.99
    assert got["none"] > 100 * MIB


def test_what_is_stopped_while_it_pays_stops_at_once():
    """A pause does not wait for a slow limit, and what had arrived counts."""

    async def story(world: World):
        async with world.engine(limit_rate=1_000) as engine:
            (id,) = await begin(world, engine, 1)
            await trio.sleep(5)
            began_s = trio.current_time()
            (stopped,) = await engine.pause(id)
            return trio.current_time() - began_s, stopped

    took_s, stopped = run(3, story)
    assert took_s < 0.5
    assert stopped.state is State.PAUSED
    assert stopped.received >= 5_000


def test_who_goes_on_after_a_limit_is_not_taken_for_slow(tale):
    """Connections that a limit holds up are not begun anew."""

    async def story(world: World):
        async with world.engine(concurrency=1) as engine:
            (id,) = await begin(world, engine, 1, rate=500_000, connections=4)
            await trio.sleep(15)
            assert engine._s.board.connections["a.example:80"] > 1
            calls = len(world.network.calls)
            engine.retune(limit_rate=20_000)
            await trio.sleep(30)
            assert len(world.network.calls) == calls
            assert not tale(world.log).all(e.RetryScheduled, id)

    run(3, story)
