"""Several connections for one file: faster where that helps, harmless where not, and never at the price of a law."""

from __future__ import annotations

import hashlib
import random

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import events as e
from lading.domain.replies import OVERLAP_BYTES
from lading.domain.requests import Request
from lading.testing.network import MemoryNetwork, MemoryReply
from lading.testing.simulation import World, run

pytestmark = pytest.mark.row("S2.4")

URL, MIRROR, FINAL = "http://a.example/file.bin", "http://b.example/file.bin", "/downloads/file.bin"
MIB = 1024 * 1024
SIZE = 40 * MIB + 12_345
RATE = 2 * MIB
CONTENT = random.Random(0).randbytes(SIZE)
"""No fixture: where a test fails, hypothesis would print it."""


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def fetch(unlawful, *, content: bytes = CONTENT, seed: int = 1, settings=None, served=None, meddle=None, **request):
    """Fetch a file of which each connection gets `RATE`; return outcome, seconds, calls and events."""

    async def story(world: World):
        origin = world.network.serve(URL, content, **{"rate": RATE, **(served or {})})
        async with world.engine(**(settings or {})) as engine:
            began_s = trio.current_time()
            id = (await engine.submit(Request(URL, **request))).id
            async with trio.open_nursery() as nursery:
                if meddle is not None:
                    nursery.start_soon(meddle, world, origin)
                outcome = await engine.wait(id)
                took_s = trio.current_time() - began_s
                nursery.cancel_scope.cancel()
            assert unlawful(world, {URL: content}) == []
            assert not +engine._s.board.connections
            facts = await engine._s.journal.facts(id)
        if outcome.ok:
            assert world.disk.content(FINAL) == content
            assert outcome.digest == digest(content)
        return outcome, took_s, world.network.calls, [fact.event for fact in facts]

    return run(seed, story)


def test_where_each_connection_is_limited_more_of_them_are_faster(unlawful):
    """More than twice as fast as one, learning the number included."""
    _, alone_s, calls, _ = fetch(unlawful, connections=1)
    assert (len(calls), round(alone_s)) == (1, SIZE // RATE)
    outcome, took_s, calls, _ = fetch(unlawful)
    assert outcome.ok
    assert took_s < alone_s / 2
    assert all(call.if_range for call in calls[1:])


def test_no_more_connections_than_are_allowed(unlawful):
    """By the request, by the setting, or by what the host may have."""
    for options in ({"connections": 2}, {"settings": {"connections": 2}}, {"settings": {"per_host": 2}}):
        most = 0

        async def watch(world, origin):
            nonlocal most
            while True:
                most = max(most, len(world.network.open))
                await trio.sleep(0.1)

        outcome, _, calls, _ = fetch(unlawful, meddle=watch, **options)
        assert outcome.ok
        assert most == 2
        assert len(calls) > 2


def test_a_server_without_ranges_costs_a_question_and_no_bytes(unlawful):
    """What a second connection asks is refused, and the first goes on to the end."""
    outcome, took_s, calls, events = fetch(unlawful, served={"ranges": False})
    assert (outcome.ok, outcome.attempts, len(calls)) == (True, 1, 2)
    assert took_s < SIZE / RATE + 1
    assert not any(isinstance(event, e.Restarted) for event in events)


def test_what_proves_nothing_is_not_split(unlawful):
    """Without a strong validator or a digest nobody could tell that two ranges are of one version (law 4)."""
    for served, expected in (({"etag": 'W/"x"', "headers": {"last-modified": ""}}, 1), ({"etag": None}, 2)):
        outcome, _, calls, _ = fetch(unlawful, served=served)
        assert outcome.ok
        assert (len(calls) > 1) is (expected > 1)


@pytest.mark.law(4)
def test_a_file_that_changes_meanwhile_is_never_spliced(payload, unlawful):
    """The first connection finishes the old version, or all begins anew with the new one."""
    other = payload(SIZE, 7)

    async def change(world, origin):
        await trio.sleep(5)
        origin.replace(other)

    async def story(world: World):
        origin = world.network.serve(URL, CONTENT, rate=RATE)
        async with world.engine() as engine, trio.open_nursery() as nursery:
            nursery.start_soon(change, world, origin)
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
        assert outcome.ok
        assert world.disk.content(FINAL) in {CONTENT, other}

    run(3, story)


@pytest.mark.law(2)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 999), after=st.integers(1_500_000, 6_000_000))
@pytest.mark.long
def test_connections_that_break_are_made_up_for(seed, after, unlawful):
    """Each gives back what it has not fetched; bytes that arrived are not fetched again."""
    outcome, _, calls, events = fetch(unlawful, seed=seed, served={"break_after": after})
    assert outcome.ok
    assert not any(isinstance(event, e.Restarted | e.PieceRejected) for event in events)
    assert sum(min(after, (call.end or SIZE) - call.start) for call in calls) + after >= SIZE


