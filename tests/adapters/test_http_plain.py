"""What is plain is read and written as h11 and httpx would: held against them, for any bytes."""

from __future__ import annotations

import h11
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lading.adapters.http import plain
from lading.adapters.http.pool import Origin, split

NAMES = st.sampled_from(
    [
        b"Content-Length",
        b"content-length",
        b"Transfer-Encoding",
        b"ETag",
        b"X",
        b"Set-Cookie",
        b"Connection",
        b"a b",
        b"",
    ]
) | st.binary(max_size=6)
VALUES = st.sampled_from(
    [
        b"5",
        b"05",
        b" 5 ",
        b"5,5",
        b"+5",
        b"\t7",
        b"chunked",
        b"Chunked",
        b"gzip, chunked",
        b'"x"',
        b"",
        b"a  b",
        b"9" * 30,
    ]
) | st.binary(max_size=8)
ENDS = st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b"\r\n ", b"\r\n\r\n"])
STARTS = st.sampled_from([
    b"HTTP/1.1 200 OK", b"HTTP/1.1 206 Partial Content", b"HTTP/1.1 404 ", b"HTTP/1.1 500", b"HTTP/1.0 200 OK",
    b"HTTP/1.1 100 Go on", b"HTTP/1.1 999 x", b"http/1.1 200 OK", b"HTTP/1.1  200 OK", b"\r\nHTTP/1.1 200 OK",
]) | st.binary(max_size=12)  # fmt: skip


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Draw something like the head of an answer, mostly well-formed, with something behind it."""
    lines = [draw(STARTS) + draw(ENDS)]
    lines += [n + b":" + v + e for n, v, e in draw(st.lists(st.tuples(NAMES, VALUES, ENDS), max_size=5))]
    return b"".join(lines) + draw(st.sampled_from([b"\r\n", b"\r\n", b"\n", b""])) + draw(st.binary(max_size=8))


@given(heads())
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody")
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nA: 1\nB: 2\r\n\r\n")
def test_head_that_is_plain_is_read_as_h11_reads_it(held):
    """Status, reason, fields, and where the body begins."""
    found = plain.answer(held)
    if found is None:
        return
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(held)
    event = parser.next_event()
    assert isinstance(event, h11.Response)
    assert event.http_version == b"1.1"
    assert (event.status_code, event.reason, list(event.headers)) == (found.status, found.reason, found.fields)
    assert parser.trailing_data[0] == held[found.size :]


@pytest.mark.parametrize(
    "head",
    [
        b'HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Length: 65536\r\nETag: "x"\r\n\r\n',
        b"HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 1-2/3\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 204 \r\n\r\n",
    ],
)
def test_what_servers_send_is_plain(head):
    """Else all of this would be for nothing."""
    assert plain.answer(head + b"body") is not None
    assert plain.answer(head[:-1]) is None


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=4), st.sampled_from([b"/", b"/a?b", b"/a b", b"", b"x"]) | st.binary()
)
def test_question_that_is_plain_is_written_as_h11_writes_it(more, target):
    """Byte by byte; so nothing that is in a value can become a field of its own."""
    fields = [(b"Host", b"h.example"), *more]
    said = plain.question(target, fields)
    if said is None or any(name.lower() in {b"host", b"content-length", b"transfer-encoding"} for name, _ in more):
        return
    assert said == h11.Connection(h11.CLIENT).send(h11.Request(method="GET", target=target, headers=fields))


PARTS = st.sampled_from(
    ["a", "b.c", "..", ".", "", "é", "%41", "%zz", "a b", "~", "-", "x_y", "A", "q?x=1", "[", "|", "a@b"]
)


@given(
    st.sampled_from(["http://", "https://", "HTTP://"]),
    st.sampled_from(["h", "H.example", "h:80", "h:443", "h:8080", "[::1]:81", "127.0.0.1", "ü.example"]),
    st.lists(PARTS, max_size=4),
)
def test_url_is_split_as_httpx_splits_it(scheme, authority, path):
    """Origin, target and the name of the host, however odd the path is."""
    url = "/".join([f"{scheme}{authority}", *path])
    whole = httpx.URL(url)
    assert split(url) == (Origin.of(whole), whole.raw_path, whole.netloc)
