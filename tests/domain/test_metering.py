"""Metering: what is sold keeps to the rate, in order, and nobody starves; a changed rate never gives more."""

from __future__ import annotations

import heapq
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain.metering import BURST_S, LEAST_QUANTUM, MOST_QUANTUM, TICK_S, TURNS_A_S, Bucket, Ticket, quantum

pytestmark = pytest.mark.row("S2.11")

RATES = st.floats(1_000, 100e6)
NOTHING = 1e-6


def use(
    bucket: Bucket, until_s: float, sharers: int, pauses=lambda _: 0.0, changes=()
) -> list[list[tuple[float, int]]]:
    """Have sharers receive a quantum and wait for it, again and again; return when each received how much.

    `pauses` tells how long a sharer's network lets it wait before each receive; `changes` are (time, rate).
    """
    taken: list[list[tuple[float, int]]] = [[] for _ in range(sharers)]
    waiting: list[tuple[float, int, int, Ticket | None]] = [(0.0, n, n, None) for n in range(sharers)]
    number, left = itertools.count(sharers), sorted(changes)
    while waiting:
        at_s, turn, who, ticket = heapq.heappop(waiting)
        if left and left[0][0] <= at_s:
            changed_s, rate = left.pop(0)
            bucket.change(rate, changed_s)
            everybody = [*waiting, (at_s, turn, who, ticket)]
            waiting = [(changed_s if t is not None else max(s, changed_s), n, w, t) for s, n, w, t in everybody]
            heapq.heapify(waiting)
            continue
        if at_s > until_s:
            continue
        wait_s = bucket.wait_s(ticket, at_s) if ticket is not None else 0.0
        if bucket.rate == 0.0:
            wait_s = left[0][0] - at_s if left else until_s
        if wait_s > 0:
            heapq.heappush(waiting, (at_s + max(wait_s, 1e-9), next(number), who, ticket))
        elif ticket is not None and (pause_s := pauses(who)) > 0:
            heapq.heappush(waiting, (at_s + pause_s, next(number), who, None))
        else:
            size = quantum(bucket.rate, sharers)
            taken[who].append((at_s, size))
            heapq.heappush(waiting, (at_s, next(number), who, bucket.take(size, at_s)))
    return taken


