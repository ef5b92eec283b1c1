"""When progress is worth an event."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import checkpoints
from lading.domain.checkpoints import MIB, MOST_PER_SECOND, Budget, due

pytestmark = [pytest.mark.row("S0.1"), pytest.mark.law(9)]


@pytest.mark.parametrize(
    ("unlogged", "elapsed_s", "running", "expected"),
    [
        (0, 1e9, 1, False),
        (64 * MIB, 0.05, 1, True),
        (64 * MIB, 0.04, 1, False),
        (64 * MIB - 1, 4.9, 1, False),
        (MIB, 5.0, 1, True),
        (MIB, 4.9, 1, False),
        (MIB - 1, 59.9, 1, False),
        (1, 60.0, 1, True),
        (MIB, 5.0, 100, True),
        (MIB, 9.9, 200, False),
        (MIB, 10.0, 200, True),
        (1, 119.0, 200, False),
        (1, 120.0, 200, True),
        (64 * MIB, 99.9, 2000, False),
        (64 * MIB, 100.0, 2000, True),
    ],
)
def test_a_checkpoint_is_taken_at_64_mib_or_after_5_or_60_seconds(unlogged, elapsed_s, running, expected):
    """The cadence of the design, stretched where many downloads share the budget."""
    assert due(unlogged, elapsed_s, running) is expected


@given(st.integers(0, 2**40), st.floats(0, 1e6), st.integers(1, 2000), st.integers(0, 2**30), st.floats(0, 1e3))
def test_more_bytes_or_more_time_never_make_a_checkpoint_less_due(unlogged, elapsed_s, running, more, longer_s):
    """What is due stays due."""
    if due(unlogged, elapsed_s, running):
        assert due(unlogged + more, elapsed_s + longer_s, running)


@pytest.mark.parametrize("running", [1, 3, 20, 100, 150, 400, 1000, 2000])
@pytest.mark.parametrize("rate", [50, 300_000, 3 * MIB, 500 * MIB])
def test_an_engine_writes_about_twenty_checkpoints_a_second_at_most(running, rate):
    """Ten simulated minutes, second by second: over each stretch of time in which all take their turn, and in all."""
    seconds, since, unlogged = 600, [-(number % 60) for number in range(running)], [0] * running
    written = [0] * seconds
    for now in range(seconds):
        for number in range(running):
            unlogged[number] += rate
            if due(unlogged[number], now - since[number], running):
                written[now] += 1
                since[number], unlogged[number] = now, 0
    turn = max(1, -(-running // MOST_PER_SECOND))
    for begin in range(0, seconds - turn, turn):
        assert sum(written[begin : begin + turn]) <= turn * MOST_PER_SECOND
    assert sum(written) <= seconds * MOST_PER_SECOND
    assert sum(written) >= running * (seconds // (checkpoints.LATE_S * max(1, running / 100)) - 1)


@given(st.lists(st.floats(0, 0.2), max_size=300))
def test_a_budget_grants_no_more_in_any_second_however_often_it_is_asked(pauses):
    """Even those that were granted a little apart, and took the disk's time to be written, stay below the bound."""
    budget, now_s, granted = Budget(), 0.0, []
    for pause_s in pauses:
        now_s += pause_s
        if budget.take(now_s):
            granted.append(now_s)
    assert not pauses or granted
    for begin_s in granted:
        assert sum(begin_s <= at_s < begin_s + 1 for at_s in granted) <= 0.8 * MOST_PER_SECOND


@pytest.mark.parametrize(
    ("rate", "lost"), [(50, 60 * 50), (300_000, 1_500_000), (3 * MIB, 15 * MIB), (500 * MIB, 500 * MIB)]
)
def test_a_crash_costs_a_lone_download_little(rate, lost):
    """What is not logged yet is at most 64 MiB and a second's worth, five seconds' worth, or a minute of a trickle."""
    since, unlogged, worst = 0, 0, 0
    for now in range(600):
        unlogged += rate
        if due(unlogged, now - since, 1):
            since, unlogged = now, 0
        worst = max(worst, unlogged)
    assert worst <= lost
