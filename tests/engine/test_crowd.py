"""Very many downloads at once: what they share is shared, and nobody takes what he does not need."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
import trio

from lading.buffers import Buffers
from lading.domain import events as e
from lading.domain.allotment import Share
from lading.domain.checkpoints import MIB, MOST_PER_SECOND, Budget
from lading.domain.requests import Request
from lading.holding import PREALLOCATE_LEAST, PREALLOCATE_MOST, Arrived, Holding
from lading.intake import Course, Intake
from lading.live import Gauge
from lading.testing.simulation import World, run
from lading.testing.threads import InlineThreads

pytestmark = [pytest.mark.row("S2.4"), pytest.mark.law(9)]

MANY = 60


@pytest.mark.long
def test_downloads_that_become_due_together_are_not_logged_together():
    """However many began at the same moment and go at the same rate, their checkpoints are spread out."""

    async def story(world: World) -> None:
        for number in range(MANY):
            world.network.serve(f"http://a.example/{number}", bytes(6 * MIB), rate=2e5, shared=True)
        async with world.engine(concurrency=MANY) as engine:
            await engine.submit_many([Request(f"http://a.example/{number}") for number in range(MANY)])
            await trio.sleep(25)
            facts = engine.reading.facts(0, 10**6)
        written = Counter(fact.at_ns // 10**9 for fact in facts if isinstance(fact.event, e.Progressed))
        assert sum(written.values()) >= MANY
        assert max(written.values()) <= MOST_PER_SECOND

    run(1, story)


class Ledger:
    """A disk with room for everything, and a part that notes how much room is set aside."""

    path = "/files/.part"

    def __init__(self) -> None:
        self.allocated: list[int] = []

    def free(self, folder: str) -> int:
        return 2**60

    def preallocate(self, end: int) -> None:
        self.allocated.append(end)

    def write(self, offset: int, data: memoryview) -> None:
        pass


async def test_room_is_set_aside_as_bytes_arrive_and_not_long_before():
    """Never more than as much again, or a few megabytes, nor more than the file needs; and in few steps."""
    ledger, total = Ledger(), 700 * MIB
    held = Holding(ledger.path, ledger, ledger, InlineThreads(), algorithm="sha256", also=None, reserve_bytes=0)
    data = memoryview(bytes(MIB))
    for number in range(20):
        held.write(Arrived(number * MIB, data, None), total)
        assert ledger.allocated[-1] - (number + 1) * MIB <= max(PREALLOCATE_LEAST, (number + 1) * MIB)
    held.write(Arrived(600 * MIB, data, None), total)
    assert ledger.allocated[-1] == total
    held._allocated = 0
    held.write(Arrived(300 * MIB, data, None), total)
    assert ledger.allocated[-1] == 301 * MIB + PREALLOCATE_MOST
    assert len(ledger.allocated) <= 6


class Patience:
    """A clock that notes how long somebody slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Trickle:
    """A body that gives so many bytes at a time."""

    def __init__(self, size: int, sip: int, clock: Patience, every_s: float) -> None:
        self.left = size
        self._sip = sip
        self._clock = clock
        self._every_s = every_s

    async def receive_into(self, buffer: memoryview) -> int:
        self._clock.now_s += self._every_s
        count = min(self._sip, self.left, len(buffer))
        self.left -= count
        return count


@pytest.mark.parametrize(
    ("running", "sip", "every_s", "naps"),
    [
        (1, 500, 0.02, []),
        (30, 500, 0.02, []),
        (200, 500, 0.02, [0.05] * 19),
        (5000, 500, 0.02, [0.25] * 19),
        (5000, 5000, 0.001, []),
        (5000, 500, 0.004, []),
        (5000, 16 * 1024, 0.02, []),
    ],
)
async def test_where_very_many_trickle_each_lets_some_more_arrive_before_it_is_taken(running, sip, every_s, naps):
    """The loop's time is everybody's; few are served at once, what flows is not held up, and nobody naps at the end."""
    clock, size = Patience(), 20 * sip
    services = SimpleNamespace(clock=clock, buffers=Buffers(), budget=Budget())
    stored: list[int] = []

    async def store(arrived: Arrived, _: int) -> None:
        stored.append(len(arrived.data))

    work = SimpleNamespace(
        held=SimpleNamespace(
            tally=SimpleNamespace(size=0), keep_back=lambda data: stored.append(len(data)), store=store
        ),
        download=SimpleNamespace(limit_rate=None),
    )
    intake = Intake(services, work, Gauge(0.0), lambda: running, size)
    assert await intake.receive(Trickle(size, sip, clock, every_s), Course(share=Share(0, size), until=size))
    assert sum(stored) == size
    assert clock.slept == naps
