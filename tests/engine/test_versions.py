"""Law 4: a file is one version of the resource, exactly, or it is no file; whatever the origin does in the meantime."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import events as e
from lading.domain.replies import OVERLAP_BYTES
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.network import MODIFIED, MemoryNetwork, MemoryReply
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.law(4), pytest.mark.law(5)]

URL, FINAL = "http://a.example/file.bin", "/downloads/file.bin"
SIZE = 200_000
LATER = "Fri, 17 Nov 2023 00:00:00 GMT"


class TwistedNetwork(MemoryNetwork):
    """An origin whose answers pass through `twist`, which may lie."""

    def __init__(self, twist: Callable[[int, dict[str, str], bytes, int], tuple[int, dict[str, str], bytes]]) -> None:
        super().__init__()
        self.twist = twist

    def answer(self, call):
        honest = super().answer(call)
        headers = dict(honest.head.headers)
        status, headers, body = self.twist(honest.head.status, headers, bytes(honest._body), call.start)
        head = attrs.evolve(honest.head, status=status, headers=headers)
        return MemoryReply(head, memoryview(body), honest.served, lambda: self.online)


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def changed(tale, payload, *, seconds: float = 5.0, before: dict, after: dict, **request):
    """Serve one version, break off after `seconds`, serve another; return outcome, content, versions and chronicle."""

    async def story(world: World):
        one, two = payload(SIZE, 1), payload(after.pop("size", SIZE), 2)
        served = world.network.serve(URL, one, rate=20e3, **before)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, **request))).id
            await trio.sleep(seconds)
            world.network.online = False
            await trio.sleep(1)
            world.network.online = True
            served.replace(two)
            for name, value in after.items():
                setattr(served, name, value)
            outcome = await engine.wait(id)
        return outcome, world.disk.content(FINAL), one, two, tale(world.log)

    return run(1, story)


WEAK = 'W/"same"'
CHANGES = {
    "strong ETags": ({}, {}),
    "the size too": ({}, {"size": SIZE + 1}),
    "a shorter one": ({}, {"size": 50_000}),
    "ETags of one cluster, the other dates": (
        {"etag": None, "headers": {}},
        {"etag": None, "headers": {"last-modified": LATER, "date": LATER}},
    ),
    "a weak ETag and another date": ({"etag": WEAK}, {"etag": WEAK, "headers": {"last-modified": LATER}}),
    "other weak ETags and one date": ({"etag": WEAK}, {"etag": 'W/"other"'}),
    "no validators": (
        {"etag": None, "headers": {"last-modified": ""}},
        {"etag": None, "headers": {"last-modified": ""}},
    ),
    "a date that is not strong": (
        {"etag": None, "headers": {"date": MODIFIED}},
        {"etag": None, "headers": {"date": MODIFIED}},
    ),
    "an ETag that went away": ({}, {"etag": None, "headers": {"last-modified": LATER}}),
    "an ETag that came": ({"etag": None, "headers": {"last-modified": ""}}, {"etag": '"new"'}),
    "no ranges": ({"ranges": False}, {"ranges": False}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_resource_that_changes_in_the_middle_is_fetched_anew(change, tale, payload):
    """With whatever validators it is told, or cannot be told."""
    before, after = ({**part} for part in change)
    outcome, content, _, two, chronicle = changed(tale, payload, before=before, after=after, retries=9)
    assert outcome.ok
    assert content == two
    assert outcome.digest == sha(two)
    assert outcome.resumed_from == 0
    (restarted,) = chronicle.all(e.Restarted)
    assert restarted.discarded > 0


def test_a_change_is_told_with_both_validators(tale, payload):
    """So that `why` can say what happened upstream."""
    _, _, one, two, chronicle = changed(tale, payload, before={}, after={}, retries=9)
    (event,) = chronicle.all(e.ResourceChanged)
    assert event.before.etag == f'"{hashlib.sha256(one).hexdigest()[:16]}"'
    assert event.after.etag == f'"{hashlib.sha256(two).hexdigest()[:16]}"'


SAME = {
    "a strong ETag": {},
    "a strong date": {"etag": None},
    "a weak ETag and a strong date": {"etag": WEAK},
}


@pytest.mark.parametrize("validators", SAME.values(), ids=SAME.keys())
def test_a_resource_that_stays_is_resumed_by_what_proves_it(validators, tale, payload):
    """And by nothing less."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        served = world.network.serve(URL, data, rate=20e3, break_after=110_000, **validators)
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
        assert (outcome.ok, outcome.resumed_from) == (True, 110_000)
        assert world.disk.content(FINAL) == data
        second = world.network.calls[1]
        assert second.start == 110_000 - OVERLAP_BYTES
        assert second.if_range == (served.etag if not validators else MODIFIED)

    run(1, story)


