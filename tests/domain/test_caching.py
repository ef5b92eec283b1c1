"""What the cache may keep and be used for: tables of answers, no disk and no socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import caching
from lading.domain.caching import Room, Stored
from lading.domain.errors import InvalidSetting
from lading.domain.ports import Call
from lading.domain.replies import Head
from lading.domain.requests import Request
from lading.domain.validators import Validator

pytestmark = pytest.mark.row("S2.12")

URL = "http://a.example/file"
OLD, NOW = "Tue, 14 Nov 2023 00:00:00 GMT", "Wed, 15 Nov 2023 00:00:00 GMT"
ONE, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def head(status: int = 304, **headers: str) -> Head:
    return Head(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, url=URL)


@pytest.mark.parametrize(
    ("headers", "validator", "total", "kept"),
    [
        ({}, Validator(etag='"e"'), 100, True),
        ({}, Validator(etag='W/"e"'), 100, True),
        ({}, Validator(last_modified=OLD, date=NOW), 100, True),
        ({}, Validator(last_modified=NOW, date=NOW), 100, False),
        ({}, Validator(last_modified=OLD), 100, False),
        ({}, Validator(length=100), 100, False),
        ({}, Validator(etag='"e"'), None, False),
        ({}, Validator(etag='"e"'), 9, False),
        ({}, Validator(etag='"e"'), 801, False),
        ({"cache_control": "max-age=5, no-store"}, Validator(etag='"e"'), 100, False),
        ({"cache_control": "no-cache, private"}, Validator(etag='"e"'), 100, True),
        ({"vary": "*"}, Validator(etag='"e"'), 100, False),
        ({"vary": "accept-encoding"}, Validator(etag='"e"'), 100, True),
    ],
)
def test_what_may_be_kept(headers, validator, total, kept):
    """What the server does not forbid, of which it can be asked, and that is neither too small nor too large."""
    room = Room(most_bytes=1000, least_bytes=10)
    assert caching.may_be_kept(head(200, **headers), validator, total, room) is kept


@pytest.mark.law(4)
@pytest.mark.parametrize(
    ("known", "sent", "confirmed"),
    [
        (Validator(etag='"e"', length=5), {}, True),
        (Validator(etag='"e"', length=5), {"etag": '"e"'}, True),
        (Validator(etag='"e"', length=5), {"etag": 'W/"e"', "last_modified": OLD}, True),
        (Validator(etag='"e"', length=5), {"etag": '"f"'}, False),
        (Validator(etag='"e"', length=5), {"etag": '"e"', "content_length": "6"}, False),
        (Validator(etag='"e"', length=5), {"etag": '"e"', "content_length": "0"}, True),
        (Validator(last_modified=OLD), {"last_modified": OLD}, True),
        (Validator(last_modified=OLD), {"last_modified": NOW}, False),
        (Validator(etag='"e"', last_modified=OLD), {"last_modified": NOW}, False),
    ],
)
def test_a_304_confirms_only_what_it_does_not_contradict(known, sent, confirmed):
    """Another ETag, date or length is about another file."""
    assert caching.confirms(head(**sent), known) is confirmed


@pytest.mark.parametrize(
    ("expected", "fits"), [(None, True), (ONE, True), (ONE.upper(), True), (OTHER, False), ("md5:" + "0" * 32, True)]
)
def test_only_what_may_have_the_digest_is_asked_about(expected, fits):
    """Of another kind of digest nothing is known before it is read."""
    assert caching.fits(Stored(digest=ONE, size=1), expected) is fits


def test_digests_that_can_be_forged_name_nothing():
    """Two contents could have one of them."""
    assert [caching.is_name(f"{name}:{'0' * size}") for name, size in (("md5", 32), ("sha1", 40))] == [False, False]
    assert caching.is_name(ONE)


def test_an_etag_is_asked_by_before_a_date():
    """One condition, the better one (RFC 9110 §13.1.3)."""
    call = caching.conditional(Call(url=URL), Validator(etag='"e"', last_modified=OLD))
    assert (call.if_none_match, call.if_modified_since) == ('"e"', None)
    call = caching.conditional(Call(url=URL), Validator(last_modified=OLD))
    assert (call.if_none_match, call.if_modified_since) == (None, OLD)


def test_a_key_depends_on_url_and_headers_and_not_on_their_order():
    """Names of headers have no case."""
    one, two = {"A": "1", "b": "2"}, {"B": "2", "a": "1"}
    assert caching.words(URL, one) == caching.words(URL, two) != caching.words(URL, {"A": "1"})
    assert caching.plain_key(caching.words(URL, {})) != caching.plain_key(caching.words(URL + "?", {}))
    assert URL not in caching.plain_key(URL)


@pytest.mark.law(9)
@given(st.lists(st.integers(0, 500), max_size=50), st.integers(0, 2000))
def test_what_goes_is_enough_and_not_more(sizes, most):
    """The first that were used, until four fifths are left; nothing while there is room."""
    room = Room(most_bytes=most)
    contents = [(str(number), size) for number, size in enumerate(sizes)]
    gone = list(caching.excess(sum(sizes), room, contents))
    assert gone == [name for name, _ in contents[: len(gone)]]
    left = sum(sizes[len(gone) :])
    assert left <= most
    assert not gone or (sum(sizes) > most and left + sizes[len(gone) - 1] > most * caching.EVICT_TO)


@pytest.mark.parametrize("name", ["If-None-Match", "if-modified-since"])
def test_conditions_are_not_for_callers_to_set(name):
    """A 304 that they bring could be about anything."""
    with pytest.raises(InvalidSetting):
        Request(URL, headers={name: "x"})
