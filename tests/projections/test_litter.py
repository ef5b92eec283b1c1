"""What is left to sweep."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain.states import State
from lading.projections import litter

SECOND_NS = 10**9

pytestmark = [pytest.mark.row("C.2"), pytest.mark.row("S1.5")]


@settings(deadline=None)
@given(data=st.data())
def test_litter_is_what_the_downloads_themselves_call_litter(data, worlds, make):
    """Those whose files still have to go or to come back, in the order of asking, as many as asked for."""
    world = data.draw(worlds)
    expected = [download.id for download in world.by_age() if download.litter or download.returning]
    with make.fold(world.facts(), [2] * 20).read() as reader:
        assert list(litter.ids(reader)) == expected
        assert list(litter.ids(reader, 1)) == expected[:1]


@pytest.mark.row("S2.13")
@settings(deadline=None)
@given(data=st.data(), later_s=st.integers(0, 60), retention_s=st.integers(0, 60))
def test_what_is_kept_is_found_when_its_time_has_come(data, worlds, make, later_s, retention_s):
    """What was put aside by its own time, what was replaced by when it was; nobody else's, and the first first."""
    world = data.draw(worlds)
    now_ns, retention_ns = world.now_ns + later_s * SECOND_NS, retention_s * SECOND_NS
    kept, replaced = [], []
    for download in world.by_age():
        if not download.ended or download.state is State.FAILED or download.litter or download.returning:
            continue
        if download.quarantined_until_ns is not None:
            kept.append((download.quarantined_until_ns, download.id))
        elif download.replaced is not None:
            replaced.append((download.ended_at_ns, download.id))
    kept, replaced = (sorted(some, key=lambda row: row[0]) for some in (kept, replaced))
    expected = [id for at, id in kept if at <= now_ns] + [id for at, id in replaced if at <= now_ns - retention_ns]
    with make.fold(world.facts(), [2] * 20).read() as reader:
        assert list(litter.overdue(reader, now_ns, retention_ns)) == expected
        assert list(litter.aside(reader)) == [id for _, id in kept + replaced]
