"""The storing of what arrives with real threads on a real disk: whatever fails where, what counts is there and true."""

from __future__ import annotations

import errno
import hashlib
import random
import time

import pytest
import trio

from lading.adapters.disk import LocalDisk
from lading.adapters.threads import WorkerThreads
from lading.buffers import SIZES, Buffers
from lading.domain.errors import DiskFull, Fenced
from lading.domain.spans import gaps
from lading.holding import Holding
from lading.storing import APART_BYTES, Filled, Storing

pytestmark = [pytest.mark.law(2), pytest.mark.row("S2.4"), pytest.mark.long, pytest.mark.timeout(100)]

BLOCK, COUNT = APART_BYTES, 24
SIZE = BLOCK * COUNT
LANES, ROUNDS = 4, 100
FAULTS = {
    "write": DiskFull("no room"),
    "digest_pieces": MemoryError(),
    "digest_whole": OSError(errno.EIO, "no"),
    "flush_part": OSError(errno.EIO, "no"),
    "say": Fenced("another"),
}


class Attempt:
    """One try at what is missing of a file, in which one step may fail, or somebody calls it off."""

    def __init__(self, held: Holding, threads: WorkerThreads, buffers: Buffers, content: bytes, chance) -> None:
        self.held, self.threads, self.buffers, self.content, self.chance = held, threads, buffers, content, chance
        self.said = []

    async def run(self) -> None:
        """Store by several lanes at once, each in order."""
        storing = Storing(self.held, self.threads, self.buffers, SIZE, self.say)
        missing = [start for low, high in gaps(self.held.tally.held, SIZE) for start in range(low, high, BLOCK)]
        share = -(-len(missing) // LANES)

        async def lane(starts) -> None:
            for start in starts:
                end = next((low for low, _ in self.held.tally.held if start < low < start + BLOCK), start + BLOCK)
                await self.put(storing, start, min(end, SIZE))

        async def fill() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(LANES):
                    nursery.start_soon(lane, missing[number * share : (number + 1) * share])

        await storing.run(fill)

    async def put(self, storing: Storing, start: int, end: int) -> None:
        buffer = self.buffers.take(SIZES[2])
        buffer[: end - start] = self.content[start:end]
        await storing.put(Filled(buffer, end - start, start, None, self.chance.random() < 0.3))
        await trio.sleep(self.chance.random() * 0.0005)

    async def say(self, pieces) -> None:
        await self.held.flush_part()
        self.vouch(pieces)
        self.said += pieces

    def vouch(self, pieces) -> None:
        """What is said is in the file, and has the digest that is said."""
        assert all(piece.fits(self.held.part.read(piece.start, piece.size)) for piece in pieces)


def failing(attempt: Attempt, step: str, at: int) -> None:
    """Let a step fail when it is done for the `at`th time from now on."""
    owner = attempt if step == "say" else attempt.held
    real, calls = getattr(owner, step), []

    def fail(*arguments):
        calls.append(step)
        if len(calls) == at:
            time.sleep(0.001)  # a disk takes its time to fail, in which the other hands go on
            raise FAULTS[step]
        return real(*arguments)

    setattr(owner, step, fail)


@pytest.mark.parametrize("step", [*FAULTS, "called off"])
def test_whatever_fails_what_counts_is_there_and_the_rest_can_be_stored(step, tmp_path, payload, all_given_back):
    """The digest of the whole is that of the file in the end, and nothing is said twice."""
    chance, content, threads = random.Random(step), payload(SIZE), WorkerThreads()
    truth = f"sha256:{hashlib.sha256(content).hexdigest()}"

    async def story(number: int) -> bool:
        buffers = Buffers()
        path = str(tmp_path / f".{number}.part")
        held = Holding(path, None, LocalDisk(), threads, algorithm="sha256", also=None, reserve_bytes=0)
        first = Attempt(held, threads, buffers, content, chance)
        has_failed = False
        with trio.CancelScope() as scope:
            if step == "called off":
                scope.deadline = trio.current_time() + chance.random() * 0.02
            else:
                failing(first, step, chance.randrange(1, COUNT))
            try:
                await first.run()
            except (DiskFull, MemoryError, OSError, Fenced):
                has_failed = True
        for name in FAULTS:
            held.__dict__.pop(name, None)
        assert held.tally.whole.at <= held.tally.at
        second = Attempt(held, threads, buffers, content, chance)
        second.vouch(held.tally.snapshot())
        await second.run()
        await held.settle()
        assert held.tally.digest == truth
        assert len({*first.said, *second.said}) == len(first.said) + len(second.said)
        assert all_given_back(buffers)
        held.close()
        return has_failed or scope.cancelled_caught

    failures = sum(trio.run(story, number) for number in range(ROUNDS))
    assert failures > ROUNDS / 10
