"""The one pen of the log: what is handed over at one moment is one commit, and nobody waits long for company."""

from __future__ import annotations

from uuid import UUID

import pytest
import trio
import trio.testing

from lading.domain.ports import Entry
from lading.gathering import MOST_ROUNDS
from lading.testing.log import MemoryLog
from lading.testing.threads import InlineThreads
from lading.writer import LogWriter

pytestmark = [pytest.mark.row("S2.4"), pytest.mark.law(1)]


class Counting(MemoryLog):
    """A log that notes how many requests each commit had."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[int] = []

    def append(self, requests):
        self.groups.append(len(requests))
        return super().append(requests)


def entry(stream: int, version: int = 1) -> list[Entry]:
    return [Entry(UUID(int=stream), version, "topic", b"state")]


async def test_what_is_handed_over_at_one_moment_is_one_commit_and_each_is_answered():
    """Not one for the first, who is a moment ahead, and one for the others; a conflict is its own."""
    log, told = Counting(), {}
    writer = LogWriter(log, InlineThreads())

    async def append(stream: int, version: int) -> None:
        if stream > 1:
            await trio.lowlevel.checkpoint()
        told[stream] = await writer.append(entry(stream, version))

    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        for stream in range(1, 17):
            nursery.start_soon(append, stream, 2 if stream == 9 else 1)
        await trio.testing.wait_all_tasks_blocked()
        writer.close()
    assert log.groups == [16]
    assert not isinstance(told.pop(9), tuple)
    assert sorted(position for positions in told.values() for position in positions) == list(range(1, 16))


@pytest.mark.law(9)
async def test_nobody_waits_for_more_than_a_few_rounds_although_there_is_always_another():
    """Somebody hands something over in every round of the event loop: the first is durable long before they end."""
    log, durable = Counting(), []
    writer = LogWriter(log, InlineThreads())

    async def append(stream: int) -> None:
        await writer.append(entry(stream))
        durable.append(stream)

    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        for stream in range(1, 101):
            nursery.start_soon(append, stream)
            await trio.lowlevel.checkpoint()
            if stream == 3 * MOST_ROUNDS:
                assert 1 in durable
        await trio.testing.wait_all_tasks_blocked()
        writer.close()
    assert sorted(durable) == list(range(1, 101))
    assert max(log.groups) <= 2 * MOST_ROUNDS
