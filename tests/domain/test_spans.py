"""Spans against the plain model of what they stand for: a set of byte numbers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import spans

MOST = 16  # so small that ranges touch and overlap often
ENDS = st.integers(0, MOST)
CHANGES = st.lists(st.tuples(st.booleans(), ENDS, ENDS), max_size=12)


def bytes_of(held: spans.Spans) -> set[int]:
    """Return the model of some spans."""
    return {byte for start, end in held for byte in range(start, end)}


def is_canonical(held: spans.Spans) -> bool:
    """Tell whether spans are not empty, sorted, apart and not touching."""
    flat = [edge for span in held for edge in span]
    return all(before < after for before, after in pairwise(flat))


def made_by(changes: list[tuple[bool, int, int]]) -> tuple[spans.Spans, set[int]]:
    """Carry changes out on spans and on the model alike."""
    held, model = (), set()
    for add, start, end in changes:
        held = spans.union(held, start, end) if add else spans.subtract(held, start, end)
        model = model | set(range(start, end)) if add else model - set(range(start, end))
    return held, model


@settings(max_examples=400)
@given(CHANGES)
def test_union_and_subtract_are_those_of_sets(changes):
    """After any changes the spans hold the same bytes as the set, in the one way in which they can be written."""
    held, model = made_by(changes)
    assert bytes_of(held) == model
    assert is_canonical(held)


@given(CHANGES)
def test_size_is_how_many_bytes_there_are(changes):
    """Every byte counts once."""
    held, model = made_by(changes)
    assert spans.size(held) == len(model)


@given(CHANGES)
def test_prefix_is_where_the_first_gap_begins(changes):
    """From byte 0 up to the prefix nothing is missing, and the byte after it is."""
    held, model = made_by(changes)
    assert spans.prefix(held) == next(byte for byte in range(MOST + 1) if byte not in model)


@given(CHANGES, st.integers(0, MOST + 10))
def test_gaps_are_the_complement_below_the_total(changes, total):
    """What is held and what is missing make the whole file, and nothing twice."""
    held, model = made_by(changes)
    gaps = spans.gaps(held, total)
    assert bytes_of(gaps) == set(range(total)) - model
    assert is_canonical(gaps)


@given(CHANGES, ENDS, ENDS)
def test_what_is_empty_or_upside_down_changes_nothing(changes, start, end):
    """A range without bytes is no range."""
    held, _ = made_by(changes)
    start, end = max(start, end), min(start, end)
    assert spans.union(held, start, end) == held
    assert spans.subtract(held, start, end) == held
