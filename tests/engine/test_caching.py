"""The cache in whole engines: what was fetched once is not fetched again, and never another thing in its place."""

from __future__ import annotations

import errno
import hashlib
import shutil

import pytest
import trio

import lading
from lading import BundleRequest
from lading.domain import caching
from lading.domain import events as e
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.cache import MemoryBlob
from lading.testing.simulation import World, run
from lading.tools.origin import Origin, Resource

pytestmark = pytest.mark.row("S2.12")

URL = "http://a.example/file.bin"
SIZE = 3_000_000


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


async def fetch(world: World, name: str, url: str = URL, setting: str = "on", **request):
    """Fetch a file in an engine of its own, and return how that ended."""
    async with world.engine(cache=setting) as engine:
        return await engine.wait((await engine.submit(Request(url, path=name, **request))).id)


async def submit(engine, name: str, **request):
    """Ask for the file, and let the engine take it before there is another."""
    download = await engine.submit(Request(URL, path=name, **request))
    await trio.sleep(0.1)
    return download


def content(world: World, outcome) -> bytes:
    assert outcome.state is State.COMPLETED, outcome.error
    return world.disk.content(outcome.path)


@pytest.mark.parametrize("etag", [True, False])
def test_what_has_not_changed_is_taken_from_the_cache(etag, tale, payload):
    """By its ETag, or else by when it was modified; one engine after the other, and it is said."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        served = world.network.serve(URL, data, **({} if etag else {"etag": None}))
        first, second = await fetch(world, "a"), await fetch(world, "b")
        assert (first.cached, second.cached) == (False, True)
        assert content(world, second) == data
        assert (second.assurance, second.digest) == ("length", sha256(data))
        assert world.network.calls[-1].if_none_match == (served.etag if etag else None)
        assert (world.network.calls[-1].if_modified_since is None) == etag
        assert served.asked == 2
        assert tale(world.log).names(second.id) == [
            "Queued",
            "Started",
            "Probed",
            "Progressed",
            "Verified",
            "Completed",
        ]
        assert tale(world.log).all(e.Probed, second.id)[0].status == 304

    run(1, story)


def test_a_digest_that_the_cache_has_needs_no_network(payload):
    """Wherever it was got from: the content is what was asked for."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        world.network.serve(URL, data)
        await fetch(world, "a")
        asked = len(world.network.calls)
        world.network.online = False
        outcome = await fetch(world, "b", "http://elsewhere.example/b", digest=sha256(data))
        assert (outcome.cached, outcome.assurance, content(world, outcome)) == (True, "digest", data)
        assert len(world.network.calls) == asked

    run(1, story)


def test_what_has_changed_is_fetched_anew_and_kept_instead(payload):
    """The conditional question is answered with the new content, which costs no second question."""

    async def story(world: World) -> None:
        served = world.network.serve(URL, payload(SIZE))
        await fetch(world, "a")
        served.replace(payload(SIZE, 1))
        second, third = await fetch(world, "b"), await fetch(world, "c")
        assert (second.cached, third.cached) == (False, True)
        assert content(world, second) == content(world, third) == payload(SIZE, 1)
        assert served.asked == 3

    run(1, story)


@pytest.mark.parametrize(
    ("served", "request_", "cache"),
    [
        ({"headers": {"cache-control": "private, No-Store"}}, {}, "on"),
        ({"headers": {"vary": "accept, *"}}, {}, "on"),
        ({"etag": None, "headers": {"last-modified": "Wed, 15 Nov 2023 00:00:00 GMT"}}, {}, "on"),
        ({}, {"cache": False}, "on"),
        ({}, {}, "off"),
        ({"data": b"small"}, {}, "on"),
    ],
    ids=["no-store", "vary", "too young a date", "--no-cache", "cache off", "small"],
)
def test_what_may_not_be_kept_is_not(served, request_, cache, payload):
    """By what the server says, or the user, or because it is cheaper to fetch."""

    async def story(world: World) -> None:
        data = served.pop("data", payload(SIZE))
        world.network.serve(URL, data, **served)
        outcomes = [await fetch(world, name, setting=cache, **request_) for name in "ab"]
        assert [outcome.cached for outcome in outcomes] == [False, False]
        assert content(world, outcomes[1]) == data
        assert world.cache.blobs == {}
        assert all(call.if_none_match is None for call in world.network.calls)

    run(1, story)


