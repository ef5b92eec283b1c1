"""Control verbs at every step of a transfer, from its own engine and from another process: what they promise holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import events as e
from lading.domain.download import Download
from lading.domain.errors import IllegalCommand, UnknownDownload
from lading.domain.requests import Request
from lading.domain.states import State
from lading.engine import Engine
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S1.3"), pytest.mark.row("S1.5")]

URL, FINAL = "http://a.example/file.bin", "/downloads/file.bin"
STEPS_MOST = 60
Verb = Callable[["Scene"], Awaitable[None]]


class Scene:
    """A download, the engine that runs it, the one that speaks to it, and what happened on the disk."""

    def __init__(self, world: World, owner: Engine, speaker: Engine, download: Download, content: bytes) -> None:
        self.world, self.owner, self.speaker = world, owner, speaker
        self.download, self.content = download, content
        self.id = download.id
        self.steps: list[str] = []

    def paths(self) -> list[str]:
        """Every name on the disk but those of what is kept for a while."""
        return [path for path in self.world.disk.paths() if not path.endswith(".kept")]

    def touched(self) -> list[str]:
        return [
            step for step in self.steps if step.split()[1] in {"open_part", "write", "publish", "unlink", "set_aside"}
        ]

    async def state(self) -> Download:
        return await self.owner.get(self.id)

    async def rests(self) -> None:
        """See that nothing is written, while every timer that there is goes off."""
        touched = self.touched()
        await trio.sleep(65)
        assert self.touched() == touched

    async def completes(self) -> None:
        outcome = await self.owner.wait(self.id)
        assert outcome.ok
        assert self.world.disk.durable(FINAL) == self.content
        await trio.sleep(1)
        assert self.paths() == [FINAL]


def test_a_client_does_not_wait_for_an_engine_that_is_not_there(payload):
    """Who pauses or cancels what a dead engine had under way is told how it stands; recovery does the rest."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(400_000), rate=20e3)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(2)
            killed = world.fork(2)
        async with killed.engine(owner=False) as client:
            with trio.fail_after(10):
                assert [d.state for d in await client.pause(id)] == [State.PAUSING]
                assert [d.state for d in await client.cancel(id)] == [State.CANCELLING]
        async with killed.engine() as engine:
            assert (await engine.get(id)).state is State.CANCELLED

    run(1, story)


def at_step(number: int, verb: Verb, content: bytes, telling, *, by_client: bool) -> bool:
    """Do `verb` after step `number` of a transfer, and tell whether there was such a step."""

    async def story(world: World) -> bool:
        world.network.serve(URL, content, rate=2.5e3, break_after=110_000)
        reached, scene = trio.Event(), None

        def tell(step: str) -> None:
            if scene is not None:
                scene.steps.append(step)
                if len(scene.steps) > number:
                    reached.set()

        world.log, world.disk = telling(world.log, tell), telling(world.disk, tell)
        async with world.engine() as owner, world.engine(owner=False) as client:
            assert (owner.role, client.role) == ("owner", "client")
            download = await owner.submit(Request(URL))
            scene = Scene(world, owner, client if by_client else owner, download, content)
            with trio.move_on_after(500) as scope:
                await reached.wait()
            if not scope.cancelled_caught:
                await verb(scene)
            return not scope.cancelled_caught

    return run(number, story)


async def cancel(scene: Scene) -> None:
    try:
        (left,) = await scene.speaker.cancel(scene.id)
    except IllegalCommand:
        return await scene.completes()
    assert left.state is State.CANCELLED
    if scene.speaker is scene.owner:
        assert scene.paths() == []
        await scene.rests()
    else:
        assert FINAL not in scene.paths()
        await trio.sleep(5)
        assert scene.paths() == []
        await scene.rests()
    assert not (await scene.state()).litter
    return None


async def cancel_and_retry(scene: Scene) -> None:
    with suppress(IllegalCommand):
        await scene.speaker.cancel(scene.id)
        await trio.sleep(5)
        await scene.speaker.retry(scene.id)
    await scene.completes()


async def pause(scene: Scene) -> None:
    try:
        (left,) = await scene.speaker.pause(scene.id)
    except IllegalCommand:
        return await scene.completes()
    if left.state is State.COMPLETED:
        return await scene.completes()
    assert left.state is State.PAUSED
    await scene.rests()
    held = scene.world.disk.durable(f"/downloads/{left.part}") if left.part else b""
    assert (held or b"")[: left.received] == scene.content[: left.received]
    await scene.speaker.resume(scene.id)
    await scene.completes()
    facts = [fact.event async for fact in scene.owner.follow(scene.id)]
    paused = next(number for number, event in enumerate(facts) if isinstance(event, e.Paused))
    again = next((event for event in facts[paused:] if isinstance(event, e.Started)), None)
    assert again is not None
    assert again.resumed_from == left.received
    return None


async def remove(scene: Scene) -> None:
    (left,) = await scene.speaker.remove(scene.id)
    assert left.state is State.REMOVED
    await trio.sleep(5)
    completed = (await scene.state()).assurance is not None
    assert scene.paths() == ([FINAL] if completed else [])
    await scene.rests()
    assert await scene.owner.listing() == []


async def remove_with_files(scene: Scene) -> None:
    await scene.speaker.remove(scene.id, files=True)
    await trio.sleep(5)
    assert scene.paths() == []
    await scene.rests()


async def prioritise(scene: Scene) -> None:
    with suppress(IllegalCommand):
        (left,) = await scene.speaker.prioritise(7, scene.id)
        assert left.priority == 7
        assert (await scene.state()).priority == 7
    await scene.completes()
    assert (await scene.state()).attempt <= 2


