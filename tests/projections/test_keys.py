"""Key bytes: their order is the order of what they stand for, and no part can be taken for another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.projections import keys

pytestmark = pytest.mark.row("C.2")

NUMBERS = st.integers(0, 2**64 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=300)


@given(NUMBERS, NUMBERS)
def test_numbers_sort_as_numbers_and_come_back(one, other):
    """A greater number has the greater key, the smaller one when the newest comes first."""
    assert (keys.number(one) < keys.number(other)) == (one < other)
    assert (keys.newest_first(one) > keys.newest_first(other)) == (one < other)
    assert keys.read_number(keys.number(one)) == one


@given(st.integers(-(2**31), 2**31 - 1), NUMBERS, st.integers(-(2**31), 2**31 - 1), NUMBERS)
def test_ranks_sort_by_priority_and_then_by_age(priority, age, other_priority, other_age):
    """Higher priority first; of equal ones the older first."""
    expected = (-priority, age) < (-other_priority, other_age)
    assert (keys.rank(priority, age) < keys.rank(other_priority, other_age)) == expected


@given(st.integers(-(2**64), 2**64), NUMBERS)
def test_a_priority_beyond_32_bits_is_as_good_as_the_last(priority, age):
    """No event, however strange, makes a key that cannot be written."""
    within = max(-(2**31), min(priority, 2**31 - 1))
    assert keys.rank(priority, age) == keys.rank(within, age)


@given(TEXTS, TEXTS)
def test_no_text_is_the_beginning_of_another(one, other):
    """What follows a text in a key can never be taken for a part of it, so an index of one text holds no other."""
    first, second = keys.text(one), keys.text(other)
    assert (first == second) == (one == other)
    assert one == other or not second.startswith(first)
    assert len(first) <= 1 + keys.LONGEST_TEXT_BYTES


@given(TEXTS, st.binary(max_size=5))
def test_words_come_back_cut_where_they_are_too_long(value, rest):
    """A word of a vocabulary is readable in the key, whatever follows; a very long one to its first 64 bytes."""
    assert keys.read_word(keys.word(value) + rest) == value.encode()[: keys.LONGEST_WORD_BYTES].decode(errors="ignore")