@pytest.mark.law(2)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 999), after_s=st.floats(3.5, 7.5), power=st.booleans())
@pytest.mark.long
def test_what_was_logged_of_several_connections_is_kept_across_a_crash(seed, after_s, power, unlawful):
    """The next engine fetches the gaps, and nothing that the log vouches for."""

    async def story(world: World):
        world.network.serve(URL, CONTENT, rate=RATE)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(after_s)
            later = world.fork(seed)
        if power:
            later.disk.crash(lambda: later.chance.uniform(0, 1) < 0.5)
        assert unlawful(later, {URL: CONTENT}) == []
        asked = len(world.network.calls)
        async with later.engine() as engine:
            held = (await engine.get(id)).received
            outcome = await engine.wait(id)
        assert (outcome.ok, outcome.attempts) == (True, 2)
        assert later.disk.content(FINAL) == CONTENT
        calls = later.network.calls[asked:]
        assert sum((call.end or SIZE) - call.start for call in calls[:1]) <= SIZE - held
        return held

    assert run(seed, story) >= 0


def test_a_pause_keeps_every_byte_of_every_connection(unlawful):
    """What was held in several places when it was stopped is where it goes on."""

    async def story(world: World):
        world.network.serve(URL, CONTENT, rate=RATE)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(7.3)
            (paused,) = await engine.pause(id)
            assert len(paused.durable) > 1
            assert paused.received > 20 * MIB
            await engine.resume(id)
            outcome = await engine.wait(id)
        assert (outcome.ok, outcome.resumed_from) == (True, paused.received)
        assert world.disk.content(FINAL) == CONTENT

    run(5, story)


def test_a_line_that_has_fallen_asleep_is_begun_anew(unlawful):
    """It does not wait for the stall to time out, not even when it is the last one left."""

    async def doze(world, origin):
        await trio.sleep(6.5)
        for reply in world.network.open[-2:]:
            reply.asleep = True

    outcome, took_s, _, _events = fetch(unlawful, meddle=doze)
    assert (outcome.ok, outcome.attempts) == (True, 1)
    assert took_s < SIZE / RATE


def mirrored(unlawful, mirror: dict, **request):
    """Fetch a file that two sources have, with its digest."""

    async def story(world: World):
        world.network.serve(URL, CONTENT, rate=RATE)
        world.network.serve(MIRROR, **{"data": CONTENT, "rate": RATE, "etag": '"of the mirror"', **mirror})
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, mirrors=(MIRROR,), digest=digest(CONTENT), **request))).id
            outcome = await engine.wait(id)
            facts = await engine._s.journal.facts(id)
        assert outcome.ok
        assert world.disk.content(FINAL) == CONTENT
        return outcome, [fact.event for fact in facts], {call.url for call in world.network.calls}

    return run(2, story)


@pytest.mark.row("S2.1")
@pytest.mark.law(4)
def test_mirrors_are_used_side_by_side_where_a_digest_judges_them(unlawful):
    """Each answers under its own validators, and the log says of each piece whose it was."""
    outcome, events, asked = mirrored(unlawful, {})
    assert (outcome.attempts, outcome.assurance, asked) == (1, "digest", {URL, MIRROR})
    (joined,) = [event for event in events if isinstance(event, e.Joined)]
    assert (joined.source, joined.url, joined.validator.etag) == (1, MIRROR, '"of the mirror"')
    sources = {piece.source for event in events if isinstance(event, e.Progressed) for piece in event.pieces}
    assert sources == {None, 1}


@pytest.mark.row("S2.1")
@pytest.mark.law(4)
@pytest.mark.parametrize(
    "mirror",
    [{"status": 404}, {"ranges": False}, {"data": b"short"}, {"break_after": 0}, {"status": 503, "retry_after": "9"}],
    ids=["missing", "no ranges", "another size", "breaks", "busy"],
)
def test_a_mirror_that_does_not_serve_is_left_alone(unlawful, mirror):
    """The file comes from the other one, in one attempt."""
    outcome, _, _ = mirrored(unlawful, mirror)
    assert outcome.attempts == 1


@pytest.mark.row("S2.1")
@pytest.mark.law(4)
def test_a_mirror_that_has_other_bytes_is_found_out_before_any_of_them_are_taken(payload, unlawful):
    """It is asked for some that are held already."""
    outcome, events, _ = mirrored(unlawful, {"data": payload(SIZE, 9)})
    assert outcome.attempts == 1
    assert {p.source for event in events if isinstance(event, e.Progressed) for p in event.pieces} == {None}


