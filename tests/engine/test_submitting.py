"""Submitting: durable when it returns, in order, once for each key; and nothing at all when it is refused."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import events as e
from lading.domain.errors import InvalidDigest, InvalidSetting, InvalidURL, UnknownDownload
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.law(1), pytest.mark.row("S3.1")]

URL = "http://a.example/file.bin"


def test_what_submit_returns_is_in_the_log_already(tale):
    """And is what the fold of the log says."""

    async def story(world: World) -> None:
        async with world.engine() as engine:
            given = Request(URL, path="x/y", tags=("a", "b"), priority=4, digest="sha256:" + "a" * 64, retries=7)
            returned = await engine.submit(given)
            (queued,) = tale(world.log.copy()).all(e.Queued)
            assert queued.order == returned.order
            assert (queued.order.folder, queued.order.name) == ("x", "y")
            assert (queued.order.tags, queued.order.priority, queued.order.retries) == (("a", "b"), 4, 7)
            assert returned.state is State.QUEUED
            assert (await engine.get(returned.id)).added_at_ns == returned.added_at_ns

    run(1, story)


def test_five_thousand_in_one_call_keep_their_order(tale):
    """In the log, in the listing, and by their ids; in few commits."""

    async def story(world: World) -> None:
        appends = 0
        inner = world.log.append

        def append(requests):
            nonlocal appends
            appends += 1
            return inner(requests)

        world.log.append = append
        world.network.online = False
        async with world.engine(owner=False) as engine:
            urls = [f"http://h{n % 7}.example/{n}" for n in range(5000)]
            downloads = await engine.submit_many([Request(url) for url in urls])
            assert [download.order.url for download in downloads] == urls
            assert appends < 10
            ids = [download.id for download in downloads]
            assert ids == sorted(ids)
            assert [fact.stream for fact in tale(world.log).facts if isinstance(fact.event, e.Queued)] == ids
            assert [row["id"] for row in await engine.listing()] == [str(id) for id in ids]
            assert [row["id"] for row in await engine.listing(limit=3)] == [str(id) for id in ids[:3]]
            assert (await engine.progress()).queued == 5000

    run(1, story)


def test_nothing_is_asked_for_with_nothing():
    """An empty list is done at once."""

    async def story(world: World) -> None:
        async with world.engine() as engine:
            head = world.log.head()
            assert await engine.submit_many([]) == []
            assert world.log.head() == head

    run(1, story)


def test_a_key_names_one_download(tale, payload):
    """Again and again, whatever else the request says, while it runs and after it has ended."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000), rate=1e3)
        async with world.engine() as engine:
            first = await engine.submit(Request(URL, key="product 7"))
            again = await engine.submit(Request(URL, key="product 7", priority=9))
            assert again.id == first.id
            assert (await engine.wait(first.id)).ok
            ended = await engine.submit(Request(URL, key="product 7"))
            assert (ended.id, ended.state) == (first.id, State.COMPLETED)
            (row,) = await engine.listing()
            assert row["key"] == "product 7"
            assert engine.reading.find("product 7").id == first.id
        assert len(tale(world.log).all(e.Queued)) == 1
        assert len(tale(world.log).all(e.KeyClaimed)) == 1

    run(1, story)


def test_a_key_is_free_again_when_its_download_was_removed(tale, payload):
    """Only then: what failed or was cancelled is still called that."""

    async def story(world: World) -> None:
        async with world.engine() as engine:
            first = await engine.submit(Request(URL, key="k"))
            assert (await engine.wait(first.id)).state is State.FAILED
            assert (await engine.submit(Request(URL, key="k"))).id == first.id
            await engine.cancel(first.id)
            assert (await engine.submit(Request(URL, key="k"))).id == first.id
            await engine.remove(first.id)
            second = await engine.submit(Request(URL, key="k"))
            assert second.id != first.id
            engine.reading.catch_up()
            assert engine.reading.find("k").id == second.id
        assert [x.download for x in tale(world.log).all(e.KeyClaimed)] == [first.id, second.id]

    run(1, story)


