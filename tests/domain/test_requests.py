"""Requests: what cannot be meant is refused when it is made, and no secret is shown."""

from __future__ import annotations

import attrs
import pytest

from lading.domain.errors import InvalidDestination, InvalidDigest, InvalidSetting, InvalidURL, UsageError
from lading.domain.requests import (
    LONGEST_KEY,
    LONGEST_TAG,
    MOST_CONNECTIONS,
    MOST_MIRRORS,
    MOST_TAGS,
    IfExists,
    Order,
    Request,
    Resume,
    Source,
)

URL = "https://example.org/file.iso"
SECRET = "hunter2"

REFUSED = [
    (InvalidURL, {"url": "example.org/file.iso"}),
    (InvalidURL, {"url": ""}),
    (InvalidURL, {"mirrors": (URL, "nowhere")}),
    (InvalidSetting, {"mirrors": (URL,) * (MOST_MIRRORS + 1)}),
    (InvalidDigest, {"digest": "sha256:12"}),
    (InvalidDigest, {"digest": "12"}),
    (InvalidDestination, {"path": ""}),
    (InvalidDestination, {"path": "a\0b"}),
    (InvalidDestination, {"path": "\udcff.iso"}),
    (InvalidDestination, {"folder": ""}),
    (InvalidDestination, {"folder": "/srv/\udcff"}),
    (InvalidSetting, {"priority": 2**31}),
    (InvalidSetting, {"priority": -(2**31) - 1}),
    (InvalidSetting, {"priority": 1.5}),
    (InvalidSetting, {"priority": "5"}),
    (InvalidSetting, {"priority": None}),
    (InvalidSetting, {"priority": True}),
    (InvalidSetting, {"retries": -1}),
    (InvalidSetting, {"retries": 1001}),
    (InvalidSetting, {"connections": 0}),
    (InvalidSetting, {"connections": MOST_CONNECTIONS + 1}),
    (InvalidSetting, {"limit_rate": 0}),
    (InvalidSetting, {"limit_rate": "2M"}),
    (InvalidSetting, {"if_exists": "panic"}),
    (InvalidSetting, {"resume": "maybe"}),
    (InvalidSetting, {"key": ""}),
    (InvalidSetting, {"key": "k" * (LONGEST_KEY + 1)}),
    (InvalidSetting, {"key": "\ud800"}),
    (InvalidSetting, {"tags": ""}),
    (InvalidSetting, {"tags": ("a", "t" * (LONGEST_TAG + 1))}),
    (InvalidSetting, {"tags": ("\udcff",)}),
    (InvalidSetting, {"tags": tuple(map(str, range(MOST_TAGS + 1)))}),
    (InvalidSetting, {"headers": {"": "x"}}),
    (InvalidSetting, {"headers": {"Bad Name": "x"}}),
    (InvalidSetting, {"headers": {"Name:": "x"}}),
    (InvalidSetting, {"headers": {"Näme": "x"}}),
    (InvalidSetting, {"headers": {"Name": "a\r\nHost: evil"}}),
    (InvalidSetting, {"headers": {"Name": "a\0"}}),
    (InvalidSetting, {"headers": {"Name": "\ud800"}}),
    (InvalidSetting, {"headers": {"Range": "bytes=5-"}}),
    (InvalidSetting, {"headers": {"if-range": '"x"'}}),
    (InvalidSetting, {"headers": {"Accept-Encoding": "gzip"}}),
    (InvalidSetting, {"headers": {"Transfer-Encoding": "chunked"}}),
]


@pytest.mark.parametrize(("error", "changes"), REFUSED)
def test_what_cannot_be_meant_is_refused_with_a_hint(error, changes):
    """When it is made, not when it runs."""
    with pytest.raises(error) as caught:
        Request(**({"url": URL} | changes))
    assert isinstance(caught.value, UsageError)
    assert caught.value.hint


def test_the_limits_themselves_are_allowed():
    """Each bound is the last value that is taken."""
    Request(
        URL,
        path="/srv/ä.iso",
        folder="~",
        mirrors=(URL,) * MOST_MIRRORS,
        priority=2**31 - 1,
        tags=("t" * LONGEST_TAG,) * MOST_TAGS,
        key="k" * LONGEST_KEY,
        headers={"X-Token": "äöü", "!#$%&'*+.^_`|~-": ""},
        retries=0,
        connections=MOST_CONNECTIONS,
        limit_rate=1,
    )
    Request(URL, priority=-(2**31), retries=1000, connections=1, key="k", tags=("t",))


def test_a_url_alone_is_a_request():
    """Everything else has a default, and the safe one."""
    request = Request(URL)
    assert (request.if_exists, request.resume, request.allow_unsized) == (IfExists.FAIL, Resume.STRICT, False)
    assert request == Request(url=URL)


def test_choices_can_be_given_as_words_and_lists_as_one_string():
    """As a command line gives them."""
    request = Request(URL, if_exists="rename", resume="lenient", tags="one", mirrors=[URL], show_query=("id",))
    assert (request.if_exists, request.resume) == (IfExists.RENAME, Resume.LENIENT)
    assert (request.tags, request.mirrors, request.show_query) == (("one",), (URL,), ("id",))


def test_a_request_does_not_change():
    """Neither by assignment nor through the mapping that it was made from."""
    headers = {"X-One": "1"}
    request = Request(URL, headers=headers)
    headers["X-Two"] = "2"
    assert dict(request.headers) == {"X-One": "1"}
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.url = "https://elsewhere.example/"


@pytest.mark.law(7)
def test_showing_a_request_shows_no_secret():
    """Userinfo, query, fragment, headers, key and a secret path stay out of logs and tracebacks."""
    request = Request(
        f"https://u:{SECRET}@example.org/file.iso?token={SECRET}#{SECRET}",
        mirrors=(f"https://m.example/?{SECRET}",),
        headers={"Authorization": f"Bearer {SECRET}"},
        key=SECRET,
    )
    hidden = Request(f"https://example.org/{SECRET}/file.iso", secret_path=True)
    for shown in (repr(request), str(request), f"{[request]}", repr(hidden)):
        assert SECRET not in shown
        assert "example.org" in shown


@pytest.mark.law(7)
def test_a_refusal_shows_no_secret():
    """What is wrong is said without quoting what may be secret."""
    for changes in (
        {"url": f"https://u:{SECRET}@example.org:port/"},
        {"url": f"u:{SECRET}@example.org/"},
        {"headers": {"Authorization": f"{SECRET}\n"}},
        {"headers": {f"Bad {SECRET}": "x"}},
    ):
        with pytest.raises(UsageError) as caught:
            Request(**({"url": URL} | changes))
        assert SECRET not in f"{caught.value} {caught.value.hint}"


def test_an_order_knows_its_first_source():
    """Whose host is the unit of limits."""
    order = Order(sources=(Source(url="https://Example.org/a"), Source(url="http://b.example/")))
    assert (order.url, order.host) == ("https://Example.org/a", "example.org:443")
