"""A timetable: the first window that holds counts, past midnight too, and what cannot be meant is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import timetable
from lading.domain.errors import InvalidSetting
from lading.domain.timetable import DAY, PAUSE, UNLIMITED, Window

pytestmark = pytest.mark.row("S2.11")

TEXT = "22:00-06:00 unlimited, 9:00-17:00 500K, 12:00-13:00 pause, 17:00 - 18:00  1.5 MB/s"


@pytest.mark.parametrize(
    ("time", "rate"),
    [
        ("21:59", None),
        ("22:00", UNLIMITED),
        ("23:59", UNLIMITED),
        ("00:00", UNLIMITED),
        ("05:59", UNLIMITED),
        ("06:00", None),
        ("09:00", 500 * 1024),
        ("12:30", 500 * 1024),
        ("17:00", 1.5 * 1024**2),
        ("18:00", None),
    ],
)
def test_the_first_window_that_holds_counts(time, rate):
    """From its first minute to the one before its last; the pause stands too late to be heard here."""
    hours, minutes = map(int, time.split(":"))
    assert timetable.at(timetable.parse(TEXT), hours * 60 + minutes) == rate


def test_nothing_is_an_empty_timetable():
    """Also blanks."""
    assert timetable.parse("") == timetable.parse("  ") == ()
    assert timetable.at((), 0) is None


@given(
    st.lists(
        st.tuples(st.integers(0, DAY - 1), st.integers(0, DAY), st.sampled_from(["pause", "unlimited", "3M"])),
        max_size=6,
    )
)
def test_what_is_written_is_what_is_read(windows):
    """For every window that lasts, and each minute of the day."""
    windows = [window for window in windows if window[0] != window[1]]
    text = ",".join(f"{s // 60:02}:{s % 60:02}-{e // 60:02}:{e % 60:02} {word}" for s, e, word in windows)
    rates = {"pause": PAUSE, "unlimited": UNLIMITED, "3M": float(3 << 20)}
    found = timetable.parse(text)
    assert found == tuple(Window(s, e, rates[word]) for s, e, word in windows)
    for minute in range(0, DAY, 7):
        wanted = [w for s, e, w in windows if (s <= minute < e if s < e else minute >= s or minute < e)]
        assert timetable.at(found, minute) == (rates[wanted[0]] if wanted else None)


@pytest.mark.parametrize(
    "piece",
    ["", "nonsense", "22:00 unlimited", "22:00-25:00 pause", "22:60-23:00 pause", "24:00-01:00 pause",
     "10:00-10:00 pause", "10:00-11:00", "10:00-11:00 fast", "10:00-11:00 0", "10:00-11:00 -5", "10-11 pause"],
)  # fmt: skip
def test_what_cannot_be_meant_is_named(piece):
    """The key, the piece, and what is allowed."""
    with pytest.raises(InvalidSetting) as caught:
        timetable.parse(f"01:00-02:00 pause, {piece}", "when")
    assert str(caught.value).startswith("when: ")
    assert repr(piece) in str(caught.value)
    assert caught.value.hint


@pytest.mark.law(9)
def test_there_are_not_too_many_windows():
    """However long the text."""
    with pytest.raises(InvalidSetting):
        timetable.parse(",".join(["01:00-02:00 pause"] * 65))