def test_without_any_proof_it_starts_over_unless_the_whole_is_known(tale, payload):
    """No validators: the expected digest alone allows a resume, and checks it in the end."""
    for digest in (None, sha(payload(SIZE))):

        async def story(world: World, digest=digest) -> None:
            served = world.network.serve(
                URL, payload(SIZE), rate=20e3, break_after=110_000, etag=None, headers={"last-modified": ""}
            )
            async with world.engine() as engine:
                id = (await engine.submit(Request(URL, digest=digest))).id
                while not tale(world.log).all(e.RetryScheduled):
                    await trio.sleep(0.1)
                served.break_after = None
                outcome = await engine.wait(id)
            assert outcome.ok
            assert outcome.resumed_from == (0 if digest is None else 110_000)
            assert outcome.assurance == ("length" if digest is None else "digest")
            assert world.disk.content(FINAL) == payload(SIZE)

        run(1, story)


def liar(kind: str, one: bytes, two: bytes):
    """Answer the first question honestly, and lie to every range, as `kind` says."""

    def twist(status: int, headers: dict[str, str], body: bytes, start: int):
        if start == 0:
            return status, headers, body
        rest = len(one) - start
        match kind:
            case "bytes from offset 0":
                return 206, headers, one[:rest]
            case "another version, validators kept":
                return 206, headers, two[start:]
            case "a start too late":
                return (
                    206,
                    headers | {"content-range": f"bytes {start + 1}-{len(one) - 1}/{len(one)}"},
                    one[start + 1 :],
                )
            case "another total":
                return 206, headers | {"content-range": f"bytes {start}-{len(one) - 1}/{len(one) + 1}"}, one[start:]
            case "no Content-Range":
                return 206, {k: v for k, v in headers.items() if k != "content-range"}, one[start:]
            case "another ETag":
                return 206, headers | {"etag": '"other"'}, two[start:]
            case "no ETag":
                return 206, {k: v for k, v in headers.items() if k != "etag"}, two[start:]
            case "an error page as 206":
                return 206, headers | {"content-length": "9"}, b"try later"
            case "an error page as 200":
                return 200, {"content-length": "9"}, b"try later"
            case "always 416":
                return 416, {"content-range": f"bytes */{len(one)}"}, b""
        raise AssertionError(kind)

    return twist


LIES = [
    "bytes from offset 0",
    "another version, validators kept",
    "a start too late",
    "another total",
    "no Content-Range",
    "another ETag",
    "no ETag",
    "an error page as 206",
    "always 416",
]


def lied_to(kind: str, payload, *, digest: bool):
    async def story(world: World):
        one, two = payload(SIZE, 1), payload(SIZE, 2)
        world.network = TwistedNetwork(liar(kind, one, two))
        served = world.network.serve(URL, one, rate=20e3, break_after=100_000)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, digest=sha(one) if digest else None, retries=9))).id
            await trio.sleep(5.2)
            served.break_after = None
            outcome = await engine.wait(id)
        return outcome, world.disk.content(FINAL), one

    return run(1, story)


@pytest.mark.parametrize("digest", [False, True])
@pytest.mark.parametrize("kind", LIES)
def test_a_lie_about_a_range_is_not_believed(kind, digest, payload):
    """The file is right in the end, or there is none."""
    outcome, content, one = lied_to(kind, payload, digest=digest)
    assert content == (one if outcome.ok else None)
    assert outcome.ok or digest