@pytest.mark.row("S2.1")
@pytest.mark.law(4)
def test_a_mirror_that_lies_costs_a_second_attempt_by_the_first_source_alone(payload, unlawful):
    """Where it does so with care only the digest tells, at the end; then sources are not mixed again."""
    outcome, events, _ = mirrored(unlawful, {"data": CONTENT[: 8 * MIB] + payload(SIZE - 8 * MIB, 9)})
    assert outcome.attempts == 2
    assert sum(isinstance(event, e.Joined) for event in events) == 1
    assert not any(isinstance(event, e.FellBack) for event in events)


@pytest.mark.row("S2.1")
def test_when_the_first_source_dies_its_mirror_goes_on(unlawful):
    """Without another attempt."""

    async def story(world: World):
        world.network.serve(URL, CONTENT, rate=RATE, break_after=15 * MIB)
        world.network.serve(MIRROR, CONTENT, rate=RATE)
        async with world.engine() as engine:
            request = Request(URL, mirrors=(MIRROR,), digest=digest(CONTENT))
            outcome = await engine.wait((await engine.submit(request)).id)
        assert (outcome.ok, outcome.attempts) == (True, 1)
        assert world.disk.content(FINAL) == CONTENT

    run(4, story)


def test_what_is_to_be_slow_needs_no_second_connection(unlawful):
    """A limited rate is reached by one; the user may say otherwise."""
    _, _, calls, _ = fetch(unlawful, content=CONTENT[: 8 * MIB], limit_rate=MIB)
    assert len(calls) == 1


def test_a_file_that_is_soon_there_is_left_to_one(unlawful):
    """A second connection would come too late to help."""
    _, _, calls, _ = fetch(unlawful, served={"rate": 20 * MIB})
    assert len(calls) == 1


@pytest.mark.law(8)
def test_a_seed_tells_what_several_connections_do(unlawful):
    """Who fetches what follows from the seed."""

    async def story(world: World):
        world.network.serve(URL, CONTENT, rate=RATE, break_after=5 * MIB)
        async with world.engine() as engine:
            await engine.wait((await engine.submit(Request(URL))).id)
        return world.fingerprint()

    assert run(6, story) == run(6, story)


def test_where_the_line_is_the_limit_nothing_is_lost_by_trying(unlawful):
    """A second connection is tried, brings nothing, and goes; the file is there as soon as with one."""
    served = {"shared": True}
    _, alone_s, _, _ = fetch(unlawful, served=served, connections=1)
    _, took_s, calls, _ = fetch(unlawful, served=served)
    assert len(calls) > 1
    assert took_s < alone_s * 1.02


def test_a_server_that_says_one_range_and_sends_another_gets_no_second_connection(unlawful):
    """It sends the file from its beginning under the right Content-Range; no byte of that is taken (1)."""

    class Liar(MemoryNetwork):
        def answer(self, call):
            honest = super().answer(call)
            return honest if call.range is None else MemoryReply(
                honest.head, memoryview(CONTENT)[: (call.end or SIZE) - call.start], honest.served, lambda: True
            )  # fmt: skip

    async def story(world: World):
        world.network = Liar()
        world.network.serve(URL, CONTENT, rate=RATE)
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
        assert (outcome.ok, outcome.attempts) == (True, 1)
        assert world.disk.content(FINAL) == CONTENT
        assert len(world.network.calls) == 2

    run(1, story)


class Twisted(MemoryNetwork):
    """A network whose answers to ranges are made by `twist` of the call and the honest answer, if it makes one."""

    def __init__(self, twist) -> None:
        super().__init__()
        self.twist = twist

    def answer(self, call):
        honest = super().answer(call)
        return (self.twist(call, honest) if call.range is not None else None) or honest


def other_bytes(honest: MemoryReply, body: bytes) -> MemoryReply:
    return MemoryReply(honest.head, memoryview(body), honest.served, lambda: True)