@pytest.mark.law(5)
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_damaged_content_is_let_go_of_and_fetched(how, payload):
    """It is digested while it is read: nothing of it becomes a file."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        served = world.network.serve(URL, data)
        await fetch(world, "a")
        (digest,) = world.cache.blobs
        harmed = {"flipped": data[:-1] + bytes([data[-1] ^ 1]), "cut": data[:-1]}
        if how == "gone":
            del world.cache.blobs[digest]
        else:
            world.cache.blobs[digest] = harmed[how]
        outcome = await fetch(world, "b")
        assert (outcome.cached, content(world, outcome), outcome.attempts) == (False, data, 1)
        assert world.cache.blobs == {digest: data}
        assert served.asked == 3
        assert (await fetch(world, "c")).cached

    run(1, story)


@pytest.mark.law(4)
def test_a_304_of_another_version_is_not_believed(payload):
    """It names another ETag, so it is about something else; the whole is asked for without a condition."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        served = world.network.serve(URL, data)
        await fetch(world, "a")
        served.confirms = {"etag": '"another"'}
        outcome = await fetch(world, "b")
        assert (outcome.cached, content(world, outcome)) == (False, data)
        assert world.network.calls[-1].if_none_match is None

    run(1, story)


@pytest.mark.law(5)
def test_a_lying_etag_is_caught_by_the_digest_of_the_order(payload):
    """The server says that nothing has changed; what it kept is not what was asked for, and what it sends is."""

    async def story(world: World) -> None:
        old, new = payload(SIZE), payload(SIZE, 1)
        served = world.network.serve(URL, old)
        await fetch(world, "a")
        served.data = new
        assert content(world, await fetch(world, "b")) == old
        for name, algorithm in (("c", "sha256"), ("d", "sha512")):
            wanted = f"{algorithm}:{hashlib.new(algorithm, new).hexdigest()}"
            world.cache.clear()
            served.data = old
            await fetch(world, f"again {name}")
            served.data = new
            asked = served.asked
            outcome = await fetch(world, name, digest=wanted)
            assert (outcome.cached, content(world, outcome), outcome.assurance) == (False, new, "digest")
            assert served.asked == asked + (1 if algorithm == "sha256" else 2), "what cannot fit is not asked about"

    run(1, story)


