"""Questions that block are answered together, and nobody pays for another's."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from lading.gathering import MOST_TOGETHER, Gathering


class Held:
    """Threads of which each work waits until the test lets it go on."""

    def __init__(self) -> None:
        self.works = 0
        self.gate = trio.Event()

    async def run(self, work):
        self.works += 1
        await self.gate.wait()
        return work()


def double(questions):
    return [ValueError(question) if question < 0 else 2 * question for question in questions]


async def asking(gathering, place, question, told):
    try:
        told[place, question] = await gathering.ask(place, question)
    except ValueError as error:
        told[place, question] = error.args[0]


async def test_who_comes_while_others_are_answered_is_answered_with_all_who_came(autojump_clock):
    """The first goes alone, the rest in as few works as there may be; and one that has no answer keeps nobody else."""
    threads, told = Held(), {}
    gathering = Gathering(threads, double)
    async with trio.open_nursery() as nursery:
        for question in range(-1, 2 * MOST_TOGETHER):
            nursery.start_soon(asking, gathering, "here", question, told)
        await trio.testing.wait_all_tasks_blocked()
        threads.gate.set()
    assert threads.works == 3, "the first 64, the next 64, and one that is left"
    assert told == {("here", n): -1 if n < 0 else 2 * n for n in range(-1, 2 * MOST_TOGETHER)}


async def test_nobody_waits_for_a_place_that_does_not_answer():
    """What is asked about another place has a work of its own; and who waits in vain can still be given up before."""
    threads, told = Held(), {}
    gathering = Gathering(threads, double)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(asking, gathering, "hung", 1, told)
        await trio.testing.wait_all_tasks_blocked()
        threads.gate, gate = trio.Event(), threads.gate
        threads.gate.set()
        assert await gathering.ask("here", 2) == 4
        assert not told
        gate.set()
    assert told == {("hung", 1): 2}


async def test_a_work_that_fails_as_a_whole_is_told_to_all_who_asked():
    """And the next who ask are answered again."""

    def refuse(_):
        raise OSError("no")

    threads = Held()
    threads.gate.set()
    gathering = Gathering(threads, refuse)
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            await gathering.ask("here", 1)