def test_one_key_twice_in_one_call_is_one_download(tale):
    """Between others, in their order."""

    async def story(world: World) -> None:
        async with world.engine(owner=False) as engine:
            keys = ["a", None, "b", "a", None, "b"]
            ids = [d.id for d in await engine.submit_many([Request(URL, key=key) for key in keys])]
            assert ids[0] == ids[3]
            assert ids[2] == ids[5]
            assert len(set(ids)) == 4
        assert len(tale(world.log).all(e.Queued)) == 4

    run(1, story)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 999),
    calls=st.lists(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=4), min_size=2, max_size=6),
)
def test_engines_that_submit_one_key_at_the_same_time_get_one_download(seed, calls, tale):
    """Whoever wins, all are told the same."""

    async def story(world: World) -> None:
        named: dict[str, set] = {}
        async with world.engine(owner=False) as one, world.engine(owner=False) as two:

            async def submit(engine, keys) -> None:
                for key, download in zip(
                    keys, await engine.submit_many([Request(URL, key=k) for k in keys]), strict=True
                ):
                    named.setdefault(key, set()).add(download.id)

            async with trio.open_nursery() as nursery:
                for number, keys in enumerate(calls):
                    nursery.start_soon(submit, (one, two)[number % 2], keys)
        plain = len(named.pop(None, ()))
        assert plain == sum(key is None for keys in calls for key in keys)
        assert all(len(ids) == 1 for ids in named.values())
        assert len(tale(world.log).all(e.Queued)) == plain + len(named)

    run(seed, story)


def test_the_secrets_of_a_request_that_names_an_old_download_are_not_kept():
    """Nobody would ever forget them."""

    async def story(world: World) -> None:
        async with world.engine(owner=False) as engine:
            await engine.submit(Request(URL + "?token=one", key="k"))
            await engine.submit(Request(URL + "?token=two", key="k"))
            assert "two" not in str([secrets.urls for secrets in world.vault._kept.values()])

    run(1, story)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"url": "example.org/x"}, InvalidURL),
        ({"url": "ftp://example.org/x"}, InvalidURL),
        ({"url": "http://"}, InvalidURL),
        ({"url": "http://example.org/a b"}, InvalidURL),
        ({"url": "http://exa\nmple.org/"}, InvalidURL),
        ({"url": "http://example.org:99999/"}, InvalidURL),
        ({"url": URL, "mirrors": "nonsense"}, InvalidURL),
        ({"url": URL, "digest": "abc"}, InvalidDigest),
        ({"url": URL, "digest": "rot13:00"}, InvalidDigest),
        ({"url": URL, "priority": 2**40}, InvalidSetting),
        ({"url": URL, "retries": -1}, InvalidSetting),
        ({"url": URL, "if_exists": "ask"}, InvalidSetting),
        ({"url": URL, "headers": {"Range": "bytes=1-"}}, InvalidSetting),
        ({"url": URL, "headers": {"X": "a\r\nY: b"}}, InvalidSetting),
        ({"url": URL, "key": ""}, InvalidSetting),
    ],
)
def test_what_cannot_be_meant_is_refused_before_there_is_an_engine(fields, error):
    """With what to do about it."""
    with pytest.raises(error) as caught:
        Request(fields.pop("url"), **fields)
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_what_is_unknown_is_said_to_be(payload):
    """By every verb that takes an id; and nothing is recorded."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5))
        async with world.engine() as engine:
            await engine.submit(Request(URL, key="key"))
            await engine.wait_idle()
            key_stream = next(r.stream for r in world.log.read() if "key-claimed" in r.topic)
            head = world.log.head()
            for id in (world.chance.uuid(0), engine.worker, key_stream):
                for verb in (engine.get, engine.wait, engine.pause, engine.resume, engine.cancel, engine.retry):
                    with pytest.raises(UnknownDownload) as caught:
                        await verb(id)
                    assert "lading list" in caught.value.hint
                with pytest.raises(UnknownDownload):
                    await engine.prioritise(1, id)
                with pytest.raises(UnknownDownload):
                    await engine.remove(id, files=True)
                with pytest.raises(UnknownDownload):
                    async for _ in engine.follow(id):
                        pass
            for text in ("nobody", str(engine.worker), "0123"):
                with pytest.raises(UnknownDownload):
                    engine.reading.find(text)
            assert world.log.head() == head

    run(1, story)