@pytest.mark.parametrize("lie", [-1, -50_000, 1, 50_000])
@pytest.mark.parametrize("times", [1, 99])
def test_a_body_of_another_length_than_was_said_is_not_the_file(lie, times, tale, payload):
    """Too short, with an end as clean as any, or too long: tried again, and in the end right or failed."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        asked = iter(range(10**6))

        def twist(status: int, headers: dict[str, str], body: bytes, start: int):
            if next(asked) < times:
                body = body[:lie] if lie < 0 else body + b"!" * lie
            return status, headers, body

        world.network = TwistedNetwork(twist)
        world.network.serve(URL, data, rate=20e3)
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL, connections=1))).id)
        faltered = tale(world.log).all(e.RetryScheduled)
        assert {x.cause for x in faltered} == {"broken-body" if lie < 0 else "protocol"}
        assert outcome.ok or times > 1
        assert world.disk.content(FINAL) == (data if outcome.ok else None)

    run(1, story)


def test_an_error_page_instead_of_the_whole_is_that_resource_now(payload):
    """A 200 of another size is another version: nothing of the first is in it."""
    outcome, content, _ = lied_to("an error page as 200", payload, digest=False)
    assert (outcome.ok, content) == (True, b"try later")
    outcome, content, one = lied_to("an error page as 200", payload, digest=True)
    assert content == (one if outcome.ok else None)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 999),
    moments=st.lists(st.floats(0.1, 6), min_size=1, max_size=5),
    etags=st.booleans(),
    breaks=st.integers(20_000, 150_000),
)
def test_however_often_it_changes_the_file_is_one_version(seed, moments, etags, breaks, payload):
    """Changes at any moment, broken connections between them."""

    async def story(world: World) -> None:
        versions = [payload(SIZE, number) for number in range(len(moments) + 1)]
        served = world.network.serve(URL, versions[0], rate=30e3, break_after=breaks)
        if not etags:
            served.etag = None
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, retries=50))).id
            for number, seconds in enumerate(moments, 1):
                await trio.sleep(seconds)
                served.replace(versions[number])
                served.headers["last-modified"] = f"Tue, {14 + number} Nov 2022 00:00:00 GMT"
            served.break_after = max(breaks, 90_000)
            outcome = await engine.wait(id)
        assert outcome.ok
        content = world.disk.content(FINAL)
        assert content in versions
        assert outcome.digest == sha(content)

    run(seed, story)


@pytest.mark.parametrize("digest", [False, True])
def test_a_mirror_takes_over_the_bytes_only_under_a_digest(digest, tale, payload):
    """Without one it starts over: nothing proves that the two are the same."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        first = world.network.serve(URL, data, rate=20e3, break_after=100_000)
        mirror = "http://b.example/file.bin"
        world.network.serve(mirror, data, rate=20e3)
        async with world.engine() as engine:
            asked = Request(URL, mirrors=mirror, digest=sha(data) if digest else None, retries=0 if not digest else 3)
            id = (await engine.submit(asked)).id
            await trio.sleep(5.1)
            first.status = 404
            outcome = await engine.wait(id)
        assert outcome.ok
        assert world.disk.content(FINAL) == data
        assert outcome.resumed_from == (100_000 if digest else 0)
        assert [x.source for x in tale(world.log).all(e.Started)][-1] == 1
        assert tale(world.log).all(e.FellBack)

    run(1, story)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_body_whose_end_nothing_vouches_for_needs_leave(allowed, payload):
    """Neither a length nor chunks: `--allow-unsized`, and then the assurance says that there is none."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000), sized=False)
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL, allow_unsized=allowed))).id)
        if allowed:
            assert (outcome.ok, outcome.assurance, outcome.size) == (True, "none", 5000)
            assert world.disk.content(FINAL) == payload(5000)
        else:
            assert (outcome.state, outcome.cause) == (State.FAILED, "unsized")
            assert "--allow-unsized" in outcome.hint
            assert FINAL not in world.disk.paths()

    run(1, story)


def test_a_body_without_a_length_that_a_digest_vouches_for_is_complete(payload):
    """The digest is a better assurance than any framing."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000), sized=False)
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL, digest=sha(payload(5000))))).id)
        assert (outcome.ok, outcome.assurance) == (True, "digest")

    run(1, story)
