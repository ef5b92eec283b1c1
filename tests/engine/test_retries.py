"""Retries: what may pass is tried again, in the time that the policy says; what will not pass fails at once."""

from __future__ import annotations

from email.utils import formatdate

import pytest
import trio

from lading.domain import events as e
from lading.domain.faults import POLICIES, Cause
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S0.6"), pytest.mark.row("S1.3")]

URL = "http://a.example/file.bin"


def outcome_of(seed: int, tale, serve, **request):
    """Download `URL` as `serve` has it, and return outcome, chronicle and world."""

    async def story(world: World):
        serve(world)
        async with world.engine() as engine:
            outcome = await engine.wait((await engine.submit(Request(URL, **request))).id)
        return outcome, tale(world.log), world

    return run(seed, story)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 407, 410, 416, 451])
def test_what_will_not_pass_fails_at_once(status, tale, payload):
    """One request, no wait, a cause and something to do about it; nothing is left on the disk."""
    outcome, chronicle, world = outcome_of(1, tale, lambda world: world.network.serve(URL, b"", status=status))
    assert outcome.state is State.FAILED
    assert (outcome.attempts, len(world.network.calls)) == (1, 1)
    assert str(status) in outcome.error
    assert outcome.cause in {"refused", "unauthorised"}
    assert outcome.hint
    assert chronicle.all(e.RetryScheduled) == []
    assert world.disk.paths() == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("retries", [None, 0, 1, 5])
def test_what_may_pass_is_tried_as_often_as_was_said(status, retries, tale):
    """Three times more unless the request says otherwise; each wait at most doubles the one before."""
    outcome, chronicle, world = outcome_of(
        status, tale, lambda world: world.network.serve(URL, b"", status=status), retries=retries
    )
    tries = 1 + (3 if retries is None else retries)
    assert outcome.state is State.FAILED
    assert outcome.attempts == len(world.network.calls) == tries
    first_s = POLICIES[Cause(outcome.cause)].first_delay_s
    failed = [f.at_ns for f in chronicle.facts if isinstance(f.event, e.RetryScheduled)]
    for number, (scheduled, at_ns) in enumerate(zip(chronicle.all(e.RetryScheduled), failed, strict=True)):
        assert 0 <= scheduled.not_before_ns - at_ns <= first_s * 2**number * 1e9


@pytest.mark.parametrize("seed", range(5))
def test_the_next_attempt_starts_when_its_time_has_come(seed, tale):
    """Not before, and not noticeably after."""
    _, chronicle, _ = outcome_of(seed, tale, lambda world: world.network.serve(URL, b"", status=500))
    scheduled = [x.not_before_ns for x in chronicle.all(e.RetryScheduled)]
    started = [f.at_ns for f in chronicle.facts if isinstance(f.event, e.Started)][1:]
    assert len(started) == 3
    for time, at in zip(started, scheduled, strict=True):
        assert 0 <= time - at < 1e6


def test_waits_are_jittered_by_the_seed(tale):
    """So that a thousand clients of one origin do not come back together."""

    def waits(seed: int) -> list[float]:
        _, chronicle, _ = outcome_of(seed, tale, lambda world: world.network.serve(URL, b"", status=500))
        times = chronicle.times(e.RetryScheduled)
        return [x.not_before_ns / 1e9 - at for x, at in zip(chronicle.all(e.RetryScheduled), times, strict=True)]

    assert waits(1) == waits(1) != waits(2)


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_obeyed(as_date, tale, payload):
    """In seconds or as a date; then it succeeds."""

    async def story(world: World) -> None:
        wait = formatdate(world.clock.now_ns() / 1e9 + 100, usegmt=True) if as_date else "100"
        served = world.network.serve(URL, payload(1000), status=503, retry_after=wait)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(1)
            served.status = None
            (row,) = await engine.listing()
            assert row["state"] == "waiting"
            assert "503" in row["why"]
            outcome = await engine.wait(id)
        assert outcome.ok
        first, second = tale(world.log).times(e.Started)
        assert second - first == pytest.approx(100, abs=1)

    run(1, story)


