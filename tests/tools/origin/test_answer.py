"""To a client that asks properly the origin is a proper server."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import attrs
import pytest

from lading.tools.origin import (
    Change,
    Framing,
    Page,
    Ranges,
    Resource,
)
from lading.tools.origin.wire import HEAD_MAX

SIZE = 10_000
FILE = Resource("a file.bin", SIZE, "seed")
TRUTH = FILE.read()
OTHER = FILE.read(version=1)
ASK = "GET /a%20file.bin HTTP/1.1\r\nHost: x\r\n\r\n"


def test_an_honest_get_gives_the_whole_with_length_and_strong_validators(client):
    """The default behaviour is a plain good server."""
    got = client.get()
    assert (got.status, got.body) == (200, TRUTH)
    assert got.headers["Content-Length"] == str(SIZE)
    assert got.headers["Accept-Ranges"] == "bytes"
    assert got.headers["ETag"].startswith('"')
    age = parsedate_to_datetime(got.headers["Date"]) - parsedate_to_datetime(got.headers["Last-Modified"])
    assert age.total_seconds() > 3600


def test_head_has_the_head_of_a_get_and_no_body(client):
    """A probe by HEAD learns what a GET would say, and the connection stays usable."""
    whole, head = client.get(), client.get(FILE.name, "HEAD")
    assert head.body == b""
    for field in ("Content-Length", "ETag", "Last-Modified", "Accept-Ranges", "Content-Type"):
        assert head.headers[field] == whole.headers[field]
    assert client.get(FILE.name, "HEAD", Range="bytes=0-0").status == 200
    assert client.get().body == TRUTH


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("0-0", 0, 1),
        ("5-9", 5, 10),
        ("9990-", 9990, SIZE),
        ("9990-99999", 9990, SIZE),
        ("-7", SIZE - 7, SIZE),
        ("-99999", 0, SIZE),
    ],
)
def test_one_range_is_answered_exactly(client, asked, start, end):
    """206 carries the bytes asked for and says which (RFC 9110 §14.4)."""
    got = client.get(Range=f"bytes={asked}")
    assert (got.status, got.body) == (206, TRUTH[start:end])
    assert got.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert got.headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,5-6", "bytes=7-3", "bytes=-", "lines=1-2", "bytes=a-b", "bytes=" + "9" * 5000 + "-"]
)
def test_several_ranges_and_senseless_ones_get_the_whole(client, asked):
    """A range header that does not count is ignored (RFC 9110 §14.2)."""
    assert client.get(Range=asked)[::2] == (200, TRUTH)


@pytest.mark.parametrize("kind", sorted(set(Ranges) - {Ranges.IGNORED}, key=lambda kind: kind.value))
def test_a_range_beyond_the_end_cannot_be_satisfied(client, kind, treat):
    """416 says the true total, however ranges are treated otherwise."""
    treat(ranges=kind)
    got = client.get(Range=f"bytes={SIZE}-")
    assert (got.status, got.headers["Content-Range"]) == (416, f"bytes */{SIZE}")


def test_if_range_counts_only_while_its_strong_validator_holds(client, treat):
    """With another, a weak or no longer true validator the whole comes, so that nothing is spliced."""
    seen = client.get().headers
    for holds in (seen["ETag"], seen["Last-Modified"]):
        assert client.get(Range="bytes=5-", If_Range=holds).status == 206
    for fails in ('"other"', "W/" + seen["ETag"], "Mon, 01 Jan 2001 00:00:00 GMT"):
        assert client.get(Range="bytes=5-", If_Range=fails).status == 200
    treat(change=Change())
    for gone in (seen["ETag"], seen["Last-Modified"]):
        assert client.get(Range="bytes=5-", If_Range=gone)[::2] == (200, OTHER)


def test_conditions_are_answered_with_304_and_412(client, treat):
    """A client that has it gets 304 without a body; one that wants another version gets 412."""
    seen = client.get().headers
    for known in ({"If_None_Match": f'"x", W/{seen["ETag"]}'}, {"If_Modified_Since": seen["Date"]}):
        got = client.get(**known)
        assert (got.status, got.body, got.headers["ETag"]) == (304, b"", seen["ETag"])
    assert client.get(If_Match=seen["ETag"], If_None_Match='"x"').status == 200
    assert client.get(If_Unmodified_Since=seen["Date"]).status == 200
    treat(change=Change(version=9))
    assert client.get(If_None_Match=seen["ETag"]).status == 200
    assert client.get(If_Modified_Since=seen["Last-Modified"]).status == 200
    assert client.get(If_Match=seen["ETag"]).status == 412
    assert client.get(If_Unmodified_Since=seen["Last-Modified"]).status == 412


def test_what_is_not_there_or_not_allowed_or_not_http_is_refused(origin, client, raw):
    """404, 405 and 400, and the first two keep the connection."""
    assert client.get("nothing").status == 404
    got = client.get(FILE.name, "DELETE")
    assert (got.status, got.headers["Allow"]) == (405, "GET, HEAD")
    assert {exchange.connection for exchange in origin.requests} == {1}
    for head in ("nonsense", "GET / HTTP/1.1\r\nno colon", "GET http://[ HTTP/1.1"):
        assert raw(head + "\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_whole_url_as_target_names_its_path(raw):
    """A client that takes the origin for its proxy is served too."""
    assert raw(ASK.replace("/a%20", "http://elsewhere.example/a%20")).endswith(TRUTH)


def test_requests_sent_ahead_are_answered_in_order(raw):
    """Pipelined requests each get their answer, the second one whole."""
    received = raw(ASK + ASK)
    assert received.count(TRUTH) == 2
    assert received.endswith(TRUTH)


@pytest.mark.parametrize(
    ("framing", "request_head"),
    [
        (Framing.LENGTH, "GET /a%20file.bin HTTP/1.0\r\n\r\n"),
        (Framing.CHUNKED, "GET /a%20file.bin HTTP/1.0\r\n\r\n"),
        (Framing.LENGTH, "GET /a%20file.bin HTTP/1.1\r\nConnection: Close\r\n\r\n"),
        (Framing.LENGTH, "GET /a%20file.bin HTTP/1.1\r\nContent-Length: 99\r\n\r\n"),
    ],
)
def test_who_does_not_keep_the_connection_gets_one_answer_on_it(framing, request_head, treat, raw):
    """Asking to close, speaking HTTP/1.0 or sending a body ends the connection after one answer without chunks."""
    treat(framing=framing)
    head, body = raw(request_head * 2).split(b"\r\n\r\n", 1)
    assert body == TRUTH
    assert b"chunked" not in head


def test_a_head_without_end_is_refused(origin, raw):
    """What a client can make the origin hold is bounded."""
    assert raw("GET / HTTP/1.1\r\nX: " + "x" * HEAD_MAX).startswith(b"HTTP/1.1 400 ")


def test_a_page_is_served_as_it_is(origin, client):
    """An error page with status 200 is just content."""
    origin.put(Page("oops", b"<h1>Sorry</h1>"))
    got = client.get("oops")
    assert (got.status, got.body) == (200, b"<h1>Sorry</h1>")
    assert got.headers["Content-Type"].startswith("text/html")
    assert client.get("oops", Range="bytes=4-8").body == b"Sorry"


def test_a_resource_put_anew_keeps_its_behaviour_and_has_other_validators(origin, client, treat):
    """A file that grows is put again, longer."""
    treat(disposition="attachment")
    before = client.get()
    origin.put(attrs.evolve(FILE, size=SIZE + 100))
    after = client.get()
    assert after.body[:SIZE] == TRUTH
    assert len(after.body) == SIZE + 100
    assert after.headers["Content-Disposition"] == "attachment"
    assert after.headers["ETag"] != before.headers["ETag"]
