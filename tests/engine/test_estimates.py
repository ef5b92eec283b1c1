"""Progress as people see it: bytes, rate, ETA and percent, of each download and of all; honest, or not there."""

from __future__ import annotations

import statistics

import pytest
import trio

from lading.domain.requests import Request
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S0.2")]

URL = "http://a.example/file.bin"
FIELDS = [
    "id",
    "key",
    "url",
    "state",
    "received",
    "total",
    "percent",
    "rate",
    "eta",
    "path",
    "priority",
    "tags",
    "attempts",
    "error",
    "why",
    "bundle",
    "added_at",
    "updated_at",
]


def test_a_running_download_is_listed_with_what_arrives_now(payload):
    """Live figures, not those of the last checkpoint."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(400_000), rate=10e3)
        async with world.engine() as engine:
            await engine.submit(Request(URL, tags="t", key="k", priority=3))
            await trio.sleep(20)
            (row,) = await engine.listing()
        assert set(FIELDS) <= set(row)
        assert (row["state"], row["key"], row["tags"], row["priority"]) == ("active", "k", ["t"], 3)
        assert row["received"] == pytest.approx(200_000, abs=17_000)
        assert row["total"] == 400_000
        assert row["percent"] == pytest.approx(50, abs=5)
        assert row["rate"] == pytest.approx(10e3, rel=0.1)
        assert row["eta"] == pytest.approx(20, abs=3)

    run(1, story)


def test_what_is_not_known_is_null(payload):
    """Before the first byte, without a length, and for what does not run."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(100_000), rate=10e3, sized=False)
        async with world.engine(concurrency=1) as engine:
            await engine.submit_many([Request(URL, allow_unsized=True), Request("http://a.example/later")])
            unsized, later = await engine.listing()
            assert (unsized["rate"], unsized["eta"], unsized["percent"], unsized["total"]) == (None,) * 4
            await trio.sleep(8)
            unsized, later = await engine.listing()
            assert (unsized["eta"], unsized["percent"], unsized["total"]) == (None, None, None)
            assert unsized["rate"] == pytest.approx(10e3, rel=0.2)
            assert (later["rate"], later["eta"], later["percent"], later["total"]) == (None,) * 4
            overall = await engine.progress()
            assert (overall.total, overall.eta, overall.percent) == (None, None, None)

    run(1, story)


