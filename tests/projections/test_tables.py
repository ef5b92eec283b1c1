"""Tables: what has changed behind a position is all that an earlier export of a view lacks, whatever has happened."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain.ports import Entry
from lading.extracting import extract
from lading.projections.tables import VIEWS
from lading.reading import Reading
from lading.testing import MemoryStore
from lading.views import Views

pytestmark = [pytest.mark.row("C.7"), pytest.mark.law(3)]

KEYS = {name: ("id", "attempts") if name == "attempts" else ("id",) for name in VIEWS if name != "statistics"}


def rows_of(reading, view, after, upto):
    with extract(reading, view, after=after, upto=upto) as of:
        names = [column.name for column in of.columns]
        return [dict(zip(names, row, strict=True)) for page in of.pages() for row in page.rows()]


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_the_latest_of_all_rows_that_were_exported_is_the_row_that_there_is(worlds, data):
    """Exported bit by bit, up to any positions, a view is all there; nothing is exported for no reason."""
    world = data.draw(worlds)
    reading = Reading(world.log, Views(world.log, lambda _: MemoryStore()))
    head = world.log.head()
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, head - 1)), max_size=3)) | {head}) if head else []
    try:
        for view, key in KEYS.items():
            latest = {}
            for after, upto in itertools.pairwise([0, *cuts]):
                for row in rows_of(reading, view, after, upto):
                    assert after < row["position"] <= upto
                    latest[tuple(row[name] for name in key)] = row
            for row in rows_of(reading, view, 0, head) if head else ():
                assert latest[tuple(row[name] for name in key)] == row
    finally:
        reading.views.close()


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_row_is_the_same_for_ever_at_its_position(worlds, data):
    """What was exported up to a position can be made anew when the log has gone on."""
    world = data.draw(worlds)
    facts = list(world.log.read(0, 10**6))
    if not facts:
        return
    upto = data.draw(st.integers(1, len(facts)))
    then = type(world.log)()
    then.append([[Entry(*fact[1:])] for fact in facts[:upto]])
    early, late = (Reading(log, Views(log, lambda _: MemoryStore())) for log in (then, world.log))
    try:
        for view in VIEWS:
            assert rows_of(early, view, 0, upto) == rows_of(late, view, 0, upto)
    finally:
        early.views.close()
        late.views.close()