def test_the_budget_comes_back_with_bytes_that_are_new(tale, payload):
    """Many breaks, each further on than the one before, cost nothing in the end."""

    def serve(world: World) -> None:
        world.network.serve(URL, payload(500_000), rate=50e3, break_after=50_000)

    outcome, chronicle, _ = outcome_of(1, tale, serve, retries=1)
    assert outcome.ok
    assert outcome.attempts >= 10
    assert outcome.resumed_from > 450_000
    assert len(chronicle.all(e.RetryScheduled)) == outcome.attempts - 1


def test_a_server_that_always_breaks_at_one_place_ends_as_failed(tale, payload):
    """Getting there again is no progress: without ranges each attempt begins at byte 0."""

    def serve(world: World) -> None:
        world.network.serve(URL, payload(500_000), ranges=False, rate=50e3, break_after=200_000)

    outcome, chronicle, _ = outcome_of(1, tale, serve)
    assert outcome.state is State.FAILED
    assert outcome.attempts == 4
    assert chronicle.all(e.Failed)[0].cause == "broken-body"


def test_a_fresh_retry_by_a_person_has_a_fresh_budget(tale, payload):
    """And goes on from what was kept."""

    async def story(world: World) -> None:
        data = payload(400_000)
        served = world.network.serve(URL, data, rate=50e3, break_after=150_000)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, retries=0))).id
            outcome = await engine.wait(id)
            assert (outcome.state, outcome.cause, outcome.path) == (State.FAILED, "broken-body", None)
            served.break_after = None
            await engine.retry(id)
            outcome = await engine.wait(id)
            assert (outcome.ok, outcome.resumed_from, outcome.attempts) == (True, 150_000, 2)
        assert world.disk.content("/downloads/file.bin") == data
        assert world.disk.paths() == ["/downloads/file.bin"]

    run(1, story)


@pytest.mark.parametrize("gone_s", [0.6, 3.0])
def test_a_network_that_goes_away_for_a_while_costs_no_bytes(gone_s, tale, payload):
    """The transfer goes on from where it was."""

    async def story(world: World) -> None:
        data = payload(300_000)
        world.network.serve(URL, data, rate=30e3)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, retries=20))).id
            await trio.sleep(5)
            world.network.online = False
            await trio.sleep(gone_s)
            world.network.online = True
            outcome = await engine.wait(id)
        assert outcome.ok
        assert outcome.resumed_from > 130_000
        assert world.disk.content("/downloads/file.bin") == data
        assert {x.cause for x in tale(world.log).all(e.RetryScheduled)} == {"network"}

    run(1, story)


def test_a_digest_that_does_not_match_fails_and_leaves_no_file(tale, payload):
    """After one more try, in case the first was a bad copy."""
    wrong = "sha256:" + "0" * 64
    outcome, chronicle, world = outcome_of(1, tale, lambda w: w.network.serve(URL, payload(9000)), digest=wrong)
    assert outcome.state is State.FAILED
    assert outcome.cause == "digest-mismatch"
    assert wrong in outcome.error
    assert "digest" in outcome.hint
    assert outcome.attempts == 2
    assert len(chronicle.all(e.Restarted)) == 2
    assert world.disk.paths() == []


def test_another_source_takes_over_and_is_recorded(tale, payload):
    """The first has it no more; the second has it."""

    def serve(world: World) -> None:
        world.network.serve("http://b.example/copy.bin", payload(9000))

    outcome, chronicle, _ = outcome_of(1, tale, serve, mirrors=("http://b.example/copy.bin",), retries=0)
    assert outcome.ok
    assert outcome.path == "/downloads/file.bin"
    (fell_back,) = chronicle.all(e.FellBack)
    assert (fell_back.source, fell_back.cause) == (1, "refused")
    assert [x.source for x in chronicle.all(e.Started)] == [0, 1]