@pytest.mark.law(4)
@pytest.mark.parametrize("lies", [False, True])
@pytest.mark.parametrize("connections", [1, 4])
def test_a_hole_at_the_beginning_is_filled_only_by_a_server_that_proves_itself(lies, connections, tale, unlawful):
    """The first piece was damaged on the disk: nothing lies before the hole that an answer could be compared with."""

    async def story(world: World):
        world.network.serve(URL, CONTENT, rate=RATE)
        async with world.engine():
            pass
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, connections=connections))).id
            await trio.sleep(6)
            await engine.pause(id)
        (part,) = [path for path in world.disk.paths() if path.endswith(".part")]
        world.disk.put(part, b"\1" + world.disk.content(part)[1:])
        if lies:
            files, world.network = world.network.files, Twisted(
                lambda call, honest: other_bytes(honest, CONTENT[: (call.end or SIZE) - call.start])
            )  # fmt: skip
            world.network.files = files
        async with world.engine() as engine:
            await engine.resume(id)
            outcome = await engine.wait(id)
        assert outcome.ok
        assert world.disk.content(FINAL) == CONTENT
        assert bool(tale(world.log).all(e.Restarted)) is lies

    run(1, story)


@pytest.mark.law(9)
def test_a_file_that_is_there_waits_for_nobody(unlawful):
    """A second connection that is let in and never answered does not keep a finished file from its name."""

    def silent(call, honest):
        honest.asleep = True
        return honest

    async def story(world: World):
        world.network = Twisted(silent)
        world.network.serve(URL, CONTENT, rate=RATE)
        async with world.engine() as engine:
            began_s = trio.current_time()
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
            assert (outcome.ok, outcome.attempts) == (True, 1)
            assert trio.current_time() - began_s < SIZE / RATE + 2

    run(1, story)


@pytest.mark.law(4)
def test_a_mirror_that_took_part_before_a_pause_is_not_forgotten(payload, unlawful):
    """When the digest does not fit, the attempt's own source has its turn alone, whenever the mirror was asked."""

    async def story(world: World):
        world.network.serve(URL, CONTENT, rate=RATE)
        lie = CONTENT[: 8 * MIB] + payload(20 * MIB, 9) + CONTENT[28 * MIB :]
        mirror = world.network.serve(MIRROR, lie, rate=RATE)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, mirrors=MIRROR, digest=digest(CONTENT), connections=2))).id
            await trio.sleep(9)
            await engine.pause(id)
            mirror.status = 404
            await engine.resume(id)
            await trio.sleep(3)
            mirror.status = None
            outcome = await engine.wait(id)
        assert outcome.ok
        assert world.disk.content(FINAL) == CONTENT

    run(2, story)


def test_a_mirror_that_sends_too_much_is_left_alone(unlawful):
    """What the own source sent is kept."""

    def longer(call, honest):
        if call.url != MIRROR:
            return None
        headers = {k: v for k, v in honest.head.headers.items() if k != "content-length"}
        head = attrs.evolve(honest.head, headers=headers | {"transfer-encoding": "chunked"})
        return MemoryReply(head, memoryview(bytes(honest._body) + b"!"), honest.served, lambda: True)

    async def story(world: World):
        world.network = Twisted(longer)
        for url in (URL, MIRROR):
            world.network.serve(url, CONTENT, rate=RATE)
        async with world.engine() as engine:
            request = Request(URL, mirrors=MIRROR, digest=digest(CONTENT))
            outcome = await engine.wait((await engine.submit(request)).id)
        assert (outcome.ok, outcome.attempts) == (True, 1)
        assert world.disk.content(FINAL) == CONTENT

    run(1, story)


@pytest.mark.law(9)
@pytest.mark.parametrize("way", ["crumbs", "from the beginning"])
def test_a_server_that_makes_ranges_dear_gets_few_questions(way, unlawful):
    """Sixty-four bytes of what was asked for, or all that is before it as well: soon one connection is enough."""

    def dear(call, honest):
        if call.end is None or call.end - call.start <= OVERLAP_BYTES:
            return None
        start, end = (call.start, call.start + 64) if way == "crumbs" else (0, call.end)
        headers = honest.head.headers | {
            "content-range": f"bytes {start}-{end - 1}/{SIZE}",
            "content-length": str(end - start),
        }
        head = attrs.evolve(honest.head, headers=headers)
        return MemoryReply(head, memoryview(CONTENT)[start:end], honest.served, lambda: True)

    async def story(world: World):
        world.network = Twisted(dear)
        world.network.serve(URL, CONTENT, rate=RATE)
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
        assert outcome.ok
        assert outcome.attempts <= 4
        assert world.disk.content(FINAL) == CONTENT
        assert len(world.network.calls) < 60

    run(1, story)


@pytest.mark.law(2)
def test_a_full_disk_is_told_even_when_the_body_broke_at_the_same_time(unlawful):
    """Room can come back; what is said of the connection would hide that."""

    async def story(world: World):
        world.network.serve(URL, CONTENT, break_after=3 * MIB)
        world.disk.room = 1 * MIB
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(1)
            assert (await engine.get(id)).blocked == "disk"

    run(1, story)
