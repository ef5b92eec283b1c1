"""The crew of worker threads: everything is done, nobody is abandoned, and nobody waits behind what is stuck."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest
import trio
import trio.testing

from lading.adapters import threads
from lading.adapters.threads import CREW, CREW_OF_HANDS, WorkerThreads

LONG_S = 20.0


async def test_each_caller_gets_what_its_own_work_returned():
    """Thousands at once, each with its own answer, by no more threads than the crew has."""
    crew, seen, answers = WorkerThreads(), set(), {}

    async def ask(number: int) -> None:
        def work() -> int:
            seen.add(threading.get_ident())
            return number * number

        answers[number] = await crew.run(work)

    async with trio.open_nursery() as nursery:
        for number in range(2000):
            nursery.start_soon(ask, number)
    assert answers == {number: number * number for number in range(2000)}
    assert threading.get_ident() not in seen


async def test_what_a_work_raises_reaches_its_caller_and_nobody_else():
    """The thread goes on with other work."""
    crew = WorkerThreads()

    def fail() -> None:
        raise OSError("no such luck")

    for _ in range(2 * CREW):
        with pytest.raises(OSError, match="no such luck"):
            await crew.run(fail)
    assert await crew.run(lambda: "well") == "well"


async def test_work_that_was_begun_is_not_abandoned_by_a_cancelled_caller():
    """Whoever is cancelled waits for the end of what runs for him; whoever was cancelled before begins nothing."""
    crew, begun, go, done = WorkerThreads(), threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        go.wait(LONG_S)
        done.append("all of it")

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crew.run, work)
            while not begun.is_set():
                await trio.sleep(0.001)
            scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.sleep(0.05)
            assert not done
            go.set()
    assert done == ["all of it"]
    with trio.CancelScope() as scope:
        scope.cancel()
        await crew.run(lambda: done.append("begun"))
    assert scope.cancelled_caught
    assert done == ["all of it"]


@pytest.mark.law(9)
async def test_nobody_waits_for_long_behind_what_is_held_up():
    """When all of the crew hang in a disk that does not answer, others are called in, one after another."""
    crew, go = WorkerThreads(), threading.Event()
    async with trio.open_nursery() as nursery:
        for _ in range(3 * CREW):
            nursery.start_soon(crew.run, lambda: go.wait(LONG_S))
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(LONG_S / 2):
            assert await crew.run(lambda: "served") == "served"
        go.set()


@pytest.mark.law(9)
async def test_threads_are_bounded_and_go_when_they_are_not_needed(monkeypatch):
    """There are never more than was said, however many wait; without work they end."""
    monkeypatch.setattr(threads, "IDLE_S", 0.05)
    crew, most, running, peak = WorkerThreads(most=CREW + 2), CREW + 2, [], []

    def work() -> None:
        running.append(1)
        peak.append(len(running))
        time.sleep(0.02)
        running.pop()

    async with trio.open_nursery() as nursery:
        for _ in range(40):
            nursery.start_soon(crew.run, work)
    assert CREW <= max(peak) <= most
    with trio.fail_after(LONG_S):
        while crew._threads:
            await trio.sleep(0.01)
    assert not crew._idle
    assert await crew.run(lambda: "awake again") == "awake again"


async def test_work_and_idleness_may_meet_at_any_moment(monkeypatch):
    """A thread that is about to leave when work comes does it, or lets another: nothing is lost between the two."""
    monkeypatch.setattr(threads, "IDLE_S", 0.001)
    crew = WorkerThreads()
    with trio.fail_after(LONG_S):
        for number in range(300):
            assert await crew.run(lambda number=number: number) == number
            await trio.sleep(0.0008 + number % 5 * 0.0002)


@pytest.mark.law(2)
async def test_a_hand_does_one_work_after_the_other_whatever_becomes_of_each():
    """In the order in which they were begun, never two at once, beside those of other hands."""
    crew, logs = WorkerThreads(), [[] for _ in range(5)]
    busy = [threading.Lock() for _ in logs]

    def work(hand: int, number: int) -> int:
        assert busy[hand].acquire(blocking=False), "two works of one hand at once"
        logs[hand].append(number)
        time.sleep(0.0001 * (number % 3))  # works of unlike length, so that hands come to overlap in every way
        busy[hand].release()
        if number % 7 == 3:
            raise OSError(f"{number}")
        return number

    async def use(index: int) -> None:
        hand = crew.hand()
        begun = [hand.begin(lambda number=number: work(index, number)) for number in range(100)]
        for number, each in enumerate(begun):
            if number % 7 == 3:
                with pytest.raises(OSError, match=f"^{number}$"):
                    await each.result()
            elif number % 2:
                assert await each.result() == number

    async with trio.open_nursery() as nursery:
        for index in range(len(logs)):
            nursery.start_soon(use, index)
    assert logs == [list(range(100))] * len(logs)


async def test_what_a_hand_has_done_long_ago_is_told_whenever_it_is_asked_for():
    """Nobody has to wait for a work that was begun; the hand goes on to the next by itself."""
    crew, done = WorkerThreads(), []
    hand = crew.hand()
    begun = [hand.begin(lambda number=number: done.append(number) or number) for number in range(50)]
    with trio.fail_after(LONG_S):
        while len(done) < 50:
            await trio.sleep(0.001)
    assert [await each.result() for each in reversed(begun)] == list(reversed(range(50)))


@pytest.mark.law(2)
async def test_a_work_may_begin_works_of_other_hands_which_come_after_it():
    """In the order in which they were begun, also where all of the crew are held up."""
    crew, first, then, go = WorkerThreads(), [], [], threading.Event()
    writer, piecer = crew.hand(), crew.hand()

    def follow(number: int) -> None:
        assert number in first
        then.append(number)

    def lead(number: int):
        time.sleep(0.0001 * (number % 3))  # works of unlike length, so that the hands come to overlap in every way
        first.append(number)
        return piecer.begin(lambda: follow(number))

    with trio.fail_after(LONG_S):
        for _ in range(2):
            del first[:], then[:]
            for begun in [writer.begin(lambda number=number: lead(number)) for number in range(300)]:
                await (await begun.result()).result()
            assert first == then == list(range(300))
            stuck = [crew.hand().begin(lambda: go.wait(LONG_S)) for _ in range(CREW_OF_HANDS)]
        go.set()
        for each in stuck:
            await each.result()


@pytest.mark.law(9)
@pytest.mark.parametrize("which_hangs", ["what it began before", "the work itself"])
async def test_what_a_work_has_begun_waits_behind_nothing_that_hangs(which_hangs):
    """Neither behind that work, nor where the thread that should do it takes up something else."""
    crew, go, done = WorkerThreads(), threading.Event(), threading.Event()
    hands = [crew.hand() for _ in range(3)]

    def begin_two() -> None:
        if which_hangs == "what it began before":
            hands[0].begin(lambda: go.wait(LONG_S))
        hands[1].begin(done.set)
        if which_hangs == "the work itself":
            go.wait(LONG_S)

    stuck = [crew.hand().begin(lambda: go.wait(LONG_S)) for _ in range(CREW_OF_HANDS - 1)]
    hands[2].begin(begin_two)
    with trio.fail_after(LONG_S / 2):
        while not done.is_set():
            await trio.sleep(0.001)
    go.set()
    for each in stuck:
        await each.result()


@pytest.mark.parametrize("of_hands", [False, True])
async def test_for_hands_one_thread_more_is_called_in_at_once(of_hands, monkeypatch):
    """One of them waits for the disk most of the time; short works would only be in each other's way."""
    monkeypatch.setattr(threads, "PATIENCE_S", LONG_S)
    crew, go, under_way = WorkerThreads(), threading.Event(), []

    def work() -> None:
        under_way.append(threading.get_ident())
        assert go.wait(LONG_S)

    async with trio.open_nursery() as nursery:
        for _ in range(CREW_OF_HANDS + 1):
            nursery.start_soon(crew.hand().begin(work).result if of_hands else partial(crew.run, work))
        most = CREW_OF_HANDS if of_hands else CREW
        with trio.fail_after(LONG_S / 2):
            while len(under_way) < most:
                await trio.sleep(0.001)
        await trio.sleep(0.05)  # long enough for one more thread to begin, if it had been called in
        assert len(set(under_way)) == most
        go.set()


