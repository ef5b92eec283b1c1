"""What publishing leaves is removed: soon, without holding anybody up, and whatever ends the engine meanwhile."""

from __future__ import annotations

import threading

import pytest
import trio

from lading.adapters.system import SystemClock
from lading.adapters.threads import WorkerThreads
from lading.domain.errors import StoreUnavailable
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.disk import MemoryDisk
from lading.testing.log import MemoryLog
from lading.testing.simulation import World, run
from lading.testing.threads import InlineThreads
from lading.writer import LogWriter

pytestmark = [pytest.mark.row("S2.4"), pytest.mark.law(9)]

URL = "http://a.example/f"


class HungMount(MemoryDisk):
    """A disk of which one folder does not answer until somebody says so."""

    def __init__(self) -> None:
        super().__init__()
        self.back, self.begun = threading.Event(), threading.Event()

    def storage(self, folder: str) -> str:
        if "/dead" in folder:
            self.begun.set()
            self.back.wait(20)
        return super().storage(folder)


def test_a_folder_that_does_not_answer_keeps_nobody_else_from_starting():
    """Its download waits for it, and no pass does."""

    async def story() -> None:
        world = World.make(1)
        world.disk, world.clock, world.threads = HungMount(), SystemClock(), WorkerThreads()
        world.network.serve(URL, b"x" * 100)
        async with world.engine() as engine:
            try:
                await engine.submit(Request(URL, path="dead/f"))
                with trio.fail_after(10):
                    while not world.disk.begun.is_set():
                        await trio.sleep(0.01)
                    assert (await engine.wait((await engine.submit(Request(URL))).id)).ok
            finally:
                world.disk.back.set()

    trio.run(story)


class SlowTidying(InlineThreads):
    """Threads that take five seconds to remove what is left."""

    async def run(self, work):
        if getattr(getattr(work, "func", None), "__name__", "") == "_unlink":
            await trio.sleep(5)
        return await super().run(work)


def test_idle_means_that_nothing_is_left_to_be_removed():
    """However long removing takes."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        world.threads = SlowTidying()
        async with world.engine() as engine:
            await engine.submit(Request(URL))
            await engine.wait_idle()
            assert world.disk.paths() == ["/downloads/f"]

    run(1, story)


@pytest.mark.parametrize("size", [1000, 200_000])
def test_what_is_left_is_removed_although_the_engine_is_cancelled_just_then(size, monkeypatch):
    """At the beginning of a pass, when the part has served and nobody has taken it in hand."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * size)
        async with world.engine() as engine:
            scheduler = engine._scheduler
            real = scheduler._pass

            async def pass_on(nursery: trio.Nursery) -> None:
                if scheduler._tidying.is_busy:
                    nursery.cancel_scope.cancel()
                await real(nursery)

            monkeypatch.setattr(scheduler, "_pass", pass_on)
            assert (await engine.wait((await engine.submit(Request(URL))).id)).ok
            await trio.sleep(5)
        assert world.disk.paths() == ["/downloads/f"]

    run(1, story)


def test_recovery_finds_the_parts_of_however_many_completed_just_before_the_end(monkeypatch):
    """Of 400 that were published together and of which none was tidied up."""

    async def story(world: World) -> None:
        urls = [f"http://s{number}.example/{number}" for number in range(400)]
        for url in urls:
            world.network.serve(url, b"x")
        async with world.engine(concurrency=400) as engine:
            monkeypatch.setattr(engine._scheduler._tidying, "_unlink", lambda _: None)
            asked = await engine.submit_many([Request(url) for url in urls])
            for download in asked:
                await engine.wait(download.id)
            fork = world.fork(2)
        assert len([path for path in fork.disk.paths() if path.endswith(".part")]) == 400
        async with fork.engine() as engine:
            await engine.wait_idle()
            assert [path for path in fork.disk.paths() if path.endswith(".part")] == []

    run(1, story)


@pytest.mark.law(5)
def test_a_name_that_was_given_and_not_made_durable_is_taken_back_for_the_next_attempt(monkeypatch):
    """Where the folder's flush fails, and the part's as well, the retry does not find its own file in its way."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"x" * 100)
        real, failed = world.disk.publish, []

        def publish(group):
            told = real(group)
            if not failed:
                failed.append(1)
                world.disk.broken = True
                return [OSError(5, "the folder could not be flushed") for _ in group]
            return told

        monkeypatch.setattr(world.disk, "publish", publish)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, retries=3))).id
            await trio.sleep(0.5)
            world.disk.broken = False
            outcome = await engine.wait(id)
            assert (outcome.ok, outcome.state, outcome.attempts) == (True, State.COMPLETED, 2)

    run(1, story)


def test_who_waits_for_the_log_is_answered_even_if_its_writer_is_struck_between_two_steps(monkeypatch):
    """A request that the writer has in hand is not forgotten."""

    async def story() -> None:
        writer = LogWriter(MemoryLog(), InlineThreads())

        def struck(_slots):
            monkeypatch.undo()
            raise ValueError("struck")

        monkeypatch.setattr(writer, "_gather", struck)
        told: list[type[BaseException]] = []

        async def wait() -> None:
            try:
                await writer.append([])
            except StoreUnavailable as error:
                told.append(type(error))

        async def both() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                await nursery.start(writer.run)

        with pytest.raises(ExceptionGroup):
            await both()
        assert told == [StoreUnavailable]

    trio.run(story)