def test_a_304_to_a_question_without_a_condition_is_a_failure(payload):
    """There is nothing that it could be about."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), status=304)
        outcome = await fetch(world, "a", retries=0)
        assert (outcome.state, outcome.cause) == (State.FAILED, "protocol")

    run(1, story)


def test_what_is_held_already_is_gone_on_with(payload):
    """The cache is asked only where nothing of the file is there."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        served = world.network.serve(URL, data)
        await fetch(world, "a")
        served.break_after, served.etag = SIZE // 2, '"other"'
        async with world.engine(cache="on") as engine:
            download = await engine.submit(Request(URL, path="b"))
            async for fact in engine.follow(download.id):
                if isinstance(fact.event, e.RetryScheduled):
                    served.break_after = None
                    break
            outcome = await engine.wait(download.id)
        assert (outcome.cached, outcome.resumed_from, content(world, outcome)) == (False, SIZE // 2, data)
        assert world.network.calls[-1].if_none_match is None
        assert (await fetch(world, "c")).cached, "what was resumed is kept as well"

    run(1, story)


@pytest.mark.law(7)
def test_urls_with_secrets_are_known_by_keyed_names(payload):
    """Another token is another file; and neither is in the cache's index."""

    async def story(world: World) -> None:
        urls = [f"{URL}?token={name}-canary" for name in ("one", "two")]
        for number, url in enumerate(urls):
            world.network.serve(url, payload(SIZE, number))
        for url in urls:
            assert not (await fetch(world, url[-12:-7], url)).cached
        assert (await fetch(world, "again", urls[0])).cached
        assert not (await fetch(world, "with", urls[0], headers={"X-Key": "canary"})).cached
        with world.cache._store.read() as reader:
            rows = dict(reader.scan(b""))
        assert b"canary" not in b"".join(key + value for key, value in rows.items())
        assert not [key for key in rows if key.startswith(b"kp1:")], "a plain digest could be guessed"

    run(1, story)


def test_a_name_that_the_server_gave_is_given_again(payload):
    """A 304 does not repeat it; a digest asks nobody."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        named = {"content-disposition": 'attachment; filename="report.pdf"'}
        served = world.network.serve(URL, data, headers=named)
        served.confirms = {"etag": served.etag}
        paths = []
        for digest in (None, None, sha256(data)):
            outcome = await fetch(world, None, if_exists="rename", digest=digest)
            paths.append(outcome.path.rpartition("/")[2])
        assert paths == ["report.pdf", "report (2).pdf", "report (3).pdf"]

    run(1, story)


@pytest.mark.law(2, 5)
@pytest.mark.parametrize("end", ["stopped", "no room", "unreadable"])
def test_what_is_only_half_out_of_the_cache_counts_for_nothing(end, tale, payload, monkeypatch, all_given_back):
    """Its digest is not known before its end, so no byte of it is vouched for; the next attempt begins anew."""
    told = {"stopped": e.Stopped, "no room": e.Blocked, "unreadable": e.RetryScheduled}

    async def story(world: World) -> None:
        data = payload(9_000_000)
        world.network.serve(URL, data)
        await fetch(world, "a")
        read = MemoryBlob.read_into
        async with world.engine(cache="on") as engine:

            def read_into(blob, offset, buffer):
                if offset:
                    monkeypatch.undo()
                    if end == "stopped":
                        engine._scheduler._running[download.id].scope.cancel()
                    elif end == "unreadable":
                        raise OSError(errno.EIO, "no")
                    else:
                        world.disk.room = 0
                return read(blob, offset, buffer)

            monkeypatch.setattr(MemoryBlob, "read_into", read_into)
            download = await engine.submit(Request(URL, path="b"))
            while not tale(world.log).all(told[end], download.id):
                await trio.sleep(0.1)
            world.disk.room = 1 << 60
            outcome = await engine.wait(download.id)
            assert all_given_back(engine._s.buffers)
        assert (outcome.cached, content(world, outcome)) == (True, data)
        assert {one.attempt for one in tale(world.log).all(e.Progressed, download.id)} == {outcome.attempts}
        assert outcome.attempts > 1

    run(1, story)


def test_two_downloads_of_one_content_cost_one_transfer(tale, payload):
    """The second waits, says why, and is served from the cache; others run beside the first meanwhile."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        served = world.network.serve(URL, data, rate=1e6)
        world.network.serve("http://b.example/other", b"other")
        async with world.engine(cache="on", concurrency=2) as engine:
            first, *others = [(await submit(engine, name)).id for name in "abc"]
            other = await engine.submit(Request("http://b.example/other"))
            assert (await engine.wait(other.id)).ok
            waiting = [await engine.get(id) for id in others]
            assert [(one.state, one.blocked) for one in waiting] == [(State.WAITING, caching.BLOCKED)] * 2
            assert str(first) in waiting[0].message
            outcomes = [await engine.wait(id) for id in (first, *others)]
        assert [outcome.cached for outcome in outcomes] == [False, True, True]
        assert {content(world, outcome) for outcome in outcomes} == {data}
        assert sum(call.if_none_match is None for call in world.network.calls if call.url == URL) == 1
        assert served.asked == 3
        assert all(len(tale(world.log).all(e.Blocked, id)) == 1 for id in others)

    run(1, story)


def test_whoever_waits_takes_the_place_of_one_that_fails(payload):
    """One after the other, without end or standstill, each with its own answer."""

    async def story(world: World) -> None:
        served = world.network.serve(URL, payload(SIZE), rate=1e6, break_after=SIZE // 2)
        async with world.engine(cache="on") as engine:
            ids = [(await submit(engine, name, retries=0)).id for name in "abcd"]
            assert (await engine.wait(ids[0])).state is State.FAILED
            served.break_after = None
            with trio.fail_after(120):
                outcomes = [await engine.wait(id) for id in ids[1:]]
        assert sorted(outcome.cached for outcome in outcomes) == [False, True, True]

    run(1, story)


def test_nobody_waits_for_what_will_not_be_kept(tale, payload):
    """As soon as the first answer says so, all go on side by side."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), rate=1e6, headers={"cache-control": "no-store"})
        async with world.engine(cache="on") as engine:
            ids = [(await engine.submit(Request(URL, path=name))).id for name in "abc"]
            began = trio.current_time()
            assert all([(await engine.wait(id)).ok for id in ids])
            assert trio.current_time() - began < 1.5 * SIZE / 1e6

    run(1, story)


def test_nobody_waits_for_what_becomes_slow(payload):
    """Whoever gives a limit to one download means that one, not all that want the same."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), rate=1e6)
        async with world.engine(cache="on") as engine:
            first, second = [await submit(engine, name) for name in "ab"]
            assert (await engine.get(second.id)).blocked == caching.BLOCKED
            await engine.limit(1000, first.id)
            began = trio.current_time()
            assert (await engine.wait(second.id)).ok
            assert trio.current_time() - began < 2 * SIZE / 1e6
            assert (await engine.get(first.id)).state is State.ACTIVE

    run(1, story)


@pytest.mark.row("S3.8")
def test_nobody_waits_for_what_is_to_wait_for_its_bundle(payload):
    """A member is kept by the cache as little as it has a name before all others are whole."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), rate=1e6)
        members = [Request(URL), Request("http://a.example/never.bin")]
        async with world.engine(cache="on") as engine:
            await engine.submit_bundle(BundleRequest("film", members, policy="all_or_nothing"))
            await trio.sleep(0.5)
            began = trio.current_time()
            assert (await engine.wait((await submit(engine, "b")).id)).ok
            assert trio.current_time() - began < 1.2 * SIZE / 1e6

    run(1, story)


def test_who_waited_when_an_engine_ended_goes_on_in_the_next(payload):
    """Nobody leads there, so nobody is waited for."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), rate=1e5)
        async with world.engine(cache="on") as engine:
            ids = [(await submit(engine, name)).id for name in "ab"]
            while (await engine.get(ids[1])).blocked is None:
                await trio.sleep(0.1)
            await engine.pause(ids[0])
            await engine.pause(ids[1])
            await engine.resume(ids[1])
            while (await engine.get(ids[1])).state is not State.ACTIVE:
                await trio.sleep(0.1)
        world.network.files[URL].rate = None
        async with world.engine(cache="on") as engine:
            assert (await engine.wait(ids[1])).ok

    run(1, story)


@pytest.mark.law(9)
def test_the_cache_never_grows_over_its_size(payload):
    """What was used least lately goes, down to four fifths; what is used is younger."""

    async def story(world: World) -> None:
        size = 100_000
        room = {"cache_bytes": 10 * size, "cache_least_bytes": 0}
        async with world.engine(cache="on", **room) as engine:
            for number in range(14):
                url = f"http://a.example/{number}"
                world.network.serve(url, payload(size, number))
                assert (await engine.wait((await engine.submit(Request(url))).id)).ok
                await trio.sleep(1)
                assert sum(map(len, world.cache.blobs.values())) <= 10 * size
                if number == 9:
                    again = await engine.submit(Request("http://a.example/0", path="again"))
                    assert (await engine.wait(again.id)).cached
            before = len(world.cache.blobs)
            assert (await engine.caching.evict(5 * size)).blobs == before - 5
            freed = await engine.caching.clear()
        kept = {sha256(payload(size, number)) for number in (0, *range(5, 14))}
        assert freed.blobs <= len(kept)
        assert freed.bytes == freed.blobs * size
        assert world.cache.blobs == {}

    run(1, story)


@pytest.mark.law(8)
def test_the_same_seed_gives_the_same_log_with_a_cache(payload):
    """Storing goes on beside the rest, and still in an order that only the seed decides."""

    async def story(world: World) -> str:
        world.network.serve(URL, payload(SIZE), rate=1e6)
        async with world.engine(cache="on") as engine:
            ids = [(await engine.submit(Request(URL, path=name))).id for name in "abc"]
            for id in ids:
                await engine.wait(id)
        return world.fingerprint()

    assert run(7, story) == run(7, story)


@pytest.mark.law(3)
async def test_a_home_keeps_its_cache_from_one_engine_to_the_next(tmp_path):
    """Over a real log, disk and network; and a home whose cache was taken away is none the worse."""
    with Origin([Resource("file.bin", SIZE)]) as origin:
        cached = []
        for name in ("a", "b", "c"):
            if name == "c":
                shutil.rmtree(tmp_path / "home" / "cache")
            async with lading.open_engine(tmp_path / "home", downloads=tmp_path / "files") as engine:
                outcome = await engine.wait((await engine.submit(Request(origin.url("file.bin"), path=name))).id)
            assert (tmp_path / "files" / name).read_bytes() == Resource("file.bin", SIZE).read()
            cached.append(outcome.cached)
        assert cached == [False, True, False]
        assert not (tmp_path / "home" / "vault").exists(), "there was no secret"