def jain(shares) -> float:
    """Jain's index of fairness: 1 where all are equal."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


@given(rate=RATES, sharers=st.integers(1, 12))
def test_what_is_sold_is_the_rate_and_everybody_gets_the_same(rate, sharers):
    """Never more than was earned and what each has in hand; after ten seconds next to nothing less either."""
    until_s = 10.0
    taken = use(Bucket(rate), until_s, sharers)
    events = sorted(itertools.chain(*taken))
    in_hand = sharers * quantum(rate, sharers)
    sold = 0
    for at_s, size in events:
        sold += size
        assert sold <= rate * (at_s + BURST_S) + in_hand + 1
    assert sold >= rate * until_s - in_hand - 1
    whole_turns = rate * until_s / in_hand
    if whole_turns >= 30:
        assert jain([sum(size for _, size in each) for each in taken]) >= 0.99


@given(rate=RATES, idle_s=st.floats(0, 1e6), gaps=st.lists(st.floats(0, 3), max_size=30))
def test_idle_time_is_not_saved_up(rate, idle_s, gaps):
    """Between any two moments no more is earned than their time is worth, and a burst."""
    bucket, now_s = Bucket(rate), idle_s
    free: list[tuple[float, float]] = []
    for gap_s in gaps:
        now_s += gap_s
        size = rate / 7
        ticket = bucket.take(size, now_s)
        now_s += bucket.wait_s(ticket, now_s)
        free.append((now_s, size))
    for first in range(len(free)):
        sold = 0.0
        for at_s, size in free[first:]:
            sold += size
            assert sold - free[first][1] <= rate * (at_s - free[first][0] + BURST_S) * (1 + NOTHING) + 1


@given(
    rate=RATES,
    steps=st.lists(
        st.tuples(st.floats(0, 0.5), st.integers(1, 100_000), st.none() | st.floats(1_000, 100e6)), max_size=40
    ),
)
def test_tickets_are_served_in_order_and_none_is_forgotten(rate, steps):
    """Whoever came first never waits longer, nobody longer than all that was sold takes; what is free stays so."""
    bucket, now_s, tickets, free = Bucket(rate), 0.0, [], set()
    for gap_s, size, changed in steps:
        now_s += gap_s
        tickets.append(bucket.take(size, now_s))
        if changed is not None:
            bucket.change(changed, now_s)
        waits = [bucket.wait_s(ticket, now_s) for ticket in tickets]
        assert waits == sorted(waits)
        assert waits[-1] <= sum(size for _, size, _ in steps) / min([rate, *(c for _, _, c in steps if c)]) + 1e-3
        assert all(waits[n] * bucket.rate <= TICK_S * 100e6 for n in free)
        free |= {n for n, wait_s in enumerate(waits) if wait_s == 0}


@given(
    rates=st.lists(st.sampled_from([0.0, 2e3, 1e5, 3e6]) | st.floats(1_000, 10e6), min_size=1, max_size=40),
    sharers=st.integers(1, 5),
    until_s=st.sampled_from([0.01, 1.0, 5.0]),
)
def test_a_rate_that_changes_never_gives_more_than_the_larger_one_would(rates, sharers, until_s):
    """However often it changes, and to nothing and back."""
    most = max(rates)
    changes = [(until_s * n / len(rates), rate) for n, rate in enumerate(rates)]
    taken = use(Bucket(rates[0]), until_s, sharers, changes=changes)
    sold, in_hand = 0, sharers * quantum(most, sharers)
    for at_s, size in sorted(itertools.chain(*taken)):
        sold += size
        assert sold <= most * (at_s + BURST_S) + in_hand + 1


def test_who_cannot_use_their_share_leaves_it_to_others():
    """One that gets a tenth of its share from its network; the others divide the rest."""
    rate, sharers = 1e6, 4
    size = quantum(rate, sharers)
    slow_s = 10 * size / (rate / sharers)
    taken = use(Bucket(rate), 20.0, sharers, pauses=lambda who: slow_s if who == 0 else 0.0)
    shares = [sum(size for _, size in each) / 20.0 for each in taken]
    assert sum(shares) == pytest.approx(rate, rel=0.02)
    assert shares[0] < 0.12 * rate / sharers
    assert jain(shares[1:]) > 0.999


def test_who_was_told_to_go_slower_has_not_to_make_up_for_having_been_faster():
    """What is owed takes as long as it would have taken; and a faster rate sets free at once."""
    bucket = Bucket(1e6)
    ticket = bucket.take(100_000, 0.0)
    bucket.change(1e3, 0.0)
    assert bucket.wait_s(ticket, 0.0) == pytest.approx(0.1)
    ticket = bucket.take(1000, 0.0)
    assert bucket.wait_s(ticket, 0.0) == pytest.approx(1.1)
    bucket.change(1e6, 0.0)
    assert bucket.wait_s(ticket, 0.0) == pytest.approx(0.101)
    bucket.change(None, 0.0)
    assert bucket.wait_s(ticket, 0.0) == 0.0
    assert bucket.owing_s(0.0) == 0.0


def test_a_rate_of_nothing_keeps_everybody_waiting():
    """Until there is another."""
    bucket = Bucket(0.0)
    ticket = bucket.take(1, 0.0)
    assert bucket.wait_s(ticket, 1e9) == float("inf")
    assert bucket.owing_s(1e9) == float("inf")
    bucket.change(1.0, 1e9)
    assert bucket.wait_s(ticket, 1e9) == 1.0


@given(rate=st.floats(0, 1e12), sharers=st.integers(0, 100_000))
def test_a_turn_is_small_and_worth_it(rate, sharers):
    """About so many turns a second each, within bounds."""
    size = quantum(rate, sharers)
    assert LEAST_QUANTUM <= size <= MOST_QUANTUM
    if LEAST_QUANTUM < size < MOST_QUANTUM:
        assert size * TURNS_A_S * max(1, sharers) == pytest.approx(rate, rel=0.01, abs=TURNS_A_S * max(1, sharers))
