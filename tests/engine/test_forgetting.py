"""Forgetting: the intent is logged first, holds at once, and is carried out by whoever owns the home, now or later."""

from __future__ import annotations

import pytest
import trio

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.errors import IllegalCommand, StoreUnavailable
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.law(7)]

URL, NEW = "http://a.example/file.bin?token=first-one", "http://a.example/file.bin?token=second-one"
PLAIN = "http://a.example/plain.bin"


def test_what_runs_by_its_secrets_has_stopped_before_they_are_shredded(payload, tale):
    """It rests, keeps its bytes, and asks for a URL when it is let go on; with one it goes on from there."""

    async def story(world: World) -> None:
        content = payload(200_000)
        world.network.serve(URL, content, rate=2e3)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(70)
            assert (await engine.get(id)).state is State.ACTIVE
            (left,) = await engine.forget(id)
            assert (left.state, left.forgotten, left.shredding) == (State.PAUSED, True, False)
            assert left.received > 0
            assert world.vault.recall(id) is None
            asked = len(world.network.calls)
            await engine.resume(id)
            await engine.wait_idle()
            stuck = await engine.get(id)
            assert (stuck.state, stuck.blocked, stuck.stuck) == (State.WAITING, "secret", True)
            assert len(world.network.calls) == asked
            world.network.serve(NEW, content)
            await engine.refresh_url(id, NEW)
            outcome = await engine.wait(id)
            assert (outcome.ok, outcome.resumed_from) == (True, left.received)
        names = tale(world.log).names(id)
        order = [names.index(name) for name in ("Forgotten", "Paused", "Stopped", "KeyShredded")]
        assert order == sorted(order)
        assert names.count("Forgotten") == 1

    run(1, story)


def test_what_is_queued_is_blocked_at_once_and_what_has_no_secret_goes_on(payload):
    """Of a download without secrets nothing is to be forgotten, and it is not stopped for that."""

    async def story(world: World) -> None:
        world.network.serve(PLAIN, payload(20_000))
        async with world.engine(start=False) as engine:
            secret, plain = await engine.submit_many([Request(URL), Request(PLAIN)])
            done = await engine.forget(secret.id, plain.id)
            assert [(d.state, d.blocked) for d in done] == [(State.WAITING, "secret"), (State.QUEUED, None)]
            assert [d.shredding for d in done] == [False, False]
            version = done[0].version
            assert (await engine.forget(secret.id))[0].version == version, "twice is once"
        async with world.engine() as engine:
            assert (await engine.wait(plain.id)).ok
            await engine.wait_idle()
        assert [call.url for call in world.network.calls] == [PLAIN]

    run(2, story)


def test_a_forget_that_was_cut_off_is_carried_out_by_the_next_engine(payload):
    """The intent holds at once, also for an engine that could have had the secrets still."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(20_000))
        async with world.engine(owner=False) as client:
            id = (await client.submit(Request(URL))).id
            (left,) = await client.forget(id, wait=False)
            assert (left.forgotten, left.shredding) == (True, True)
            await client.resume(id)
        assert world.vault.recall(id) is not None
        async with world.engine() as engine:
            await engine.wait_idle()
            found = await engine.get(id)
            assert (found.state, found.blocked, found.shredding) == (State.WAITING, "secret", False)
        assert world.vault.recall(id) is None
        assert world.network.calls == []

    run(3, story)


def test_what_cannot_be_shredded_now_is_tried_again(payload, monkeypatch):
    """A vault that is locked or has no room keeps nobody from anything else; nothing is said before it is done."""

    async def story(world: World) -> None:
        forget, failures = world.vault.forget, [StoreUnavailable("locked"), OSError("gone")]

        def forgetting(ids):
            if failures:
                raise failures.pop()
            forget(ids)

        monkeypatch.setattr(world.vault, "forget", forgetting)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            (left,) = await engine.forget(id)
            assert left.shredding
            assert world.vault.recall(id) is not None
            for url in (URL, PLAIN):
                world.network.serve(url, payload(2_000))
            await engine.resume(id)
            assert (await engine.wait((await engine.submit(Request(PLAIN))).id)).ok
            await engine.wait_idle()
            assert (await engine.get(id)).blocked == "secret", "the vault has it still, and no attempt may"
            assert [call.url for call in world.network.calls] == [PLAIN]
            await trio.sleep(200)
            assert not (await engine.get(id)).shredding
            assert world.vault.recall(id) is None

    run(4, story)


def test_the_cache_forgets_what_was_fetched_by_a_secret(payload):
    """The content with the keys made of the secret; the published file stays, and another URL is asked in full."""

    async def story(world: World) -> None:
        content = payload(2 * 1024**2)
        for url in (URL, PLAIN):
            world.network.serve(url, content, etag='"one"')
        async with world.engine(cache="on") as engine:
            first, other = await engine.submit_many([Request(URL, path="a"), Request(PLAIN, path="b", priority=-1)])
            assert (await engine.wait(first.id)).ok
            assert (await engine.wait(other.id)).ok
            await engine.wait_idle()
            await trio.sleep(1)
            assert (await engine.caching.weigh()).blobs == 1
            await engine.forget(first.id)
            assert (await engine.caching.weigh()).blobs == 0
            again = await engine.submit(Request(URL, path="c"))
            assert not (await engine.wait(again.id)).cached

    run(5, story)


def test_a_forget_cannot_be_undone_and_says_so():
    """Nothing older is undone for it, unless it is let stand."""

    async def story(world: World) -> None:
        async with world.engine(start=False) as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.forget(id)
            with pytest.raises(IllegalCommand, match="cannot be undone") as caught:
                await engine.undo()
            assert "refresh-url" in caught.value.hint
            assert (await engine.undo(skip=True)).kind == "Forgotten"
            assert (await engine.undo()).kind == "Queued"

    run(6, story)


def test_a_refresh_that_is_refused_brings_nothing_back(payload, monkeypatch):
    """Somebody forgets between its look at the vault and its word to the log: the vault stays empty."""

    async def story(world: World) -> None:
        async with world.engine(start=False) as engine:
            id = (await engine.submit(Request(URL))).id
            execute = engine._s.journal.execute

            async def late(stream, *commands, **more):
                if isinstance(commands[0], c.ReplaceSource):
                    monkeypatch.undo()
                    world.vault.forget([id])
                    raise IllegalCommand("refused")
                return await execute(stream, *commands, **more)

            monkeypatch.setattr(engine._s.journal, "execute", late)
            with pytest.raises(IllegalCommand, match="refused"):
                await engine.refresh_url(id, NEW)
            assert world.vault.recall(id) is None

    run(7, story)


def test_the_files_of_a_forgotten_download_stay(payload):
    """What was published is content."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(20_000))
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, path="kept"))).id
            outcome = await engine.wait(id)
            (left,) = await engine.forget(id)
            assert (left.state, left.forgotten) == (State.COMPLETED, True)
            assert world.disk.durable(outcome.path) == payload(20_000)

    run(8, story)


@pytest.mark.law(8)
def test_the_same_seed_forgets_in_the_same_way(payload):
    """Event for event."""

    async def story(world: World) -> str:
        world.network.serve(URL, payload(50_000), rate=2e3)
        async with world.engine() as engine:
            ids = [d.id for d in await engine.submit_many([Request(URL, path=str(n)) for n in range(4)])]
            await trio.sleep(5)
            await engine.forget(*ids)
        return world.fingerprint()

    assert run(9, story) == run(9, story)
    assert e.Forgotten.TOPIC == "lading.forgotten.v1"
