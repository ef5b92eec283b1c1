"""When the scheduler looks again: whenever what should run may have changed, and not each time the log has grown."""

from __future__ import annotations

import pytest
import trio

from lading import scheduler
from lading.bundling import AGAIN_S, Bundling
from lading.domain import events as e
from lading.domain import scheduling
from lading.domain.bundle_requests import BundleRequest
from lading.domain.requests import Request
from lading.scheduler import Scheduler
from lading.taking import Taking
from lading.testing.simulation import World, run
from lading.testing.threads import InlineThreads

URL = "http://a.example/file"
MIB = 1024 * 1024
EVERY_TOPIC = frozenset(kind.TOPIC for kind in vars(e).values() if hasattr(kind, "TOPIC"))


@pytest.fixture
def looks(monkeypatch):
    """Where the log stood at each look of a scheduler."""
    noted: list[int] = []
    look = Scheduler._look

    def noting(self, *beside):
        noted.append(self._reading.log.head())
        return look(self, *beside)

    monkeypatch.setattr(Scheduler, "_look", noting)
    return noted


def test_how_far_something_has_come_hurries_nobody(looks):
    """However many checkpoints there are, there is a look a second at the most; and one as soon as something ends."""

    async def story(world: World) -> tuple[int, list[float]]:
        for number in range(40):
            world.network.serve(f"{URL}/{number}", bytes(24 * MIB), rate=MIB, etag='"1"')
        async with world.engine(concurrency=40, poll_s=0.2) as engine:
            downloads = await engine.submit_many([Request(f"{URL}/{n}", connections=1) for n in range(40)])
            await trio.sleep(1)
            before = len(looks)
            await trio.sleep(20)
            during = len(looks) - before
            events = sum(isinstance(fact.event, e.Progressed) for fact in engine.reading.facts())
            await engine.wait(downloads[0].id)
            await trio.sleep(0.05)
            assert looks[-1] >= world.log.head() - 1
            return events, during

    events, during = run(3, story)
    assert events > 100
    assert during <= 22


class LateAnswer(InlineThreads):
    """Threads that come back late, once, from writing the log: what they have written can be read before."""

    late_s = 0.0

    async def run(self, work):
        done = await super().run(work)
        late_s = self.late_s if "LogWriter" in getattr(work, "__qualname__", "") else 0.0
        if late_s:
            self.late_s = 0.0
            with trio.CancelScope(shield=True):
                await trio.sleep(late_s)
        return done


@pytest.mark.law(10)
@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_what_is_asked_before_the_engine_knows_that_it_has_started_is_done(verb):
    """The log has `Started` and the other's word, and the attempt has no number yet."""

    async def story(world: World) -> float:
        world.network.serve(URL, bytes(512 * MIB), rate=10_000, etag='"1"')
        async with world.engine(owner=False, poll_s=60) as other:
            world.threads = LateAnswer()
            async with world.engine(poll_s=0.05):
                await trio.sleep(1)
                download = await other.submit(Request(URL, connections=1))
                world.threads.late_s = 0.3
                while world.log.stream(download.id)[-1].topic != e.Started.TOPIC:
                    await trio.sleep(0.001)
                began_s = trio.current_time()
                await getattr(other, verb)(download.id, wait=False)
                with trio.fail_after(50):
                    while (await other.get(download.id)).state.shown not in {"paused", "cancelled"}:
                        await trio.sleep(0.05)
                return trio.current_time() - began_s

    assert run(3, story) < 3


@pytest.mark.law(10)
def test_a_limit_that_comes_while_a_part_is_checked_holds_within_a_moment_of_the_first_bytes(monkeypatch):
    """There is nothing to be limited before."""
    check = Taking.check

    async def slow(self, held) -> None:
        await trio.sleep(3)
        await check(self, held)

    async def story(world: World) -> int:
        world.network.serve(URL, bytes(512 * MIB), rate=4 * MIB, etag='"1"')
        async with world.engine(poll_s=0.05) as owner, world.engine(owner=False, poll_s=0.05) as other:
            download = await owner.submit(Request(URL, connections=1))
            await trio.sleep(20)
            await owner.pause(download.id)
            monkeypatch.setattr(Taking, "check", slow)
            await other.resume(download.id)
            await trio.sleep(1)
            await other.limit(100_000, download.id)
            before = (await other.get(download.id)).received
            await trio.sleep(30)
            return (await owner.listing())[0]["received"] - before

    assert run(3, story) < 4 * 4 * MIB


@pytest.mark.law(10)
@pytest.mark.parametrize("own", [0, 1, 3])
def test_what_another_process_appends_among_our_own_is_heard_of(own, monkeypatch):
    """Although the log ends with what this engine appended itself, of which nothing followed: a pause is obeyed."""

    async def story(world: World) -> float:
        world.network.serve(URL, bytes(512 * MIB), rate=MIB, etag='"1"')
        async with world.engine(poll_s=0.5) as owner, world.engine(owner=False, poll_s=60) as other:
            download = await owner.submit(Request(URL, connections=1))
            await trio.sleep(3.1)
            monkeypatch.setattr(scheduling, "OF_NO_CONSEQUENCE", EVERY_TOPIC)
            await other.pause(download.id, wait=False)
            for _ in range(own):
                opened = e.EngineOpened(worker=owner.worker, version="again")
                await owner._s.journal.note(owner.worker, opened, context=owner._s.context)
            began_s = trio.current_time()
            with trio.fail_after(30):
                while (await other.listing())[0]["state"] != "paused":
                    await trio.sleep(0.05)
            return trio.current_time() - began_s

    assert run(3, story) <= 1.0


@pytest.mark.row("S2.12")
@pytest.mark.law(9)
def test_many_who_wait_for_one_hold_up_nobody_who_waits_for_another(monkeypatch):
    """However many may not go on yet, who may is found behind them."""
    monkeypatch.setattr(scheduler, "MOST_A_PASS", 4)

    async def story(world: World) -> float:
        for name, size in (("slow", 200 * MIB), ("fast", 20 * MIB)):
            world.network.serve(f"http://a.example/{name}", bytes(size), rate=MIB, etag=f'"{name}"')
        async with world.engine(cache="on", cache_bytes=10**10, concurrency=40) as engine:

            async def ask(name: str, path: str):
                download = await engine.submit(Request(f"http://a.example/{name}", connections=1, path=path))
                await trio.sleep(1)
                return download

            await ask("slow", "ahead")
            ahead = await ask("fast", "fast")
            for number in range(6):
                await ask("slow", f"behind-{number}")
            waiting = await ask("fast", "waiting")
            await engine.wait(ahead.id)
            began_s = trio.current_time()
            await engine.wait(waiting.id)
            return trio.current_time() - began_s

    assert run(3, story) < 5


def test_what_could_not_be_done_is_tried_again_when_its_time_has_come(monkeypatch):
    """Although nothing else happens: a bundle that could not be made visible."""
    settle, tried = Bundling.settle, []

    async def once(self, id):
        tried.append(trio.current_time())
        return len(tried) > 1 and await settle(self, id)

    async def story(world: World) -> None:
        for number in range(2):
            world.network.serve(f"{URL}/{number}", b"x")
        monkeypatch.setattr(Bundling, "settle", once)
        async with world.engine() as engine:
            requests = tuple(Request(f"{URL}/{number}") for number in range(2))
            bundle = await engine.submit_bundle(BundleRequest(name="b", policy="all_or_nothing", requests=requests))
            await engine.wait_bundle(bundle.id)

    run(3, story)
    assert len(tried) == 2
    assert tried[1] - tried[0] == pytest.approx(AGAIN_S, abs=1)
