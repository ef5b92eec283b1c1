"""What people see is the same before and after a restart, and after the views were dropped: the log is the memory."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import events as e
from lading.domain.requests import Request
from lading.engine import Engine
from lading.testing.simulation import World, run

pytestmark = [
    pytest.mark.law(3),
    pytest.mark.row("S0.1"),
    pytest.mark.row("S0.5"),
    pytest.mark.row("C.1"),
    pytest.mark.row("C.2"),
    pytest.mark.row("C.3"),
]

URLS = [f"http://{host}.example/{host}.bin" for host in "abcde"]
HISTORY = {
    "id",
    "url",
    "tags",
    "started_at",
    "ended_at",
    "bytes",
    "success",
    "error",
    "digest",
    "assurance",
    "path",
    "transport",
    "attempts",
}


def serve(world: World, payload) -> None:
    for number, url in enumerate(URLS):
        world.network.serve(url, payload(70_000 * (number + 1), number), rate=1.5e3 * (number + 1))
    world.network.files[URLS[1]].break_after = 60_000
    world.network.files[URLS[3]].status = 404


async def live(world: World) -> None:
    """Ask for all, change some, until the end."""
    async with world.engine(concurrency=2) as engine:
        ids = [d.id for d in await engine.submit_many([Request(url, tags=("all", url[7])) for url in URLS])]
        await trio.sleep(20)
        await engine.prioritise(4, ids[4])
        await engine.pause(ids[0])
        await trio.sleep(20)
        await engine.resume(ids[0])
        await engine.cancel(ids[2])
        await engine.wait_idle()
        await trio.sleep(1000)


async def seen(engine: Engine) -> dict[str, object]:
    """Everything that can be asked."""
    listing = await engine.listing()
    reading = engine.reading
    return {
        "listing": listing,
        "by tag": await engine.listing(tag="b"),
        "removed": await engine.listing(state="removed"),
        "history": reading.history(),
        "latest": reading.history(limit=2),
        "history of a tag": reading.history(tag="c"),
        "history of a URL": reading.history(url=URLS[3]),
        "progress": await engine.progress(),
        "counts": reading.counts(),
    }


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99), moment=st.floats(0, 400))
def test_it_is_the_same_after_a_kill_at_any_moment(seed, moment, payload):
    """Another process sees exactly what it would see if the engine had been killed just then."""

    async def story(world: World) -> None:
        serve(world, payload)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live, world)
            await trio.sleep(moment)
            async with world.engine(owner=False) as client:
                before, left = await seen(client), world.fork(1)
                while (again := await seen(client)) != before or world.log.head() != left.log.head():
                    before, left = again, world.fork(1)
            async with left.engine(owner=False) as after:
                assert await seen(after) == before
            nursery.cancel_scope.cancel()

    run(seed, story)


def test_it_is_the_same_after_the_views_were_made_anew(payload):
    """In the midst of everything, and nobody notices."""

    async def story(world: World) -> None:
        serve(world, payload)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live, world)
            for _ in range(6):
                await trio.sleep(15)
                async with world.engine(owner=False) as client:
                    before = await seen(client)
                    client.reading.views.rebuild()
                    assert await seen(client) == before
                    assert client.reading.views.verify() == []
            nursery.cancel_scope.cancel()

    run(1, story)


def test_history_tells_each_end_with_its_fields(payload):
    """The latest first; by limit, tag and URL; a failure with its error, a success with its digest."""

    async def story(world: World) -> None:
        serve(world, payload)
        async with world.engine() as engine:
            asked = [Request(url, tags=("all", url[7])) for url in URLS]
            ids = [d.id for d in await engine.submit_many(asked)]
            await engine.wait_idle()
            rows = await engine.history()
            assert all(set(row) >= HISTORY for row in rows)
            ended = [row["ended_at"] for row in rows]
            assert ended == sorted(ended, reverse=True)
            assert {row["id"] for row in rows} == {str(id) for id in ids}
            by_url = {row["url"]: row for row in rows}
            failed = by_url.pop(URLS[3])
            assert (failed["success"], failed["digest"], failed["bytes"]) == (False, None, 0)
            assert "404" in failed["error"]
            for number, url in enumerate(URLS):
                if url in by_url:
                    row = by_url[url]
                    assert (row["success"], row["error"], row["assurance"]) == (True, None, "length")
                    assert row["bytes"] == 70_000 * (number + 1)
                    assert row["started_at"] < row["ended_at"]
                    assert row["tags"] == ["all", url[7]]
            assert by_url[URLS[1]]["attempts"] == 3
            assert engine.reading.history(limit=2) == rows[:2]
            assert [row["url"] for row in engine.reading.history(tag="c")] == [URLS[2]]
            assert len(engine.reading.history(tag="all")) == 5
            assert [row["id"] for row in engine.reading.history(url=URLS[3])] == [failed["id"]]
            await engine.retry(ids[3])
            await engine.wait(ids[3])
            engine.reading.catch_up()
            assert len(engine.reading.history(url=URLS[3])) == 1

    run(1, story)


def test_the_order_of_the_queue_outlives_the_engine(tale, payload):
    """Priorities given and age; the next engine starts them in the same order."""

    async def story(world: World) -> None:
        serve(world, payload)
        world.network.files[URLS[3]].status = None
        async with world.engine(owner=False) as client:
            ids = [d.id for d in await client.submit_many([Request(url) for url in URLS])]
            await client.prioritise(2, ids[3], ids[4])
            await client.prioritise(-1, ids[0])
            await client.pause(ids[1])
        async with world.engine(concurrency=1) as engine:
            await engine.wait_idle()
            assert (await engine.get(ids[1])).state.shown == "paused"
        started = [fact.stream for fact in tale(world.log).facts if isinstance(fact.event, e.Started)]
        assert started == [ids[3], ids[4], ids[2], ids[0]]

    run(1, story)
