"""Spans against the plain model of what they stand for: a set of byte numbers."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from lading.domain import spans

MOST = 16  # so small that ranges touch and overlap often
ENDS = st.integers(0, MOST)
CHANGES = st.lists(st.tuples(st.booleans(), ENDS, ENDS), max_size=12)


def bytes_of(held: spans.Spans) -> set[int]:
    """Return the model of some spans."""
    return {byte for start, end in held for byte in range(start, end)}


def spans_of(model: set[int]) -> spans.Spans:
    """Return the spans of a model, by looking where it begins and ends."""
    edges = [byte for byte in range(max(model, default=0) + 2) if (byte in model) != (byte - 1 in model)]
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def is_canonical(held: spans.Spans) -> bool:
    """Tell whether spans are not empty, sorted, apart and not touching."""
    flat = [edge for span in held for edge in span]
    return all(before < after for before, after in itertools.pairwise(flat))


def made_by(changes: list[tuple[bool, int, int]]) -> tuple[spans.Spans, set[int]]:
    """Carry changes out on spans and on the model alike."""
    held, model = (), set()
    for add, start, end in changes:
        held = spans.union(held, start, end) if add else spans.subtract(held, start, end)
        model = model | set(range(start, end)) if add else model - set(range(start, end))
    return held, model


def test_union_and_subtract_are_those_of_sets():
    """From every set of eight bytes, by every range: the same bytes as the set, in the one way to write them."""
    for marks in itertools.product((False, True), repeat=8):
        model = {byte for byte, mark in enumerate(marks) if mark}
        held = spans_of(model)
        assert is_canonical(held)
        for start, end in itertools.product(range(10), repeat=2):
            changed = set(range(start, end))
            added, taken = spans.union(held, start, end), spans.subtract(held, start, end)
            assert bytes_of(added) == model | changed
            assert bytes_of(taken) == model - changed
            assert is_canonical(added)
            assert is_canonical(taken)


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
