"""Publishing in groups: who comes while others are published goes with the next, and is told nobody else's fault."""

from __future__ import annotations

import hashlib

import pytest
import trio
import trio.testing

from lading.domain.errors import DestinationTaken, DiskFull
from lading.domain.requests import Request
from lading.gathering import MOST_TOGETHER
from lading.holding import Holding
from lading.publisher import Publisher
from lading.testing.disk import MemoryDisk
from lading.testing.simulation import World, run
from lading.testing.threads import InlineThreads

pytestmark = [pytest.mark.row("S2.4"), pytest.mark.law(5)]


class GroupDisk(MemoryDisk):
    """A disk that notes how many were published together."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[int] = []

    def publish(self, group):
        self.groups.append(len(group))
        return super().publish(group)


class Gate:
    """Threads whose work waits until the gate is opened; `begun` counts those who came to it."""

    def __init__(self) -> None:
        self.open = trio.Event()
        self.begun = 0

    async def run(self, work):
        self.begun += 1
        await self.open.wait()
        return work()


def held(disk: MemoryDisk, number: int, content: bytes = b"x") -> Holding:
    holding = Holding(
        f"/files/.{number}.part", None, disk, InlineThreads(), algorithm="sha256", also=None, reserve_bytes=0
    )
    holding.keep_back(memoryview(content))
    return holding


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


async def test_who_comes_at_the_same_moment_goes_along_and_who_comes_later_goes_with_the_next_group():
    """However many they are, groups are bounded; every file is there, whole, and was digested."""
    disk, gate, published = GroupDisk(), Gate(), []
    publisher = Publisher(disk, gate)

    async def publish(number: int) -> None:
        content = b"%d" % number
        holding = held(disk, number, content)
        done = await publisher.publish("storage", holding, f"/files/{number}", digest(content), replace=False)
        published.append((number, done, holding.tally.digest == digest(content)))

    async with trio.open_nursery() as nursery:
        for number in range(MOST_TOGETHER + 20):
            nursery.start_soon(publish, number)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(MOST_TOGETHER + 20, MOST_TOGETHER + 25):
            nursery.start_soon(publish, number)
        await trio.testing.wait_all_tasks_blocked()
        assert (gate.begun, published) == (1, [])
        gate.open.set()
    assert disk.groups == [MOST_TOGETHER, 25]
    assert sorted(published) == [(number, True, True) for number in range(MOST_TOGETHER + 25)]
    assert [disk.durable(f"/files/{number}") for number, *_ in sorted(published)] == [
        b"%d" % number for number, *_ in sorted(published)
    ]


async def test_what_is_wrong_with_one_is_told_to_nobody_else():
    """A destination that is taken, a digest that is another, a part that cannot be made: the others are published."""
    disk, gate, told = MemoryDisk(), Gate(), {}
    publisher = Publisher(disk, gate)
    there = disk.open_part("/files/taken", create=True)
    there.close()

    def no_room(*_, **__):
        raise DiskFull("no room")

    async def publish(name: str, holding: Holding, expected: str | None = None) -> None:
        try:
            told[name] = await publisher.publish("storage", holding, f"/files/{name}", expected, replace=False)
        except (DestinationTaken, DiskFull) as error:
            told[name] = type(error)

    unlucky = held(disk, 4)
    unlucky.write = no_room
    async with trio.open_nursery() as nursery:
        nursery.start_soon(publish, "first", held(disk, 0))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(publish, "good", held(disk, 1))
        nursery.start_soon(publish, "taken", held(disk, 2))
        nursery.start_soon(publish, "wrong", held(disk, 3), digest(b"another"))
        nursery.start_soon(publish, "full", unlucky)
        nursery.start_soon(publish, "empty", held(disk, 5, b""), digest(b""))
        await trio.testing.wait_all_tasks_blocked()
        gate.open.set()
    assert told == {
        "first": True,
        "good": True,
        "taken": DestinationTaken,
        "wrong": False,
        "full": DiskFull,
        "empty": True,
    }
    assert disk.inode("/files/wrong") is None
    assert disk.durable("/files/empty") == b""


@pytest.mark.law(9)
async def test_a_disk_that_does_not_answer_keeps_nobody_from_another():
    """Each storage has its groups."""
    disk, gate = MemoryDisk(), Gate()
    publisher = Publisher(disk, gate)

    async def publish(storage: str, number: int) -> None:
        assert await publisher.publish(storage, held(disk, number), f"/files/{number}", None, replace=False)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(publish, "dead", 0)
        await trio.testing.wait_all_tasks_blocked()
        dead, gate.open = gate.open, trio.Event()
        gate.open.set()
        with trio.fail_after(5):
            await publish("healthy", 1)
        assert disk.inode("/files/0") is None
        dead.set()


async def test_who_is_cancelled_while_he_waits_is_published_all_the_same():
    """Once it has begun, nobody may act as if the file had no name."""
    disk, gate, told = MemoryDisk(), Gate(), []
    publisher = Publisher(disk, gate)
    scopes = [trio.CancelScope() for _ in range(3)]

    async def publish(number: int) -> None:
        with scopes[number]:
            told.append(await publisher.publish("s", held(disk, number), f"/files/{number}", None, replace=False))

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(publish, number)
        await trio.testing.wait_all_tasks_blocked()
        for scope in scopes:
            scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        gate.open.set()
    assert told == [True, True, True]


def test_a_small_file_is_one_step_on_the_disk_and_what_is_refused_is_none(telling):
    """Made, written and published at once when all of it is here; a server that has no such file costs no part."""

    async def story(world: World) -> None:
        steps: list[str] = []
        world.disk = telling(world.disk, steps.append)
        world.network.serve("http://a.example/small", b"small" * 1000)
        async with world.engine() as engine:
            download = await engine.submit(Request("http://a.example/small"))
            gone = await engine.submit(Request("http://a.example/gone", retries=0))
            assert (await engine.wait(download.id)).ok
            assert not (await engine.wait(gone.id)).ok
            await engine.wait_idle()
        made = [step.removeprefix("before ") for step in steps if step.startswith("before")]
        assert made == ["open_part", "write", "publish", "flush", "unlink"]

    run(1, story)
