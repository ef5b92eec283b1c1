"""What to run next, against a model that looks at everything."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import scheduling
from lading.domain.scheduling import NOWHERE, Candidate, Limits

pytestmark = [pytest.mark.row("S1.1"), pytest.mark.law(9)]

HOSTS = st.sampled_from(("a:443", "b:443", "c:80"))
IDS = st.integers(0, 12).map(lambda number: UUID(int=number))
RUNNING = st.dictionaries(IDS, HOSTS, max_size=6)
LIMITS = st.builds(Limits, concurrency=st.integers(0, 6), per_host=st.none() | st.integers(1, 3))
CANDIDATES = st.lists(st.builds(Candidate, IDS, HOSTS), max_size=10)


@given(CANDIDATES, RUNNING, LIMITS)
def test_the_first_that_may_run_is_chosen(candidates, running, limits):
    """In the order given, the first that does not run yet and whose host has room, if there is room at all."""
    allowed = [
        candidate
        for candidate in candidates
        if len(running) < limits.concurrency
        and candidate.id not in running
        and (limits.per_host is None or [*running.values()].count(candidate.host) < limits.per_host)
    ]
    assert scheduling.choose(candidates, running, limits) == (allowed[0] if allowed else None)


@given(CANDIDATES, LIMITS)
def test_choosing_until_nothing_is_left_keeps_every_limit_and_wastes_no_room(candidates, limits):
    """What runs in the end is within the limits, and no candidate waits that could run."""
    running: dict[UUID, str] = {}
    while chosen := scheduling.choose(candidates, running, limits):
        running[chosen.id] = chosen.host
    assert len(running) <= limits.concurrency
    hosts = [*running.values()]
    assert limits.per_host is None or all(hosts.count(host) <= limits.per_host for host in hosts)
    full = scheduling.saturated(running, limits)
    if scheduling.room(running, limits):
        assert all(candidate.id in running or candidate.host in full for candidate in candidates)


@given(RUNNING, LIMITS)
def test_room_is_never_less_than_nothing(running, limits):
    """A limit that was lowered while more were running starts nothing and breaks nothing."""
    assert scheduling.room(running, limits) == max(0, limits.concurrency - len(running))


@given(RUNNING, LIMITS)
def test_a_saturated_host_is_one_of_whose_downloads_none_may_start(running, limits):
    """What the queue view may skip is just what `choose` would."""
    full = scheduling.saturated(running, Limits(concurrency=99, per_host=limits.per_host))
    for host in {*running.values()}:
        fresh = Candidate(UUID(int=99), host)
        chosen = scheduling.choose([fresh], running, Limits(concurrency=99, per_host=limits.per_host))
        assert (chosen is None) == (host in full)


def test_what_has_arrived_counts_for_no_host_but_among_all():
    """It is checked and published, which is no burden where it came from."""
    limits = Limits(concurrency=4, per_host=1, hosts={"b": 1})
    running = {UUID(int=n): host for n, host in enumerate([NOWHERE, NOWHERE, "a"])}
    assert scheduling.saturated(running, limits) == {"a"}
    waiting = [Candidate(UUID(int=100 + n), host) for n, host in enumerate(["a", "b"])]
    assert scheduling.choose(waiting, running, limits) == waiting[1]
    assert scheduling.choose(waiting, running | {UUID(int=9): NOWHERE}, limits) is None


def test_three_run_at_once_by_default():
    """As the document has it."""
    assert Limits() == Limits(concurrency=3, per_host=None)


def test_what_is_set_for_one_host_holds_there_instead():
    """With its port or without it; 0 is no limit."""
    limits = Limits(concurrency=99, per_host=2, hosts={"a.example": 1, "b.example:80": 0, "[::1]": 5})
    running = {UUID(int=n): host for n, host in enumerate(["a.example:80", *["b.example:80"] * 7, "c.example:80"])}
    assert scheduling.saturated(running, limits) == {"a.example:80"}
    waiting = [Candidate(UUID(int=100 + n), host) for n, host in enumerate(["a.example:80", "b.example:80"])]
    assert scheduling.choose(waiting, running, limits) == waiting[1]
    assert scheduling.saturated({UUID(int=n): "b.example:81" for n in range(2)}, limits) == {"b.example:81"}
    assert Limits(hosts={"::1": 1}).has_room("[::1]:80", 1) is False
