"""The world of an incident: nobody who looks from time to time misses what was told meanwhile."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from lading.tools.simulator.world import LOOKS_S, Clock

pytestmark = pytest.mark.row("C.6")


def test_what_is_told_between_two_looks_is_looked_for_at_once():
    """And who looks when nothing was told waits as long as it meant to; a short sleep is never cut short."""
    seen = []

    async def looks(clock, busy):
        for _ in range(3):
            await clock.sleep(LOOKS_S)
            seen.append(clock.monotonic())
            await busy.wait()

    async def story():
        clock, busy = Clock(3600), trio.Event()
        assert clock.local_minute() == 60
        async with trio.open_nursery() as nursery:
            nursery.start_soon(looks, clock, busy)
            await clock.sleep(5)
            clock.tell()
            await trio.testing.wait_all_tasks_blocked()
            clock.tell()
            busy.set()
            nursery.start_soon(clock.sleep, 7)

    trio.run(story, clock=trio.testing.MockClock(autojump_threshold=0))
    assert seen == [5, 5, 5 + LOOKS_S]
