"""Answers that are no HTTP, or not to be told from what follows them, over raw sockets."""

from __future__ import annotations

import socket
import struct

import pytest

from lading.domain import events as e

pytestmark = [pytest.mark.row("S2.4"), pytest.mark.law(5), pytest.mark.law(9), pytest.mark.timeout(60)]

OK = b"HTTP/1.1 200 OK\r\n"
CONTINUED = b"HTTP/1.1 206 Partial Content\r\n"
BODY = b"what is served"
GOOD = OK + b'Content-Length: %d\r\nETag: "one"\r\n\r\n%b' % (len(BODY), BODY)
HALF = OK + b'Content-Length: %d\r\nETag: "one"\r\n\r\n%b' % (len(BODY), BODY[:7])


def read_head(line: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head and (more := line.recv(65536)):
        head += more


def reset(line: socket.socket) -> None:
    """Answer a head and reset the connection behind it."""
    read_head(line)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def flood(line: socket.socket) -> None:
    """Send header fields without end."""
    read_head(line)
    line.sendall(OK)
    for number in range(100_000):
        line.sendall(b"X-%d: %b\r\n" % (number, b"x" * 1000))


def hints(line: socket.socket) -> None:
    """Send interim answers without end."""
    read_head(line)
    for _ in range(100_000):
        line.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")


REFUSED = {
    # what is sent, and the cause that it is given
    "a length and chunks": (OK + b"Content-Length: 14\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "protocol"),
    "two lengths": (OK + b"Content-Length: 14\r\nContent-Length: 15\r\n\r\n" + BODY, "protocol"),
    "a negative length": (OK + b"Content-Length: -1\r\n\r\n" + BODY, "protocol"),
    "a length of letters": (OK + b"Content-Length: many\r\n\r\n" + BODY, "protocol"),
    "a length that no disk has": (OK + b"Content-Length: 9223372036854775808\r\n\r\n" + BODY, "protocol"),
    "chunks within gzip": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "protocol"),
    "a chunk of no size": (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n", "protocol"),
    "a chunk of negative size": (OK + b"Transfer-Encoding: chunked\r\n\r\n-2\r\nok\r\n0\r\n\r\n", "protocol"),
    "no last chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "broken-body"),
    "another protocol": (b"220 ftp.example FTP\r\n331 and a password?\r\n\r\n", "protocol"),
    "noise": (bytes(range(256)) * 8, "protocol"),
    "nothing": (b"", "network"),
    "a head that breaks off": (OK + b"Content-Len", "network"),
    "a reset": (reset, "network"),
    "a head without end": (flood, "protocol"),
    "interim answers without end": (hints, "protocol"),
    "206 of a part that nobody asked for": (
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-6/14\r\nContent-Length: 7\r\n\r\n" + BODY[:7],
        "protocol",
    ),
    "206 without Content-Range": (b"HTTP/1.1 206 Partial Content\r\nContent-Length: 14\r\n\r\n" + BODY, "protocol"),
    "a Content-Range that contradicts the length": (
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-13/14\r\nContent-Length: 7\r\n\r\n" + BODY,
        "protocol",
    ),
    "several ranges at once": (
        CONTINUED + b"Content-Type: multipart/byteranges; boundary=x\r\nContent-Length: 3\r\n\r\n--x",
        "protocol",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_answer_that_cannot_be_believed_leaves_nothing_under_the_name(fetch, serve, name):
    """It fails with its cause, in the log too, and neither a file nor a part is left (1, 2, 12, 15)."""
    answer, cause = REFUSED[name]
    verdict = await fetch(serve(answer), retries=0)
    assert verdict.ended == cause, verdict.outcome.error
    assert verdict.files == {}
    assert verdict.all(e.Failed)[-1].cause == cause
    if cause != "broken-body":
        assert verdict.parts == []


RESUMES = {
    # what the rest of a file is answered with, and whether what was held is kept
    "the rest": (
        CONTINUED + b'ETag: "one"\r\nContent-Range: bytes 4-13/14\r\nContent-Length: 10\r\n\r\n' + BODY[4:], True
    ),
    "another rest under the same ETag (1)": (
        CONTINUED + b'ETag: "one"\r\nContent-Range: bytes 4-13/14\r\nContent-Length: 10\r\n\r\n' + BODY[:10], False
    ),
    "a file that has grown (30)": (
        CONTINUED + b'ETag: "one"\r\nContent-Range: bytes 4-20/21\r\nContent-Length: 17\r\n\r\n' + BODY[4:] + BODY,
        False,
    ),
    "a range without its ETag": (
        CONTINUED + b"Content-Range: bytes 4-13/14\r\nContent-Length: 10\r\n\r\n" + BODY[4:], False
    ),
    "a range of another version": (
        CONTINUED + b'ETag: "two"\r\nContent-Range: bytes 4-13/14\r\nContent-Length: 10\r\n\r\n' + b"evil!!!!!!", False
    ),
    "a range from byte 0 that says so": (
        CONTINUED + b'ETag: "one"\r\nContent-Range: bytes 0-6/14\r\nContent-Length: 7\r\n\r\n' + b"evil!!!", False
    ),
    "several ranges at once": (
        CONTINUED + b"Content-Type: multipart/byteranges; boundary=x\r\nContent-Length: 3\r\n\r\n--x", False
    ),
}  # fmt: skip


@pytest.mark.law(4)
@pytest.mark.parametrize("name", RESUMES)
async def test_rest_of_a_file_is_taken_only_if_it_is_surely_that(fetch, serve, name):
    """Two versions are never spliced: what does not prove to be the rest makes the file be fetched anew (1, 4, 30)."""
    rest, kept = RESUMES[name]
    verdict = await fetch(serve(HALF, rest, GOOD))
    assert verdict.ended == "whole", verdict.outcome.error
    assert verdict.files == {"file.bin": BODY}
    assert (verdict.outcome.resumed_from > 0) is kept
    assert bool(verdict.all(e.Restarted)) is not kept
