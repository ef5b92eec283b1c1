"""Following, waiting, and what an outcome tells."""

from __future__ import annotations

import hashlib

import pytest
import trio

from lading.domain import events as e
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S1.6"), pytest.mark.row("S3.1")]

URL, FINAL = "http://a.example/file.bin", "/downloads/file.bin"


def test_following_one_download_tells_each_fact_once_in_order_and_ends(tale, payload):
    """Begun before, while and after it runs; from the engine that runs it and from another."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(300_000), rate=3e3, break_after=250_000)
        told: list[list] = []

        async def follow(engine, id, after_s: float) -> None:
            await trio.sleep(after_s)
            told.append([fact async for fact in engine.follow(id)])

        async with world.engine() as owner, world.engine(owner=False) as client:
            id = (await owner.submit(Request(URL))).id
            async with trio.open_nursery() as nursery:
                for engine in (owner, client):
                    for after_s in (0, 30, 1000):
                        nursery.start_soon(follow, engine, id, after_s)
        whole = [fact for fact in tale(world.log).facts if fact.stream == id]
        assert len(told) == 6
        assert all(facts == whole for facts in told)
        assert [fact.version for fact in whole] == list(range(1, len(whole) + 1))
        assert isinstance(whole[0].event, e.Queued)
        assert isinstance(whole[-1].event, e.Completed)

    run(1, story)


def test_following_all_goes_on_until_the_caller_stops(tale, payload):
    """From a position, or from now; nothing is left out and nothing comes twice."""

    async def story(world: World) -> None:
        async with world.engine() as engine:
            await engine.submit(Request("http://a.example/before"))
            await engine.wait_idle()
            seen: dict[str, list] = {"from now": [], "from 0": [], "from 3": []}
            async with trio.open_nursery() as nursery:

                async def follow(name: str, **where) -> None:
                    async for fact in engine.follow(**where):
                        seen[name].append(fact)

                head = world.log.head()
                nursery.start_soon(lambda: follow("from now"))
                nursery.start_soon(lambda: follow("from 0", after=0))
                nursery.start_soon(lambda: follow("from 3", after=3))
                await trio.sleep(1)
                for number in range(300):
                    world.network.serve(f"http://a.example/{number}", b"x")
                await engine.submit_many([Request(f"http://a.example/{number}") for number in range(300)])
                await engine.wait_idle()
                await trio.sleep(1)
                nursery.cancel_scope.cancel()
        whole = tale(world.log).facts
        whole = [fact for fact in whole if not isinstance(fact.event, e.EngineClosed)]
        assert seen == {"from 0": whole, "from 3": whole[3:], "from now": whole[head:]}

    run(1, story)


def test_a_follower_sees_what_another_process_does(payload):
    """Within one poll."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(50_000), rate=1e3)
        async with world.engine() as owner, world.engine(owner=False, poll_s=0.5) as client:
            seen = []
            async with trio.open_nursery() as nursery:

                async def follow() -> None:
                    facts = client.follow()
                    while True:
                        seen.append((type((await anext(facts)).event), trio.current_time()))

                nursery.start_soon(follow)
                await trio.sleep(5)
                before = trio.current_time()
                await owner.submit(Request(URL))
                await trio.sleep(1)
                nursery.cancel_scope.cancel()
        assert seen[0][0] is e.Queued
        assert seen[0][1] - before <= 0.5

    run(1, story)


def test_an_outcome_tells_how_it_went(payload):
    """Path, digest, size, assurance, transport, tier, attempts, where it went on from."""

    async def story(world: World) -> None:
        data = payload(200_000)
        world.network.serve(URL, data, rate=20e3, break_after=120_000)
        async with world.engine() as engine:
            download = await engine.submit(Request(URL))
            outcome = await engine.wait(download.id)
            again = engine.outcome(await engine.get(download.id))
        assert outcome == again
        assert outcome.ok
        assert outcome.id == download.id
        assert outcome.state is State.COMPLETED
        assert outcome.path == FINAL
        assert outcome.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert outcome.size == 200_000
        assert (outcome.assurance, outcome.transport, outcome.tier) == ("length", "http", 0)
        assert (outcome.attempts, outcome.resumed_from, outcome.cached) == (2, 120_000, False)
        assert (outcome.error, outcome.cause, outcome.hint) == (None, None, None)

    run(1, story)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1", "md5", "blake2b"])
