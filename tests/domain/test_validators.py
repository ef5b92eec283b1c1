"""Validators: which of them prove that two answers are of the same bytes (RFC 9110 §8.8)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import validators
from lading.domain.validators import STRONG_AFTER_S, Validator

pytestmark = pytest.mark.law(4)

OLD = "Tue, 15 Nov 1994 12:45:26 GMT"
LATER = "Tue, 15 Nov 1994 12:46:26 GMT"
A_SECOND_TOO_EARLY = "Tue, 15 Nov 1994 12:46:25 GMT"


@pytest.mark.parametrize(
    ("etag", "modified", "date", "expected"),
    [
        ('"xyzzy"', None, None, '"xyzzy"'),
        ('"xyzzy"', OLD, LATER, '"xyzzy"'),
        ('"a b"', None, None, None),
        ('"é"', None, None, '"é"'),
        ('W/"xyzzy"', None, None, None),
        ('W/"xyzzy"', OLD, LATER, OLD),
        ('w/"xyzzy"', None, None, None),
        ("xyzzy", None, None, None),
        ("'xyzzy'", None, None, None),
        ('"xyzzy', None, None, None),
        ('"a", "b"', None, None, None),
        ('""', None, None, None),
        ('"x"y"', None, None, None),
        (None, OLD, LATER, OLD),
        (None, OLD, A_SECOND_TOO_EARLY, None),
        (None, OLD, OLD, None),
        (None, LATER, OLD, None),
        (None, OLD, None, None),
        (None, None, LATER, None),
        (None, "yesterday", LATER, None),
        (None, OLD, "today", None),
        (None, None, None, None),
    ],
)
def test_only_a_strong_validator_guards_a_resume(etag, modified, date, expected):
    """Weak, malformed or too fresh ones prove nothing (RFC 9110 §8.8.2.2, §8.8.3)."""
    assert Validator(etag=etag, last_modified=modified, date=date).if_range == expected


@given(st.integers(0, 2_000_000_000), st.integers(-3600, 3600))
def test_a_date_is_strong_a_minute_later(modified, later):
    """The clocks of a cluster may differ a little without making a lie of it."""
    shown = [
        format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True) for at in (modified, modified + 3600 + later)
    ]
    strong = Validator(last_modified=shown[0], date=shown[1]).if_range is not None
    assert strong == (3600 + later >= STRONG_AFTER_S)


FULL = Validator(etag='"a"', last_modified=OLD, length=10)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (FULL, False),
        (Validator(), False),
        (Validator(etag='"a"'), False),
        (Validator(etag='"b"'), True),
        (Validator(etag='W/"a"'), True),
        (Validator(etag='"a"', last_modified=LATER), True),
        (Validator(length=10), False),
        (Validator(length=11), True),
        (Validator(date=LATER), False),
    ],
)
def test_two_answers_differ_when_something_that_both_say_does(other, expected):
    """What only one of them says proves nothing; the Date is the answer's own."""
    assert FULL.differs(other) is other.differs(FULL) is expected


def test_headers_are_read_as_sent_and_empty_ones_are_none():
    """An empty header says nothing."""
    headers = {"etag": '"a"', "last-modified": OLD, "date": LATER, "content-length": "5"}
    assert validators.from_headers(headers, 10) == Validator(etag='"a"', last_modified=OLD, date=LATER, length=10)
    assert validators.from_headers({"etag": "", "last-modified": "", "date": ""}, None) == Validator()


@pytest.fixture
def far_east(monkeypatch):
    """A machine whose local time is fourteen hours ahead."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "LINT-14")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777.0),
        ("Sun Nov  6 08:49:37 1994", 784111777.0),
        ("Sun, 06 Nov 1994 08:49:37 -0000", 784111777.0),
        ("Sun, 06 Nov 1994 09:49:37 +0100", 784111777.0),
        ("", None),
        ("never", None),
        ("1", None),
        ("Mon, 99 Foo 2020", None),
        ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Thu, 01 Jan 2020 00:00:00 +99999999999999", None),
    ],
)
def test_the_three_forms_of_an_http_date_are_read_and_no_other(date, expected, far_east):
    """RFC 9110 §5.6.7, in UTC wherever this machine thinks it is; what is no date is None and no error."""
    assert validators.seconds(date) == expected


@given(st.text() | st.text(alphabet="SunMoJa, 0123456789:+-GMT"))
def test_no_text_makes_an_error_of_a_date(text):
    """A header is a stranger's text."""
    assert validators.seconds(text) is None or isinstance(validators.seconds(text), float)
