"""The longest that one attempt may take: when it is over, what has arrived counts, and the next goes on from there."""

from __future__ import annotations

import itertools

import pytest

from lading.domain import events as e
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S2.4"), pytest.mark.law(9)]

URL = "http://a.example/file.bin"
SIZE = 1_000_000
RATE = 50e3
LIMIT_S = 6.0


def outcome_of(tale, data: bytes, limit_s: float, **served):
    """Download `URL` under a limit, and return the outcome, the story and the world."""

    async def story(world: World):
        world.network.serve(URL, data, rate=RATE, **served)
        async with world.engine(total_timeout_s=limit_s, connections=1) as engine:
            outcome = await engine.wait((await engine.submit(Request(URL, retries=1))).id)
        return outcome, tale(world.log), world

    return run(1, story)


def test_attempt_that_is_over_keeps_what_arrived_and_the_next_goes_on_from_there(tale, payload):
    """Twenty seconds' worth of bytes, in attempts of six: bytes that are new earn the next attempt."""
    data = payload(SIZE)
    outcome, chronicle, world = outcome_of(tale, data, LIMIT_S)
    assert outcome.ok
    assert outcome.attempts == 4
    assert {retry.cause for retry in chronicle.all(e.RetryScheduled)} == {"timeout"}
    ended, started = chronicle.times(e.RetryScheduled), chronicle.times(e.Started)
    for begin, end in zip(started, ended, strict=False):
        assert end - begin == pytest.approx(LIMIT_S, abs=0.1)
    starts = [call.start for call in world.network.calls]
    assert starts == sorted(starts)
    for before, after in itertools.pairwise(starts):
        assert after - before == pytest.approx(RATE * LIMIT_S, rel=0.1)


def test_attempts_that_bring_nothing_new_are_counted(tale, payload):
    """A server that never gets as far as a byte within the limit is given up, and the reason is told."""
    outcome, chronicle, _ = outcome_of(tale, payload(SIZE), 0.001)
    assert outcome.state is State.FAILED
    assert (outcome.attempts, outcome.cause) == (2, "timeout")
    assert "0.001 seconds" in outcome.error
    assert chronicle.all(e.Progressed) == []


def test_without_a_limit_an_attempt_takes_as_long_as_it_takes(tale, payload):
    """Which is the default."""
    outcome, chronicle, _ = outcome_of(tale, payload(SIZE), 0.0)
    assert outcome.ok
    assert len(chronicle.times(e.Started)) == 1
