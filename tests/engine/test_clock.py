"""Wall clocks step back and leap: that changes what times are told, and nothing else."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import events as e
from lading.domain.requests import Request
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.law(3), pytest.mark.law(9), pytest.mark.row("S1.8")]

URLS = [f"http://{host}.example/{host}.bin" for host in "abc"]


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 99),
    steps=st.lists(st.tuples(st.floats(0.1, 30), st.integers(-3600, 3600)), min_size=1, max_size=6),
)
def test_whatever_the_clock_does_everything_completes_and_views_agree(seed, steps, tale, payload, unlawful):
    """An hour to and fro, in the midst of transfers, checkpoints and waits; ids stay in the order of the log."""

    async def story(world: World) -> None:
        truth = {url: payload(90_000 * number, number) for number, url in enumerate(URLS, 1)}
        for number, (url, data) in enumerate(truth.items(), 1):
            world.network.serve(url, data, rate=2e3 * number, break_after=80_000)
        async with world.engine(concurrency=2) as engine:
            ids = [(await engine.submit(Request(url))).id for url in URLS]
            for seconds, step in steps:
                await trio.sleep(seconds)
                world.clock.stepped_ns += step * 10**9
                last = (await engine.submit(Request("http://nobody.example/x"))).id
                assert last > ids[-1]
                ids.append(last)
                for row in await engine.listing():
                    assert row["rate"] is None or row["rate"] >= 0
                    assert row["eta"] is None or row["eta"] >= 0
            for id in ids[:3]:
                assert (await engine.wait(id)).ok
            await engine.wait_idle()
            assert engine.reading.views.verify() == []
        assert unlawful(world, truth) == []
        assert [fact.stream for fact in tale(world.log).facts if isinstance(fact.event, e.Queued)] == ids

    run(seed, story)