@pytest.mark.law(9)
async def test_nobody_waits_for_all_that_a_hand_has_still_to_do():
    """Between two works of a hand, others get their turn; and a hand that hangs holds up no other."""
    crew, order, go = WorkerThreads(), [], threading.Event()

    def work() -> None:
        time.sleep(0.002)  # two hands have then 0.4 s to do, in which the other must get its turn
        order.append("hand")

    hands = [crew.hand() for _ in range(CREW)]
    with trio.fail_after(LONG_S):
        async with trio.open_nursery() as nursery:
            for hand in hands:
                last = [hand.begin(work) for _ in range(200)][-1]
                nursery.start_soon(last.result)
            await crew.run(lambda: order.append("other"))
        assert order.index("other") < 100
        stuck = [hand.begin(lambda: go.wait(LONG_S)) for hand in hands]
        assert await crew.hand().begin(lambda: "served").result() == "served"
        go.set()
        for each in stuck:
            await each.result()


@pytest.mark.law(9)
async def test_where_the_system_has_no_thread_to_give_work_waits_until_it_has(monkeypatch):
    """What was refused does not count, however often."""
    crew, refused, start = WorkerThreads(most=CREW), [], threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "lading worker" and len(refused) < 3 * CREW:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with trio.fail_after(LONG_S):
        assert await crew.run(lambda: "done") == "done"
        assert await crew.hand().begin(lambda: "done as well").result() == "done as well"
    assert len(refused) == 3 * CREW


def test_what_an_event_loop_did_not_hear_of_keeps_the_next_one_from_hearing_of_nothing():
    """A loop may end between the end of a work and its being told, when nobody waits for it any more."""
    crew = WorkerThreads()

    async def leave() -> threads._Job[int]:
        return threads._Job(lambda: 1, trio.lowlevel.current_trio_token())

    job = trio.run(leave)
    job.task = object()
    crew._tell(job)
    assert not crew._is_told

    def work() -> str:
        time.sleep(0.02)  # else it is done before anybody waits for it, and nobody need be told
        return "told"

    assert trio.run(crew.run, work) == "told"
