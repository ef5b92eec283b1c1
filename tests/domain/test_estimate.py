"""Rates and estimates, on a virtual clock: how far off they are is a law, not an impression."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import estimate
from lading.domain.estimate import SAMPLE_EVERY_S, Meter

pytestmark = [pytest.mark.row("S0.2"), pytest.mark.row("S0.6")]

MB = 1_000_000
TOTAL = 600 * MB
STEP_S = 40.0
SETTLED_S = 10.0
Rate = Callable[[float, random.Random], float]

STEADY: dict[str, Rate] = {
    "steady": lambda _, __: 5 * MB,
    "slow": lambda _, __: 0.9 * MB,
    "jitter": lambda _, chance: 5 * MB * chance.uniform(0.5, 1.5),
    "heavy jitter": lambda _, chance: 5 * MB * chance.paretovariate(1.8) / 2.25,
    "slow start": lambda at, _: 5 * MB * min(1.0, at / 5),
    "bursts of 0.2 s": lambda at, _: 10 * MB if at % 0.5 < 0.2 else 0,
    "bursts of 1 s": lambda at, _: 20 * MB if at % 4 < 1 else 0,
    "bursts of 3 s": lambda at, _: 10 * MB if at % 7 < 3 else 0,
    "bursts of 5 s": lambda at, _: 10 * MB if at % 10 < 5 else 0,
    "lumps of 3 s": lambda at, _: 120 * MB if at % 3 < 0.1 else 0,
    "saw": lambda at, _: 10 * MB * (at % 8) / 8,
}
STEPPED: dict[str, Rate] = {
    f"{name} by {factor:g}": lambda at, chance, factor=factor, spread=spread: (
        4 * MB * (factor if at >= STEP_S else 1.0) * chance.uniform(1 - spread, 1 + spread)
    )
    for factor in (4.0, 2.0, 1.5, 0.5, 0.25)
    for name, spread in (("step", 0.0), ("jittery step", 0.5))
}


def errors(rate: Rate, *, after_s: float = SETTLED_S, until_s: float = 1e9, look_s: float = 0.5) -> list[float]:
    """Let a transfer run at `rate` and return the relative errors of its estimates against when it really ended."""
    chance, meter = random.Random(7), Meter(0.0)
    at, arrived, looks = 0.0, 0.0, []
    while arrived < TOTAL:
        at += 0.1
        before, arrived = int(arrived), min(TOTAL, arrived + rate(at, chance) * 0.1)
        if int(arrived) > before:
            meter.add(int(arrived) - before, at)
        if (at / look_s) % 1 < 0.1 / look_s:
            looks.append((at, estimate.eta(int(arrived), TOTAL, meter.rate(at))))
    told = [(then, eta) for then, eta in looks if after_s <= then <= min(until_s, at - 1.0)]
    return [abs(eta - (at - then)) / (at - then) if eta is not None else 1.0 for then, eta in told]


@pytest.mark.parametrize("shape", STEADY)
def test_ten_seconds_in_the_median_estimate_is_within_a_fifth(shape):
    """At a steady rate, however it jitters or bursts."""
    found = errors(STEADY[shape])
    assert len(found) > 50
    assert statistics.median(found) <= 0.20


@pytest.mark.parametrize("shape", STEPPED)
def test_ten_seconds_after_a_step_the_median_estimate_is_within_a_fifth(shape):
    """Up or down, by a little or by a lot."""
    for until_s in (STEP_S + 2 * SETTLED_S, 1e9):
        found = errors(STEPPED[shape], after_s=STEP_S + SETTLED_S, until_s=until_s)
        assert len(found) >= 10
        assert statistics.median(found) <= 0.20


@pytest.mark.parametrize("factor", [4.0, 0.25])
def test_a_step_shows_within_seconds(factor):
    """Five seconds after it the rate is within a quarter of what it is now."""
    meter, at = Meter(0.0), 0.0
    while at < 65.0:
        at += 0.1
        meter.add(int((factor if at >= 60.0 else 1.0) * MB / 10), at)
        meter.rate(at)
    assert meter.rate(at) == pytest.approx(factor * MB, rel=0.25)


def test_a_hiccup_does_not_show():
    """A second without a byte changes the rate by little."""
    meter, at = Meter(0.0), 0.0
    while at < 60.0:
        at += 0.1
        if not 55.0 < at < 56.0:
            meter.add(MB // 10, at)
    assert meter.rate(at) == pytest.approx(MB, rel=0.1)


def test_how_often_somebody_looks_changes_little():
    """An estimate is of the transfer, not of its watcher."""
    often, seldom = (
        statistics.median(errors(STEPPED["step by 4"], after_s=STEP_S + SETTLED_S, look_s=look_s))
        for look_s in (0.1, 10.0)
    )
    assert abs(often - seldom) < 0.1


@given(st.integers(0, 10**15))
def test_resumed_bytes_do_not_count_as_speed(resumed):
    """What was there before makes nothing faster, only less to do."""
    meter = Meter(100.0)
    for second in range(1, 21):
        meter.add(MB, 100.0 + second)
    rate = meter.rate(120.0)
    assert rate == pytest.approx(MB)
    assert meter.received == 20 * MB
    assert estimate.eta(resumed + 20 * MB, resumed + 30 * MB, rate) == pytest.approx(10.0)


def test_a_stalled_transfer_has_no_estimate():
    """After the window has gone by without a byte, nobody can know."""
    meter = Meter(0.0)
    for tick in range(100):
        meter.add(MB, tick / 10)
    assert meter.rate(60.0) == 0.0
    assert estimate.eta(1, 2, meter.rate(60.0)) is None


def test_too_little_to_tell_is_unknown():
    """Right after the beginning there is no rate, and neither is there one out of nothing."""
    meter = Meter(5.0)
    assert meter.rate(5.0) is None
    meter.add(MB, 5.1)
    assert meter.rate(5.1) is None
    assert meter.rate(5.0 + 2 * SAMPLE_EVERY_S) is not None


@pytest.mark.parametrize(
    ("received", "total", "rate", "expected"),
    [
        (0, None, 5.0, None),
        (0, 10, None, None),
        (0, 10, 0.0, None),
        (0, 10, -1.0, None),
        (0, 10, 5.0, 2.0),
        (10, 10, 5.0, 0.0),
        (15, 10, 5.0, 0.0),
    ],
)
def test_an_estimate_is_what_is_left_over_the_rate_or_unknown(received, total, rate, expected):
    """Unknown is None, never zero and never infinite; and no estimate lies in the past."""
    assert estimate.eta(received, total, rate) == expected


@given(st.integers(0, 2**60), st.none() | st.integers(0, 2**60))
def test_no_share_is_above_a_hundred_per_cent(received, total):
    """Nor below nothing; and of an unknown total there is none."""
    share = estimate.percent(received, total)
    assert share is None if total is None else 0.0 <= share <= 100.0
    if total:
        assert (share == 100.0) == (received >= total) or received / total > 0.999


def test_the_share_of_an_empty_file_is_all_of_it():
    """It is there."""
    assert estimate.percent(0, 0) == 100.0
    assert estimate.percent(1, 4) == 25.0


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 100)), max_size=200))
def test_the_meter_stays_small_and_never_goes_below_nothing(arrivals):
    """Whatever arrives when: bounded memory, no negative rate, no error (law 9)."""
    meter, at = Meter(0.0), 0.0
    for count, pause_s in arrivals:
        at += pause_s
        meter.add(count, at)
        rate = meter.rate(at)
        assert rate is None or rate >= 0
    assert meter.received == sum(count for count, _ in arrivals)
    assert len(meter._samples) <= estimate.LONG_S / SAMPLE_EVERY_S + 3
