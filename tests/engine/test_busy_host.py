"""A host that asks to be left alone costs the others nothing: a healthy one is fetched at its own speed."""

from __future__ import annotations

import time

import pytest
import trio

import lading
from lading.domain import events as e
from lading.tools.origin import Behaviour, Refusal, Resource
from lading.tools.origin.process import OriginProcess

pytestmark = [
    pytest.mark.long,
    pytest.mark.row("S1.4"),
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

HEALTHY = [Resource(f"healthy{number}", 2_000_000, f"seed{number}") for number in range(6)]
BUSY = [Resource(f"busy{number}", 100_000, f"other{number}") for number in range(20)]
RATE = 1_000_000
LEAST_RATIO = 0.95


async def test_a_healthy_host_beside_a_busy_one_goes_at_its_own_speed(tmp_path):
    """Twenty files of a host that answers 429 stand before six of a healthy one, two at a time."""
    settings = lading.Settings(concurrency=2, connections=1)
    with OriginProcess(HEALTHY) as healthy, OriginProcess(BUSY) as busy:
        for file in HEALTHY:
            healthy.set(file.name, Behaviour(rate=RATE))
        for file in BUSY:
            busy.set(file.name, Behaviour(refusals=(Refusal(429, times=None, retry_after_s=3600),)))

        async def fetch(name: str, *, beside: bool) -> float:
            home = tmp_path / name
            async with lading.open_engine(home / "home", downloads=home, settings=settings) as engine:
                if beside:
                    await engine.submit_many([lading.Request(busy.url(file.name), priority=1) for file in BUSY])
                    await trio.sleep(0.5)
                began_s = time.monotonic()
                ids = [(await engine.submit(lading.Request(healthy.url(file.name)))).id for file in HEALTHY]
                for id in ids:
                    assert (await engine.wait(id)).ok
                took_s = time.monotonic() - began_s
                asked = [f for f in engine.reading.facts(limit=10_000) if isinstance(f.event, e.RetryScheduled)]
                assert len(asked) <= (2 if beside else 0)
                return took_s

        alone = await fetch("alone", beside=False)
        ratios = [alone / await fetch(f"beside{turn}", beside=True) for turn in range(2)]
    assert max(ratios) >= LEAST_RATIO, ratios
