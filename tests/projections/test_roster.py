"""Which downloads are there: lists, counts and sums, against a model that looks at every download."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain.states import SHOWN
from lading.projections import roster
from lading.projections.roster import Totals

pytestmark = pytest.mark.row("S0.2")

LIMITS = st.none() | st.integers(0, 4)


@settings(deadline=None)
@given(data=st.data())
def test_lists_by_state_and_tag_are_in_the_order_of_asking(data, worlds, make):
    """Every download is under its state and its tags, oldest first or newest first, as many as asked for."""
    world = data.draw(worlds)
    limit, newest_first = data.draw(LIMITS), data.draw(st.booleans())
    downloads = world.by_age()[:: -1 if newest_first else 1]
    with make.fold(world.facts(), [2] * 20).read() as reader:
        for state in SHOWN:
            expected = [d.id for d in downloads if d.state.shown == state][:limit]
            assert list(roster.by_state(reader, state, limit, newest_first=newest_first)) == expected
        for tag in ("iso", "night", "none"):
            expected = [d.id for d in downloads if tag in d.order.tags][:limit]
            assert list(roster.by_tag(reader, tag, limit, newest_first=newest_first)) == expected
        states = data.draw(st.frozensets(st.sampled_from(SHOWN)))
        expected = [d.id for d in downloads if d.state.shown in states][:limit]
        assert list(roster.ids(reader, states, limit, newest_first=newest_first)) == expected
        assert list(roster.ids(reader)) == [d.id for d in world.by_age()]


@settings(deadline=None)
@given(data=st.data())
def test_counts_and_sums_are_those_of_all_downloads(data, worlds, make):
    """Counts by state, and the bytes of what has not ended, are what adding up every download gives."""
    world = data.draw(worlds)
    downloads = world.downloads.values()
    running = [download for download in downloads if not download.ended]
    with make.fold(world.facts(), data.draw(st.lists(st.integers(1, 5), max_size=20))).read() as reader:
        counted = Counter(download.state.shown for download in downloads)
        assert roster.counts(reader) == {state: counted[state] for state in SHOWN}
        assert roster.totals(reader) == Totals(
            downloads=len(running),
            received=sum(download.received for download in running),
            total=sum(download.total or 0 for download in running),
            unsized=sum(download.total is None for download in running),
        )


def test_a_short_list_of_a_long_queue_reads_no_more_than_it_shows(make):
    """Fifty of three thousand cost fifty rows."""
    world = make.World()
    for _ in range(3000):
        world.submit()
    with make.fold(world.facts(), [2000]).read() as reader:
        walk = iter(reader.scan(roster.STATE))
        seen = 0

        class Counting:
            get = reader.get

            def scan(self, prefix, **bounds):
                nonlocal seen
                for row in reader.scan(prefix, **bounds):
                    seen += 1
                    yield row

        assert len(list(roster.by_state(Counting(), "queued", 50))) == 50
        assert seen == 50
        assert next(walk)


def test_an_empty_home_has_nothing_of_anything(make):
    """Before the first event every list is empty and every count 0."""
    with make.fold([]).read() as reader:
        assert list(roster.ids(reader)) == []
        assert set(roster.counts(reader).values()) == {0}
        assert roster.totals(reader) == Totals(downloads=0, received=0, total=0, unsized=0)
