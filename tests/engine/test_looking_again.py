"""When the scheduler looks again: whenever what should run may have changed, and not each time the log has grown."""

from __future__ import annotations

import pytest
import trio

from lading.domain import events as e
from lading.domain import scheduling
from lading.domain.requests import Request
from lading.scheduler import Scheduler
from lading.testing.simulation import World, run

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


def test_how_far_something_has_come_lets_nobody_look_again(looks):
    """Checkpoints of one download, and no look; when it has ended, one that has seen that."""

    async def story(world: World) -> tuple[int, list[type]]:
        world.network.serve(URL, bytes(256 * MIB), rate=16 * MIB, etag='"1"')
        async with world.engine(poll_s=0.2) as engine:
            download = await engine.submit(Request(URL, connections=1))
            await trio.sleep(1)
            looks.clear()
            await trio.sleep(12)
            during = len(looks)
            facts = [type(fact.event) for fact in engine.reading.facts()]
            await engine.wait(download.id)
            await trio.sleep(1)
            assert looks[-1] >= world.log.head() - 1
            return during, facts

    during, facts = run(3, story)
    assert facts.count(e.Progressed) >= 3
    assert during == 0


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
