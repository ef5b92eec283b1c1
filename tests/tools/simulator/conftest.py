"""Stories in a simulated world, and the incident that is made of each."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio

from lading.domain.features import Features, Percent
from lading.domain.requests import Request
from lading.reading import Reading
from lading.settings import Settings, load
from lading.testing import MemoryStore
from lading.testing.simulation import CALM, World, run
from lading.tools.simulator import tuning
from lading.tools.simulator.command import Courses, read
from lading.tools.simulator.rerun import rerun
from lading.tools.simulator.writing import Told, write
from lading.views import Views

Story = Callable[[World], Awaitable[None]]


def url(number: int, host: str = "secret-host.example") -> str:
    """A URL of the stories."""
    return f"http://{host}/private/path-{number}.bin"


async def uneven(world: World) -> None:
    """Servers that are slow, busy, broken and wrong; priorities; two at once."""
    for number in range(8):
        world.network.serve(url(number), bytes([number]) * (40_000 + 7_000 * number), rate=20_000 * (1 + number % 3))
    world.network.files[url(2)].break_after = 30_000
    world.network.files[url(3)].status = 503
    busy = world.network.serve(url(8, "busy.example"), b"b" * 5_000, status=429, retry_after="30")
    requests = [Request(url(n), tags=("secret-tag",), priority=n % 2, key=f"secret-key-{n}") for n in range(8)]
    async with world.engine(concurrency=2) as engine, trio.open_nursery() as nursery:
        await engine.submit_many([*requests, Request(url(9)), Request(url(8, "busy.example"))])

        async def recover() -> None:
            await trio.sleep(9)
            busy.status = world.network.files[url(3)].status = None
            await trio.sleep(3)
            world.network.files[url(2)].break_after = None

        nursery.start_soon(recover)
        await engine.wait_idle()


async def steered(world: World) -> None:
    """People pause, cancel, prioritise and resume; the network and the memory go and come back."""
    for number in range(6):
        world.network.serve(url(number), bytes([number]) * 610_000, rate=10_000)
    async with world.engine(concurrency=2) as engine:
        ids = [download.id for download in await engine.submit_many([Request(url(n)) for n in range(6)])]
        await trio.sleep(5)
        await engine.pause(ids[0])
        await engine.prioritise(9, ids[5])
        await trio.sleep(20)
        world.network.online = world.machine.online = False
        await trio.sleep(200)
        world.network.online = world.machine.online = True
        await trio.sleep(71)
        await engine.cancel(ids[4])
        await engine.resume(ids[0])
        world.machine.memory_percent = 99.0
        await trio.sleep(100)
        world.machine.memory_percent = 1.0
        await engine.pause_queue()
        await trio.sleep(50)
        await engine.resume_queue()
        await engine.wait_idle()


async def spoilt(world: World) -> None:
    """A digest that fits to nothing, a file that changes under way, mirrors, a limit, and two engines."""
    good = b"m" * 200_000
    digest = f"sha256:{hashlib.sha256(good).hexdigest()}"
    world.network.serve(url(0), b"x" * 50_000, rate=20_000)
    changing = world.network.serve(url(1), b"y" * 400_000, rate=10_000, break_after=150_000)
    world.network.serve(url(2), good, status=500)
    world.network.serve(url(3), good, rate=15_000)
    world.network.serve(url(4), b"z" * 500_000, rate=50_000)
    async with world.engine(concurrency=2, retries=2) as engine:
        await engine.submit(Request(url(0), digest="sha256:" + "0" * 64))
        await engine.submit(Request(url(1)))
        await engine.submit(Request(url(2), mirrors=url(3), digest=digest))
        await engine.submit(Request(url(4), limit_rate=10_000))
        await trio.sleep(16)
        changing.replace(b"w" * 300_000)
        changing.break_after = None
        await trio.sleep(2)
    await trio.sleep(60)
    async with world.engine(concurrency=2, retries=2) as engine:
        await engine.wait_idle()


async def crashed(world: World) -> None:
    """The power goes while two are fetched, and a second engine recovers."""
    for number in range(5):
        world.network.serve(url(number), bytes([number]) * 900_000, rate=20_000)
    async with trio.open_nursery() as nursery:

        async def work() -> None:
            async with world.engine(concurrency=2) as engine:
                await engine.submit_many([Request(url(number)) for number in range(5)])
                await engine.wait_idle()

        nursery.start_soon(work)
        await trio.sleep(70)
        left = world.fork(7)
        nursery.cancel_scope.cancel()
    left.disk.crash()
    world.log, world.disk, world.clock, world.chance = left.log, left.disk, world.clock, left.chance
    await trio.sleep(30)
    async with world.engine(concurrency=2) as engine:
        await engine.wait_idle()


IN_TURN = {"schedule": "22:15-22:20 pause, 22:20-22:30 20K", "features": {"retry": "40%"}, "concurrency": 2}
"""When the simulated world begins, it is 22:13:20."""


async def by_the_clock(world: World) -> None:
    """A pause by the schedule, a slower time after it, and retries for a share of the downloads only."""
    for number in range(8):
        broken = 50_000 if number % 2 else None
        world.network.serve(url(number), bytes(400_000), rate=10_000, break_after=broken, etag=None)
    tables = {"features": Features(retry=Percent(40))}
    async with world.engine(concurrency=2, schedule=IN_TURN["schedule"], tables=tables) as engine:
        await engine.submit_many([Request(url(number)) for number in range(8)])
        await engine.wait_idle()


async def cramped(world: World) -> None:
    """The disk is full for everybody, then for the large one only."""
    for number, size in enumerate((20_000, 3_000_000, 20_000, 20_000)):
        world.network.serve(url(number), bytes(size), rate=200_000)
    world.disk.room = 50_000
    async with world.engine(concurrency=1, reserve_bytes=50_000) as engine:
        await engine.submit_many([Request(url(number)) for number in range(4)])
        await trio.sleep(20)
        world.disk.room = 1_000_000
        await trio.sleep(40)
        world.disk.room = 100_000_000
        await engine.wait_idle()


async def relayed(world: World) -> None:
    """One engine after another: each has nothing more to do when it ends, and the next begins at that moment."""
    for number in range(9):
        world.network.serve(url(number), bytes(10_000), rate=10_000)
    for first in (0, 3, 6):
        async with world.engine(concurrency=2) as engine:
            await engine.submit_many([Request(url(number)) for number in range(first, first + 3)])
            await engine.wait_idle()
            await trio.sleep(30)


class Made(NamedTuple):
    """An incident, what was written into it, and the settings that were in force."""

    path: Path
    told: Told
    settings: Settings

    def courses(self, *wishes: str) -> Courses:
        """Decide anew, under these settings besides."""
        header, told, was = read(self.path)
        wished, changed = tuning.changed(header.settings, wishes)
        before, second = tuning.rebuilt(header.settings), header.second or 0
        again = rerun(told, before, second=second)
        other = rerun(told, tuning.rebuilt(wished), was=before, second=second) if changed else None
        return Courses(header=header, told=told, was=was, again=again, other=other, changed=changed)


@pytest.fixture
def incident(tmp_path: Path) -> Callable[..., Made]:
    """Live a story, and make an incident of it; `more` goes to `write`."""

    def make(story: Story, *, seed: int = 1, more: dict[str, Any] | None = None, **settings: Any) -> Made:
        worlds: list[World] = []

        async def live(world: World) -> None:
            worlds.append(world)
            await story(world)

        run(seed, live)
        chosen = load(None, {}, **{**CALM, **settings})
        reading = Reading(worlds[0].log, Views(worlds[0].log, lambda _: MemoryStore()))
        path = tmp_path / f"{story.__name__}.incident"
        return Made(path, write(reading, chosen, path, replace=True, **(more or {})), chosen)

    return make


@pytest.fixture
def in_force() -> dict[str, dict[str, Any]]:
    """What was set in each story."""
    two = {"concurrency": 2}
    return {
        "uneven": two,
        "steered": two,
        "spoilt": two | {"retries": 2},
        "crashed": two,
        "by_the_clock": IN_TURN,
        "cramped": {"concurrency": 1},
        "relayed": two,
    }


@pytest.fixture
def stories() -> dict[str, Story]:
    """Every story."""
    return {
        "uneven": uneven,
        "steered": steered,
        "spoilt": spoilt,
        "crashed": crashed,
        "by_the_clock": by_the_clock,
        "cramped": cramped,
        "relayed": relayed,
    }