async def retry(scene: Scene) -> None:
    with suppress(IllegalCommand):
        await scene.speaker.retry(scene.id)
    await scene.completes()


async def pause_without_waiting_then_resume(scene: Scene) -> None:
    with suppress(IllegalCommand):
        await scene.speaker.pause(scene.id, wait=False)
        while (await scene.state()).state is State.PAUSING:
            await trio.sleep(0.1)
        await scene.speaker.resume(scene.id)
    await scene.completes()


async def pause_then_cancel(scene: Scene) -> None:
    try:
        await scene.speaker.pause(scene.id, wait=False)
        (left,) = await scene.owner.cancel(scene.id)
    except IllegalCommand:
        return await scene.completes()
    assert left.state is State.CANCELLED
    assert scene.paths() == []
    await scene.rests()
    return None


VERBS = [
    cancel,
    cancel_and_retry,
    pause,
    pause_then_cancel,
    pause_without_waiting_then_resume,
    prioritise,
    remove,
    remove_with_files,
    retry,
]


@pytest.mark.parametrize("by_client", [False, True], ids=["owner", "client"])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("stride", [3, pytest.param(1, marks=pytest.mark.long)])
def test_a_verb_holds_its_promise_at_every_step(stride, verb, by_client, payload, telling):
    """Before the start, between any two writes, while publishing, after the end; each third of them by default."""
    content = payload(200_000)
    steps = len(verb.__name__) % stride  # not the same ones for all verbs
    while at_step(steps, verb, content, telling, by_client=by_client):
        steps += stride
        assert steps < STEPS_MOST
    assert steps > 20


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 999),
    acts=st.lists(
        st.tuples(
            st.floats(0, 15),
            st.sampled_from(["pause", "resume", "cancel", "retry", "remove", "prioritise"]),
            st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True),
            st.booleans(),
        ),
        max_size=14,
    ),
)
def test_any_sequence_of_verbs_leaves_every_download_whole_or_gone(seed, acts, payload, unlawful):
    """Whoever gives them, in whatever order; in the end, what was not given up completes."""
    urls = [f"http://{host}.example/{host}.bin" for host in "abcd"]

    async def story(world: World) -> None:
        truth = {url: payload(60_000, number) for number, url in enumerate(urls)}
        for number, url in enumerate(urls):
            world.network.serve(url, truth[url], rate=1.1e3 * (number + 1), break_after=50_000 if number % 2 else None)
        async with world.engine() as owner, world.engine(owner=False) as client:
            ids = [d.id for d in await owner.submit_many([Request(url) for url in urls])]
            for seconds, verb, chosen, by_client in acts:
                await trio.sleep(seconds)
                who = client if by_client else owner
                targets = [ids[number] for number in chosen]
                with suppress(IllegalCommand):
                    if verb == "prioritise":
                        await who.prioritise(len(chosen), *targets)
                    else:
                        await getattr(who, verb)(*targets)
                assert unlawful(world, truth) == []
            for id in ids:
                with suppress(IllegalCommand):
                    await owner.resume(id)
            await owner.wait_idle()
            ends = {State.COMPLETED, State.CANCELLED, State.REMOVED}
            assert {(await owner.get(id)).state for id in ids} <= ends
            whole = [
                f"/downloads/{url[7]}.bin"
                for url, id in zip(urls, ids, strict=True)
                if (await owner.get(id)).assurance is not None
            ]
            assert [path for path in world.disk.paths() if not path.endswith(".kept")] == whole
        assert unlawful(world, truth) == []

    run(seed, story)


def test_a_verb_that_changes_nothing_records_nothing(tale, payload):
    """Pausing what is paused, resuming what runs, giving the priority that it has."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(50_000), rate=1e3)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(1)
            await engine.resume(id)
            await engine.prioritise(0, id)
            await engine.retry(id)
            await engine.pause(id)
            head = world.log.head()
            await engine.pause(id)
            assert world.log.head() == head
            await engine.cancel(id)
            head = world.log.head()
            await engine.cancel(id)
            assert world.log.head() == head

    run(1, story)


def test_what_cannot_be_done_is_refused_with_what_can(tale, payload):
    """The rest of a list is done all the same; the first refusal is raised at the end."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000))
        async with world.engine() as engine:
            one, two = await engine.submit_many([Request(URL), Request("http://a.example/none")])
            await engine.wait_idle()
            for verb in (engine.pause, engine.resume, engine.cancel, engine.retry):
                with pytest.raises(IllegalCommand) as caught:
                    await verb(one.id)
                assert caught.value.hint
                assert "completed" in str(caught.value)
            world.network.serve("http://a.example/none", payload(10))
            unknown = world.chance.uuid(0)
            for ids in ((unknown, one.id, two.id), (one.id, unknown, two.id)):
                with pytest.raises(UnknownDownload if ids[0] == unknown else IllegalCommand) as caught:
                    await engine.retry(*ids)
                assert caught.value.hint
            assert (await engine.wait(two.id)).ok

    run(1, story)


def test_one_act_on_many_downloads_shares_one_correlation(tale, payload):
    """By which it can be undone as one."""

    async def story(world: World) -> None:
        async with world.engine() as engine:
            ids = [d.id for d in await engine.submit_many([Request(f"http://a.example/{n}") for n in range(4)])]
            await engine.pause(*ids[:2])
            await engine.pause(*ids[2:])
        acts = {}
        for fact in tale(world.log).facts:
            if isinstance(fact.event, e.Paused):
                acts[fact.stream] = fact.context.correlation
                assert fact.context.actor == "simulation"
        assert acts[ids[0]] == acts[ids[1]] != acts[ids[2]] == acts[ids[3]]
        assert None not in acts.values()

    run(1, story)