def test_resumed_bytes_count_as_received_and_never_as_rate(payload):
    """From the moment that the attempt begins, before its server has answered too."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(1_000_000), rate=50e3)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(16)
            await engine.pause(id)
            held = (await engine.get(id)).received
            assert held > 700_000
            world.network.files[URL].rate = 5e3
            await engine.resume(id)
            rows = []
            for _ in range(200):
                await trio.sleep(0.05)
                (row,) = await engine.listing()
                rows.append(row)
            assert all(row["received"] >= held for row in rows)
            assert all(row["total"] == 1_000_000 for row in rows)
            assert all(row["percent"] >= 70 for row in rows)
            rates = [row["rate"] for row in rows if row["rate"] is not None]
            assert rates
            assert max(rates) < 12e3

    run(1, story)


def test_nothing_is_ever_above_one_hundred_percent(payload):
    """Nor below what was there before, without a reason in the log."""

    async def story(world: World) -> None:
        for number in range(4):
            url = f"http://a.example/{number}"
            world.network.serve(url, payload(90_000 * (number + 1), number), rate=9e3, break_after=70_000)
        async with world.engine(concurrency=2) as engine:
            await engine.submit_many([Request(f"http://a.example/{n}") for n in range(4)])
            last: dict[str, float] = {}
            while (overall := await engine.progress()).active or overall.queued or overall.waiting:
                for row in await engine.listing():
                    if row["percent"] is not None:
                        assert last.get(row["id"], 0) <= row["percent"] <= 100
                        last[row["id"]] = row["percent"]
                    if row["eta"] is not None:
                        assert row["eta"] >= 0
                assert overall.percent is None or 0 <= overall.percent <= 100
                await trio.sleep(0.7)
            assert [row["percent"] for row in await engine.listing()] == [100.0] * 4

    run(1, story)


def test_the_overall_is_the_sum_of_what_has_not_ended(payload):
    """Counts, bytes, rate, ETA and percent."""

    async def story(world: World) -> None:
        for number in range(5):
            world.network.serve(f"http://a.example/{number}", payload(4_000_000, number), rate=100e3, shared=True)
        async with world.engine() as engine:
            downloads = await engine.submit_many([Request(f"http://a.example/{n}") for n in range(5)])
            await engine.pause(downloads[4].id)
            await trio.sleep(30)
            overall = await engine.progress()
            assert (overall.active, overall.queued, overall.waiting) == (3, 1, 0)
            rows = await engine.listing(state="active")
            assert overall.received == sum(row["received"] for row in rows)
            assert overall.rate == pytest.approx(300e3, rel=0.1)
            assert overall.total is None
            await engine.remove(downloads[3].id, downloads[4].id)
            await trio.sleep(1)
            overall = await engine.progress()
            assert overall.total == 12_000_000
            assert overall.percent == pytest.approx(100 * overall.received / overall.total)
            assert overall.eta == pytest.approx((12_000_000 - overall.received) / overall.rate)
            await engine.wait_idle()
            overall = await engine.progress()
            assert (overall.active, overall.rate, overall.eta) == (0, None, None)

    run(1, story)


def test_another_process_sees_the_durable_figures(payload):
    """Its rate is that between checkpoints; stale ones are not shown."""

    async def story(world: World) -> None:
        served = world.network.serve(URL, payload(40_000_000), rate=1e6, shared=True)
        async with world.engine() as owner, world.engine(owner=False) as client:
            await owner.submit(Request(URL))
            await trio.sleep(12)
            (row,) = await client.listing()
            assert row["received"] == pytest.approx(10e6, rel=0.05)
            assert row["rate"] == pytest.approx(1e6, rel=0.05)
            assert row["percent"] == pytest.approx(25, abs=2)
            served.rate = 0.001
            await trio.sleep(120)
            (row,) = await client.listing()
            assert (row["rate"], row["eta"]) == (None, None)
            assert row["state"] == "active"

    run(1, story)


@pytest.mark.row("S0.6")
@pytest.mark.parametrize(
    "rates",
    [[1e6], [200e3], [1e6, 300e3], [200e3, 900e3], [800e3, 100e3, 800e3]],
    ids=["steady", "slow", "step down", "step up", "down and up"],
)
@pytest.mark.long
def test_the_median_error_of_the_estimate_is_at_most_a_fifth(rates, payload):
    """From ten seconds on, at steady and stepped rates, whenever it is asked for."""

    async def story(world: World) -> float:
        served = world.network.serve(URL, payload(int(sum(rates) * 60)), rate=rates[0], shared=True)
        looks: list[tuple[float, float]] = []
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id

            async def look() -> None:
                await trio.sleep(10)
                while True:
                    (row,) = await engine.listing()
                    if row["eta"] is not None:
                        looks.append((trio.current_time(), row["eta"]))
                    await trio.sleep(1)

            async def step() -> None:
                for rate in rates[1:]:
                    await trio.sleep(60)
                    served.rate = rate

            async with trio.open_nursery() as nursery:
                nursery.start_soon(look)
                nursery.start_soon(step)
                await engine.wait(id)
                nursery.cancel_scope.cancel()
            end = trio.current_time()
        left = [(end - at, eta) for at, eta in looks if end - at > 1]
        after = [pair for pair in left if len(rates) == 1 or end - pair[0] > 70 * (len(rates) - 1)]
        assert len(after) > 30
        return statistics.median(abs(eta - truth) / truth for truth, eta in after)

    assert run(1, story) <= 0.2
