"""Who asks, asks again: what is asked while a worker is busy doing what was asked before is done as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
import trio

from lading.adapters import codec
from lading.domain import events as e
from lading.domain.errors import InvalidDestination
from lading.domain.ports import Entry
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S1.3"), pytest.mark.law(6)]

URL, FINAL = "http://a.example/file.bin", "/downloads/file.bin"


class Overtaken:
    """A log in which somebody else appends to a stream just before it takes the first request with such an event."""

    def __init__(self, inner: Any, kind: type[e.Event], other: e.Event) -> None:
        self._inner = inner
        self._kind = kind
        self._other: e.Event | None = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def append(self, requests: Sequence[Sequence[Entry]]) -> Any:
        for entry in (entry for request in requests for entry in request):
            if self._other is not None and entry.topic == self._kind.TOPIC:
                self._overtake(entry.stream, self._other)
        return self._inner.append(requests)

    def _overtake(self, stream: UUID, event: e.Event) -> None:
        last = self._inner.stream(stream)[-1]
        fact = codec.open_envelope(last)
        sealed = codec.seal(event, id=UUID(int=fact.id.int + 1), at_ns=fact.at_ns)
        self._inner.append([[Entry(stream, last.version + 1, type(event).TOPIC, sealed)]])
        self._other = None


def story_of(asked: Callable[[Any, UUID], Any], kind: type[e.Event], other: e.Event, end: State, payload):
    async def story(world: World) -> None:
        world.network.serve(URL, payload(400_000), rate=2e3)
        world.log = Overtaken(world.log, kind, other)
        async with world.engine() as engine:
            download = await engine.submit(Request(URL))
            await trio.sleep(130)
            with trio.fail_after(60):
                await asked(engine, download.id)
                while (await engine.get(download.id)).state is not end:
                    await trio.sleep(1)
                await engine.wait_idle()
        assert not [path for path in world.disk.paths() if not path.endswith(".kept")]

    return story


@pytest.mark.row("S1.5")
@pytest.mark.parametrize(
    ("other", "end"), [(e.Cancelled(), State.CANCELLED), (e.Removed(), State.REMOVED)], ids=["cancel", "remove"]
)
def test_a_cancel_that_overtakes_the_end_of_a_pause_is_heeded(other, end, payload):
    """The worker was about to say that it has paused; it discards instead, and the engine goes on."""
    run(1, story_of(lambda engine, id: engine.pause(id, wait=False), e.Stopped, other, end, payload))


class Unmakeable:
    """A disk on which no part can be made."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open_part(self, path: str, *, create: bool) -> Any:
        if create:
            raise InvalidDestination(f"{path} cannot be made")
        return self._inner.open_part(path, create=create)


@pytest.mark.row("S1.5")
@pytest.mark.parametrize(
    ("other", "end"), [(e.Paused(), State.PAUSED), (e.Cancelled(), State.CANCELLED)], ids=["pause", "cancel"]
)
def test_an_attempt_without_a_part_stops_when_asked(other, end, payload):
    """It has said `Started` and got no part; before it could say that it failed, somebody asked: it says `Stopped`."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(1000))
        world.log, world.disk = Overtaken(world.log, e.Failed, other), Unmakeable(world.disk)
        async with world.engine() as engine:
            download = await engine.submit(Request(URL))
            with trio.fail_after(60):
                await engine.wait_idle()
            assert (await engine.get(download.id)).state is end

    run(1, story)


@pytest.mark.row("S0.4", "S3.5")
@pytest.mark.law(5)
@pytest.mark.parametrize(
    ("other", "end"), [(e.Cancelled(), State.CANCELLED), (e.Removed(), State.REMOVED)], ids=["cancel", "remove"]
)
def test_a_cancel_that_overtakes_a_recovery_is_heeded(other, end, tale, telling, payload):
    """A published file was about to be said complete by the next engine; it is taken back, and nothing hangs."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(1_100_000))
        forks: list[World] = []
        world.disk = telling(world.disk, lambda told: forks.append(world.fork(1)) if told == "after publish" else None)
        async with world.engine() as engine:
            await engine.wait((await engine.submit(Request(URL))).id)
        (left,) = forks
        left.log = Overtaken(left.log, e.Completed, other)
        async with left.engine() as engine:
            with trio.fail_after(60):
                await engine.wait_idle()
        (download,) = tale(left.log).downloads()
        assert download.state is end
        assert not [path for path in left.disk.paths() if not path.endswith(".kept")]
        (recovered,) = tale(left.log).all(e.Recovered)
        assert (recovered.interrupted, recovered.published, recovered.cleaned) == (1, 0, 1)

    run(1, story)