def test_a_digest_of_the_users_own_kind_is_checked_and_told(algorithm, payload):
    """In the algorithm that was asked for."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(70_000))
        digest = f"{algorithm}:{hashlib.new(algorithm, payload(70_000)).hexdigest()}"
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL, digest=digest.upper()))).id)
        assert (outcome.ok, outcome.assurance, outcome.digest) == (True, "digest", digest)

    run(1, story)


def test_waiting_ends_with_the_download_however_it_ends(payload):
    """Completed, failed, cancelled by somebody else, removed; and again at once for who comes late."""

    async def story(world: World) -> None:
        for name in ("good", "slow", "slower"):
            world.network.serve(f"http://a.example/{name}", payload(5000), rate=100 if name != "good" else None)
        async with world.engine(concurrency=9) as engine, world.engine(owner=False) as client:
            names = ("good", "missing", "slow", "slower")
            good, missing, slow, slower = await engine.submit_many([Request(f"http://a.example/{n}") for n in names])
            states = {}

            async def wait(who, download) -> None:
                states.setdefault(download.id, set()).add((await who.wait(download.id)).state)

            async with trio.open_nursery() as nursery:
                for who in (engine, client):
                    for download in (good, missing, slow, slower):
                        nursery.start_soon(wait, who, download)
                await trio.sleep(2)
                await client.cancel(slow.id)
                await client.remove(slower.id)
            assert [states[download.id] for download in (good, missing, slow, slower)] == [
                {State.COMPLETED},
                {State.FAILED},
                {State.CANCELLED},
                {State.REMOVED},
            ]
            before = trio.current_time()
            assert (await engine.wait(good.id)).ok
            assert trio.current_time() == before

    run(1, story)


def test_every_fact_says_when_and_who(tale, payload):
    """Time, actor, host; ids of events are their own."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(50_000), rate=10e3)
        async with world.engine() as engine:
            await engine.wait((await engine.submit(Request(URL))).id)
        facts = tale(world.log).facts
        assert [fact.at_ns for fact in facts] == sorted(fact.at_ns for fact in facts)
        assert len({fact.id for fact in facts}) == len(facts)
        assert {(fact.context.actor, fact.context.host) for fact in facts} == {("simulation", "simulated")}

    run(1, story)


def test_a_small_file_costs_three_events(tale, payload):
    """Queued, Started, Completed."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(60_000))
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await engine.wait(id)
        assert tale(world.log).names(id) == ["Queued", "Started", "Completed"]

    run(1, story)


def test_progress_is_a_checkpoint_and_not_a_stream(tale, payload):
    """A megabyte a second: one event in five seconds; a trickle: one a minute."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(40_000_000), rate=1e6, shared=True)
        world.network.serve("http://b.example/trickle", payload(300_000), rate=1e3)
        async with world.engine() as engine:
            fast, slow = await engine.submit_many([Request(URL), Request("http://b.example/trickle")])
            await engine.wait_idle()
        assert 7 <= len(tale(world.log).all(e.Progressed, fast.id)) <= 9
        assert 4 <= len(tale(world.log).all(e.Progressed, slow.id)) <= 6

    run(1, story)


def test_a_page_is_all_that_is_at_hand_and_none_is_the_end(tale):
    """Of one download or of all; nothing is told twice or left out."""

    async def story(world: World) -> None:
        world.network.serve(URL, b"content")
        async with world.engine() as engine:
            before = engine.follow(after=0)
            id = (await engine.submit(Request(URL))).id
            assert (await engine.wait(id)).ok
            pages = []
            follower = engine.follow(id)
            while page := await follower.page():
                pages.append(page)
            assert [fact for page in pages for fact in page] == [f for f in tale(world.log).facts if f.stream == id]
            assert len(pages) == 1
            everything = await before.page()
            assert [fact.position for fact in everything] == [f.position for f in tale(world.log).facts]
            with trio.move_on_after(5) as patience:
                await before.page()
            assert patience.cancelled_caught

    run(1, story)
