"""What is asked of a server is what was called for, and its answer is given as it came."""

from __future__ import annotations

import socket

import pytest

from lading.adapters.http import HTTPXTransport
from lading.domain.faults import Cause
from lading.domain.ports import Call
from lading.tools.origin import Behaviour, Refusal, Resource

FILE = Resource("file.bin", 300_000)
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.law(4)
async def test_range_and_its_guard_are_asked_for_as_called(origin, transport, body):
    """A start and a validator become Range and If-Range, and the answer holds the rest from there."""
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        etag = reply.head.headers["etag"]
    async with transport.exchange(Call(url=origin.url("file.bin"), start=1000, if_range=etag)) as reply:
        assert reply.head.status == 206
        assert await body(reply) == FILE.read(1000)
    assert origin.requests[-1].headers["range"] == "bytes=1000-"
    assert origin.requests[-1].headers["if-range"] == etag


@pytest.mark.row("S2.12")
async def test_what_is_known_already_is_answered_without_a_body(origin, transport, body):
    """By its ETag or by its date, as RFC 9110 §13.1 has it; a caller's own conditions are not sent."""
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        etag, modified = reply.head.headers["etag"], reply.head.headers["last-modified"]
    theirs = {"If-None-Match": "*", "If-Modified-Since": modified}
    for known, status in (
        ({"if_none_match": etag}, 304),
        ({"if_modified_since": modified}, 304),
        ({"if_none_match": '"other"', "if_modified_since": modified}, 200),
        ({"headers": theirs}, 200),
    ):
        async with transport.exchange(Call(url=origin.url("file.bin"), **known)) as reply:
            assert reply.head.status == status
            assert await body(reply) == (FILE.read() if status == 200 else b"")
    async with transport.exchange(Call(url=origin.url("file.bin"), start=1, if_none_match=etag)) as reply:
        assert reply.head.status == 206


@pytest.mark.law(4)
async def test_whole_file_is_asked_for_without_range(origin, transport):
    """From byte 0 there is neither Range nor If-Range, identity is asked for, and we say who we are."""
    async with transport.exchange(Call(url=origin.url("file.bin"), start=0, if_range='"x"')):
        pass
    sent = origin.requests[-1].headers
    assert "range" not in sent
    assert "if-range" not in sent
    assert sent["accept-encoding"] == "identity"
    assert sent["user-agent"].startswith("lading/")


@pytest.mark.law(4)
async def test_callers_headers_cannot_change_what_the_exchange_means(origin, transport):
    """A Range, an If-Range or a coding among the caller's headers is not sent; other headers are."""
    headers = {"Range": "bytes=5-", "IF-RANGE": '"y"', "Accept-Encoding": "gzip", "X-Own": "mine", "User-Agent": "me"}
    async with transport.exchange(Call(url=origin.url("file.bin"), headers=headers, start=7)):
        pass
    sent = origin.requests[-1].headers
    assert (sent["range"], sent["accept-encoding"], sent["x-own"], sent["user-agent"]) == (
        "bytes=7-",
        "identity",
        "mine",
        "me",
    )
    assert "if-range" not in sent


async def test_header_values_beyond_ascii_are_sent_as_utf8(transport, raw, read_head):
    """A value of any language reaches the server as its UTF-8."""
    seen: list[bytes] = []

    def answer(line: socket.socket) -> None:
        seen.append(read_head(line))
        line.sendall(HEAD + b"Content-Length: 0\r\n\r\n")

    with raw(answer) as port:
        async with transport.exchange(Call(url=f"http://127.0.0.1:{port}/", headers={"X-Name": "Grüße"})):
            pass
    assert "Grüße".encode() in seen[0]


async def test_head_joins_repeated_headers_and_lowers_their_names(transport, raw):
    """Names are lower-case, repeated headers are one value, and raw UTF-8 in them survives."""
    page = (
        HEAD + 'X-Two: a\r\nx-tWO: b\r\nContent-Disposition: inline; filename="é"\r\nContent-Length: 0\r\n\r\n'.encode()
    )
    with raw(page) as port:
        async with transport.exchange(Call(url=f"http://127.0.0.1:{port}/p?q=1#f")) as reply:
            assert reply.head.headers["x-two"] == "a, b"
            assert "é" in reply.head.headers["content-disposition"]
            assert reply.head.url == f"http://127.0.0.1:{port}/p"


async def test_percent_encoding_reaches_the_server_as_given(origin, transport):
    """A signed URL is not rewritten on its way: escapes, their case and the order of the query stay."""
    path = "a%2Fb%2fc%20d/~x'(1)?sig=a%2Bb%3d&z=1&a=%e2%82%ac+!*"
    async with transport.exchange(Call(url=origin.root + path)):
        pass
    assert origin.requests[-1].path == "/" + path


@pytest.mark.law(7)
async def test_environment_is_believed_only_when_told(origin, transport, monkeypatch, failure):
    """A proxy of the environment is not used unless the settings say so."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    quiet, trusting_env = HTTPXTransport(), HTTPXTransport(trust_env=True)
    async with quiet.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert reply.head.status == 200
    assert (await failure(trusting_env, Call(url=origin.url("file.bin")))).cause is Cause.NETWORK
    await quiet.aclose()
    await trusting_env.aclose()


async def test_refusals_are_answers(origin, transport):
    """An error status is an answer with a head, not an exception: what it is worth is the domain's to say."""
    origin.set("file.bin", Behaviour(refusals=(Refusal(503, retry_after_s=7),)))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert reply.head.status == 503
        assert reply.head.headers["retry-after"] == "7"


def test_transport_names_itself():
    """Events call it httpx."""
    assert HTTPXTransport().name == "httpx"
