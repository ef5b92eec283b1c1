"""What runs next, against a model that sorts everything each time."""

from __future__ import annotations

import itertools
from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import commands as c
from lading.domain.faults import Cause
from lading.domain.requests import Source
from lading.domain.scheduling import Candidate
from lading.domain.states import State
from lading.projections import queue

pytestmark = pytest.mark.row("S2.3")

HOSTS = ("a.example:443", "b.example:8080", "c.example:443")


def ready(world, skip=frozenset()):
    """Return what `candidates` should: everything that is queued, sorted by priority and age."""
    queued = [download for download in world.by_age() if download.state is State.QUEUED]
    ordered = sorted(queued, key=lambda download: -download.priority)
    found = [Candidate(download.id, queue.host(download)) for download in ordered]
    return [candidate for candidate in found if candidate.host not in skip]


@settings(deadline=None)
@given(data=st.data())
def test_candidates_come_in_the_order_of_a_sort_without_the_hosts_that_are_full(data, worlds, make):
    """Higher priority first, then older, whatever hosts are skipped and however the log was cut into batches."""
    world = data.draw(worlds)
    store = make.fold(world.facts(), data.draw(st.lists(st.integers(1, 5), max_size=20)))
    skip = data.draw(st.frozensets(st.sampled_from(HOSTS)))
    with store.read() as reader:
        assert list(queue.candidates(reader)) == ready(world)
        assert list(queue.candidates(reader, skip)) == ready(world, skip)


@settings(deadline=None)
@given(data=st.data())
def test_what_waits_for_a_time_comes_when_it_is_due_the_longest_overdue_first(data, worlds, make):
    """`due` gives those whose time has come, `next_due` the first time of all, or the first after a given one."""
    world = data.draw(worlds)
    waiting = [
        (download.not_before_ns, world.ages[download.id], Candidate(download.id, queue.host(download)))
        for download in world.downloads.values()
        if download.state is State.WAITING and download.blocked is None
    ]
    now_ns = data.draw(st.sampled_from([at for at, _, _ in waiting]) if waiting else st.just(world.now_ns))
    limit = data.draw(st.none() | st.integers(0, 3))
    with make.fold(world.facts(), [2] * 10).read() as reader:
        overdue = [candidate for at, _, candidate in sorted(waiting) if at <= now_ns]
        assert list(queue.due(reader, now_ns, limit)) == overdue[:limit]
        assert queue.next_due(reader) == min((at for at, _, _ in waiting), default=None)
        assert queue.next_due(reader, now_ns) == min((at for at, _, _ in waiting if at > now_ns), default=None)


@settings(deadline=None)
@given(data=st.data())
def test_what_is_blocked_is_counted_and_found_by_its_reason(data, worlds, make):
    """Each reason has its downloads in the order of asking, and their number; a reason that has none is not named."""
    world = data.draw(worlds)
    blocked = [d for d in world.by_age() if d.state is State.WAITING and d.blocked is not None]
    with make.fold(world.facts(), [2] * 10).read() as reader:
        assert queue.reasons(reader) == Counter(download.blocked for download in blocked)
        for reason in ("disk", "network", "secret"):
            assert list(queue.blocked(reader, reason)) == [d.id for d in blocked if d.blocked == reason]


@pytest.mark.parametrize("hosts", list(itertools.permutations("abc", 2)))
def test_download_that_changes_its_host_within_one_batch_is_still_next(hosts, make):
    """The row of the first of a line names no host in its key: taking it from one host must not take it from the other.

    Hosts are gone through in no order that is told; of two that are tried both ways round, one comes last.
    """
    world = make.World()
    id = world.submit(sources=tuple(Source(url=f"https://{host}.example/it") for host in hosts))
    queued = world.facts()
    world.do(id, make.start(world.downloads[id]))
    world.do(id, make.falter(world.downloads[id]))
    world.do(id, c.Resume())
    with make.fold(world.facts(), [len(queued)]).read() as reader:
        assert list(queue.candidates(reader)) == [Candidate(id, f"{hosts[1]}.example:443")]


class Counting:
    """A reader that counts the rows that are read."""

    def __init__(self, reader) -> None:
        self.reader, self.rows = reader, 0

    def get(self, key):
        self.rows += 1
        return self.reader.get(key)

    def scan(self, prefix, **bounds):
        for row in self.reader.scan(prefix, **bounds):
            self.rows += 1
            yield row


def test_a_full_host_costs_one_step_however_many_downloads_it_has(make):
    """With 3,000 downloads before it on a saturated host, the next candidate is found in a few reads."""
    world = make.World()
    for _ in range(3000):
        world.submit(0, priority=9)
    wanted = world.submit(1, priority=0)
    with make.fold(world.facts(), [2000]).read() as reader:
        counting = Counting(reader)
        found = next(queue.candidates(counting, {"a.example:443"}))
        assert found == Candidate(wanted, "b.example:8080")
        assert counting.rows <= 4
        counting.rows = 0
        assert len(list(itertools.islice(queue.candidates(counting), 50))) == 50
        assert counting.rows <= 2 * 50 + 4


def test_a_download_that_fell_back_waits_in_the_line_of_its_next_source(make):
    """The host by which a download is limited is that of the source that it will use."""
    world = make.World()
    sources = (Source(url="https://a.example/f"), Source(url="http://B.example:81/f"))
    id = world.submit(sources=sources)
    world.do(id, make.start(world.downloads[id]))
    state = world.do(id, make.falter(world.downloads[id], Cause.REFUSED))
    with make.fold(world.facts()).read() as reader:
        assert list(queue.due(reader, state.not_before_ns)) == [Candidate(id, "b.example:81")]
    world.do(id, c.Resume())
    with make.fold(world.facts()).read() as reader:
        assert list(queue.candidates(reader)) == [Candidate(id, "b.example:81")]


def test_equal_priorities_run_in_the_order_of_asking_though_the_clock_steps_back(make):
    """Age is the place in the log: neither the clock nor the id decides."""
    world = make.World()
    ids = []
    for _ in range(5):
        world.now_ns -= 10**12
        ids.append(world.submit(0))
    assert sorted(ids) != ids
    with make.fold(world.facts(), [1, 2]).read() as reader:
        assert [candidate.id for candidate in queue.candidates(reader)] == ids


def test_a_host_with_a_strange_name_stays_in_its_own_line(make):
    """Names that begin alike, or are very long, never mix."""
    world = make.World()
    names = ("a", "a.a", "a" * 127, "a" * 200, "a" * 200 + "b")
    ids = {world.submit(0, sources=(Source(url=f"http://{name}/"),)): f"{name}:80" for name in names}
    with make.fold(world.facts()).read() as reader:
        assert dict(queue.candidates(reader)) == ids
        for host in ids.values():
            skipped = dict(queue.candidates(reader, {host}))
            assert set(ids) - set(skipped) == {id for id, name in ids.items() if name == host}


def test_candidates_are_read_as_they_are_asked_for(make):
    """A candidate that is never asked for is never looked up, so a walk may be left at any time."""
    world = make.World()
    first = world.submit(0, priority=3)
    world.submit(1)
    with make.fold(world.facts()).read() as reader:
        walk = queue.candidates(reader)
        assert next(walk) == Candidate(first, "a.example:443")
        walk.close()
        assert next(queue.candidates(reader)).id == first == UUID(int=10_000)
