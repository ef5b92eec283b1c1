"""The transport over real sockets: an origin that misbehaves, and raw servers that do not even speak HTTP."""

from __future__ import annotations

import contextlib
import gc
import logging
import socket
import ssl
import struct
import threading
import traceback
from collections.abc import Callable, Iterator

import httpx
import pytest
import trio
import trustme
from hypothesis import example, given
from hypothesis import strategies as st

from lading.adapters.http import HTTPXTransport
from lading.adapters.http.hop import first
from lading.domain import urls
from lading.domain.errors import TransferError
from lading.domain.faults import Cause
from lading.domain.ports import Call, Reply
from lading.domain.routes import Route
from lading.tools.origin import Behaviour, Drip, Drop, Framing, Origin, Page, Redirect, Refusal, Resource, Stall

SIZE = 300_000
FILE = Resource("file.bin", SIZE)
CANARY = "hush-canary"
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def served(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def origin():
    with Origin([FILE]) as one:
        yield one


@pytest.fixture
def other():
    with Origin([FILE]) as one:
        yield one


@pytest.fixture
async def transport():
    made = HTTPXTransport(connect_timeout_s=5.0, read_timeout_s=5.0, connections_max=2)
    yield made
    await made.aclose()
    gc.collect()


@contextlib.contextmanager
def raw(*answers: bytes | Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve one connection after the other: read a head, send these bytes (or do this), close; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            with contextlib.suppress(OSError), contextlib.ExitStack() as open_lines:
                line = open_lines.enter_context(listener.accept()[0])
                line.settimeout(20)
                if tls is not None:
                    line = open_lines.enter_context(tls.wrap_socket(line, server_side=True))
                if callable(answer):
                    answer(line)
                else:
                    read_head(line)
                    line.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)
        assert not thread.is_alive()


def read_head(line: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = line.recv(65536)
        if not more:
            raise OSError("the client went away")
        data += more
    return data


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def body(reply: Reply, room: int = 10_007) -> bytes:
    """Receive the rest of a body through one buffer that is used again and again."""
    data, buffer = bytearray(), bytearray(room)
    while count := await reply.receive_into(memoryview(buffer)):
        data += buffer[:count]
    return bytes(data)


async def until_it_breaks(reply: Reply) -> tuple[bytes, TransferError]:
    data, buffer = bytearray(), bytearray(10_007)
    try:
        while count := await reply.receive_into(memoryview(buffer)):
            data += buffer[:count]
    except TransferError as error:
        return bytes(data), error
    pytest.fail(f"the body ended well after {len(data)} bytes")


async def failure(transport: HTTPXTransport, call: Call) -> TransferError:
    with pytest.raises(TransferError) as caught:
        async with transport.exchange(call) as reply:
            await body(reply)
    return caught.value


# -- what is asked ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [1, 100, 65_536, SIZE, 4 * SIZE])
async def test_body_arrives_whole_through_buffers_of_any_size(origin, transport, room):
    """Not a byte is lost, repeated or moved between the chunks of the network and the buffers of the caller."""
    size = min(SIZE, 2000 * room)
    origin.put(Resource("sized", size))
    async with transport.exchange(Call(url=origin.url("sized"))) as reply:
        assert reply.head.status == 200
        assert reply.head.length == size
        assert await body(reply, room) == Resource("sized", size).read()


@pytest.mark.law(4)
async def test_range_and_its_guard_are_asked_for_as_called(origin, transport):
    """A start and a validator become Range and If-Range, and the answer holds the rest from there."""
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        etag = reply.head.headers["etag"]
    async with transport.exchange(Call(url=origin.url("file.bin"), start=1000, if_range=etag)) as reply:
        assert reply.head.status == 206
        assert await body(reply) == FILE.read(1000)
    assert origin.requests[-1].headers["range"] == "bytes=1000-"
    assert origin.requests[-1].headers["if-range"] == etag


@pytest.mark.row("S2.12")
async def test_what_is_known_already_is_answered_without_a_body(origin, transport):
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


@pytest.mark.row("S3.11")
async def test_an_exchange_in_which_our_transport_fails_is_made_once_more_by_httpx_s(origin, transport, monkeypatch):
    """And the route knows why; for the rest of the attempt it is not tried again, for another attempt it is."""
    tried = []

    async def broken(_, question):
        tried.append(question.target)
        raise KeyError(CANARY)

    monkeypatch.setattr(transport._wire, "ask", broken)
    call = Call(url=origin.url("file.bin"))
    for _ in range(2):
        async with transport.exchange(call) as reply:
            assert await body(reply) == FILE.read()
    assert len(tried) == 1
    assert not call.route.own
    assert "KeyError" in call.route.failure
    assert CANARY not in call.route.failure
    async with transport.exchange(Call(url=origin.url("file.bin"))):
        assert len(tried) == 2


@pytest.mark.row("S3.11")
async def test_what_a_server_does_wrong_is_no_reason_to_ask_by_another_transport(transport):
    """A second opinion would only take what ours refuses: it is for faults of ours."""
    with raw(b"nonsense\r\n\r\n") as port:
        call = Call(url=f"http://127.0.0.1:{port}/")
        assert (await failure(transport, call)).cause is Cause.PROTOCOL
    assert call.route.own


@pytest.mark.row("S3.11")
@pytest.mark.parametrize("start", [0, 1000])
async def test_an_attempt_that_is_to_do_without_our_transport_does(origin, transport, monkeypatch, start):
    """The whole, or a range."""
    monkeypatch.setattr(transport._wire, "ask", None)
    call = Call(url=origin.url("file.bin"), start=start, route=Route(own=False))
    async with transport.exchange(call) as reply:
        assert await body(reply) == FILE.read(start)
    assert call.route.failure is None


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


async def test_header_values_beyond_ascii_are_sent_as_utf8(transport):
    """A value of any language reaches the server as its UTF-8."""
    seen: list[bytes] = []

    def answer(line: socket.socket) -> None:
        seen.append(read_head(line))
        line.sendall(HEAD + b"Content-Length: 0\r\n\r\n")

    with raw(answer) as port:
        async with transport.exchange(Call(url=f"http://127.0.0.1:{port}/", headers={"X-Name": "Grüße"})):
            pass
    assert "Grüße".encode() in seen[0]


async def test_head_joins_repeated_headers_and_lowers_their_names(transport):
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


# -- connections -----------------------------------------------------------------------------------------------------


async def test_finished_exchange_leaves_its_connection_to_the_next(origin, transport):
    """A body that was read to its end does not cost a connection."""
    for _ in range(3):
        async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
            assert await body(reply) == FILE.read()
    assert {request.connection for request in origin.requests} == {1}


async def test_answer_that_arrived_with_its_head_leaves_its_connection_to_the_next(transport):
    """An error page that nobody reads does not cost a connection when it is there already."""

    def answer(line: socket.socket) -> None:
        for _ in range(3):
            read_head(line)
            line.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone")

    with raw(answer) as port:
        for _ in range(3):
            async with transport.exchange(Call(url=f"http://127.0.0.1:{port}/")) as reply:
                assert reply.head.status == 404


@pytest.mark.law(9)
async def test_exchange_left_early_gives_its_place_back(origin):
    """Bodies left unread, half-read or failed leave no place in the pool taken and no generator to the collector."""
    transport = HTTPXTransport(connections_max=1, connect_timeout_s=5.0)
    big = Resource("big.bin", 20_000_000)
    origin.put(big)
    for room in (0, 1, 100_000):
        async with transport.exchange(Call(url=origin.url("big.bin"))) as reply:
            if room:
                await reply.receive_into(memoryview(bytearray(room)))
        gc.collect()
    with contextlib.suppress(ZeroDivisionError):
        async with transport.exchange(Call(url=origin.url("big.bin"))) as reply:
            await reply.receive_into(memoryview(bytearray(9)))
            raise ZeroDivisionError
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert await body(reply) == FILE.read()
    await transport.aclose()
    gc.collect()


@pytest.mark.law(9)
async def test_leaving_an_exchange_does_not_wait_for_the_rest_of_its_body(origin, transport):
    """Whoever has seen enough is not held up by a body that goes on, or stands still."""
    origin.set("file.bin", Behaviour(stall=Stall(60, at=70_000)))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert await reply.receive_into(memoryview(bytearray(1))) == 1
        left_s = trio.current_time()
    assert trio.current_time() - left_s < 2


@pytest.mark.law(9)
@pytest.mark.parametrize(
    "behaviour", [Behaviour(stall_head_s=60), Behaviour(stall=Stall(60, at=70_000)), Behaviour(rate=50_000)]
)
async def test_cancelled_exchange_ends_at_once_and_gives_its_place_back(origin, behaviour):
    """Cancelling in the head, in a stall or amid a flowing body frees the connection, and the next exchange works."""
    transport = HTTPXTransport(connections_max=1, connect_timeout_s=5.0)
    origin.put(Resource("slow.bin", SIZE))
    origin.set("slow.bin", behaviour)
    got = 0
    with trio.move_on_after(0.2) as scope:
        async with transport.exchange(Call(url=origin.url("slow.bin"))) as reply:
            buffer = memoryview(bytearray(4096))
            while count := await reply.receive_into(buffer):
                got += count
    assert scope.cancelled_caught
    assert got < SIZE
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert await body(reply) == FILE.read()
    await transport.aclose()
    gc.collect()


@pytest.mark.law(5)
async def test_body_cancelled_amid_a_wait_is_never_taken_for_ended(origin, transport):
    """After a cancelled receive the next one says broken, not 0: what the first may have received is unknown."""
    origin.set("file.bin", Behaviour(stall=Stall(60, at=70_000)))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        buffer = memoryview(bytearray(SIZE))
        with trio.move_on_after(0.2) as scope:
            while await reply.receive_into(buffer):
                pass
        assert scope.cancelled_caught
        with pytest.raises(TransferError) as caught:
            await reply.receive_into(buffer)
        assert caught.value.cause is Cause.BROKEN


async def test_kept_connection_that_the_server_closed_is_no_failure(transport):
    """A request that meets the end of a kept connection is sent again on a new one, once."""
    ok = HEAD + b"Content-Length: 2\r\n\r\nok"

    def answer_then_hang_up_on_the_next(line: socket.socket) -> None:
        read_head(line)
        line.sendall(ok)
        read_head(line)
        reset(line)

    with raw(answer_then_hang_up_on_the_next, ok) as port:
        for _ in range(2):
            async with transport.exchange(Call(url=f"http://127.0.0.1:{port}/")) as reply:
                assert await body(reply) == b"ok"


@pytest.mark.law(5)
@pytest.mark.parametrize("surplus", [b"junk", b"junk\r\n\r\n", HEAD, HEAD + b"Content-Length: 4\r\n\r\nevil"])
@pytest.mark.parametrize("secure", [False, True])
async def test_bytes_behind_a_body_never_become_the_next_answer(trusting, served, surplus, secure):
    """What a server sends beyond its Content-Length spoils neither that body nor the next exchange with that server."""

    def answer_too_much(line: socket.socket) -> None:
        read_head(line)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        line.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")
        line.sendall(surplus)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        read_head(line)
        line.sendall(HEAD + b"Content-Length: 5\r\n\r\nstale")

    transport = HTTPXTransport(ssl_context=trusting)
    tls, scheme = (served, "https") if secure else (None, "http")
    with raw(answer_too_much, HEAD + b"Content-Length: 3\r\n\r\nnew", tls=tls) as port:
        async with transport.exchange(Call(url=f"{scheme}://127.0.0.1:{port}/")) as reply:
            assert await body(reply) == b"ok"
        async with transport.exchange(Call(url=f"{scheme}://127.0.0.1:{port}/")) as reply:
            assert await body(reply) == b"new"
        await transport.aclose()


async def test_connection_handed_on_is_left_alone_by_the_exchange_before(origin, transport):
    """An exchange that has read its body to the end and is still open does not touch who uses its connection now."""
    async with transport.exchange(Call(url=origin.url("file.bin"))) as before:
        assert await body(before) == FILE.read()
        async with transport.exchange(Call(url=origin.url("file.bin"))) as after:
            got = await after.receive_into(memoryview(bytearray(1000)))
            assert await before.receive_into(memoryview(bytearray(1))) == 0
            await before.aclose()
            assert await body(after) == FILE.read(got)
    assert {request.connection for request in origin.requests} == {1}


# -- how bodies end --------------------------------------------------------------------------------------------------


@pytest.mark.law(5)
@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
async def test_body_cut_short_gives_its_bytes_and_then_says_broken(origin, transport, framing):
    """What arrived before the cut is delivered, the cut is an error, and asking again is the same error, never 0."""
    origin.set("file.bin", Behaviour(framing=framing, drop=Drop(after=123_456)))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        data, error = await until_it_breaks(reply)
        assert data == FILE.read(0, 123_456)
        assert error.cause is Cause.BROKEN
        for _ in range(2):
            with pytest.raises(TransferError):
                await reply.receive_into(memoryview(bytearray(10)))


@pytest.mark.law(5)
async def test_body_that_is_reset_gives_good_bytes_and_then_says_broken(origin, transport):
    """A reset may overtake bytes; those that come through are a prefix, and the end is an error."""
    origin.set("file.bin", Behaviour(drop=Drop(after=123_456, reset=True)))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        data, error = await until_it_breaks(reply)
    assert error.cause is Cause.BROKEN
    assert FILE.read().startswith(data)


@pytest.mark.law(5)
async def test_content_length_that_promises_too_much_is_broken(origin, transport):
    """All bytes that exist are delivered; their end before the promised length is an error."""
    origin.set("file.bin", Behaviour(length_lie=10))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        data, error = await until_it_breaks(reply)
    assert (data, error.cause) == (FILE.read(), Cause.BROKEN)


@pytest.mark.law(5)
async def test_head_tells_whether_anything_vouches_for_the_end(origin, transport):
    """A chunked body says so, and one that ends by closing has neither a length nor a transfer coding."""
    origin.set("file.bin", Behaviour(framing=Framing.CHUNKED))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert reply.head.headers["transfer-encoding"] == "chunked"
        assert reply.head.length is None
        assert await body(reply) == FILE.read()
    origin.set("file.bin", Behaviour(framing=Framing.CLOSE))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert "transfer-encoding" not in reply.head.headers
        assert reply.head.length is None
        assert await body(reply) == FILE.read()
        assert await reply.receive_into(memoryview(bytearray(1))) == 0


@pytest.mark.law(9)
async def test_stalled_body_is_given_up(origin):
    """Silence in a body ends as stalled after the read timeout, with what came before it delivered."""
    transport = HTTPXTransport(read_timeout_s=0.2)
    origin.set("file.bin", Behaviour(stall=Stall(60, at=100_000)))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        data, error = await until_it_breaks(reply)
    await transport.aclose()
    assert (data, error.cause) == (FILE.read(0, 100_000), Cause.STALLED)


async def test_slow_body_is_not_a_stall(origin):
    """A timeout is for silence: a body that keeps dripping may take longer than it."""
    transport = HTTPXTransport(read_timeout_s=0.4)
    origin.put(Resource("drip", 12))
    origin.set("drip", Behaviour(drip=Drip(size=1, pause_s=0.05)))
    async with transport.exchange(Call(url=origin.url("drip"))) as reply:
        assert await body(reply) == Resource("drip", 12).read()
    await transport.aclose()


# -- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.law(9)
async def test_head_that_never_comes_is_a_timeout(origin):
    """Neither silence in the middle of a head nor a head that drips for ever is waited for."""

    def drip_a_head(line: socket.socket) -> None:
        read_head(line)
        line.sendall(HEAD)
        stop = threading.Event()
        for _ in range(400):
            line.sendall(b"X: y\r\n")
            stop.wait(0.05)

    transport = HTTPXTransport(connect_timeout_s=0.3, read_timeout_s=0.3)
    origin.set("file.bin", Behaviour(stall_head_s=60))
    assert (await failure(transport, Call(url=origin.url("file.bin")))).cause is Cause.TIMEOUT
    with raw(drip_a_head) as port:
        assert (await failure(transport, Call(url=f"http://127.0.0.1:{port}/"))).cause is Cause.TIMEOUT
    await transport.aclose()


@pytest.mark.law(9)
async def test_full_pool_is_waited_for_only_so_long(origin):
    """With every place taken the next exchange ends as a timeout."""
    transport = HTTPXTransport(connections_max=1, connect_timeout_s=0.2)
    origin.put(Resource("big.bin", 20_000_000))
    async with transport.exchange(Call(url=origin.url("big.bin"))):
        assert (await failure(transport, Call(url=origin.url("file.bin")))).cause is Cause.TIMEOUT
    await transport.aclose()


async def test_handshake_that_never_comes_is_a_timeout():
    """A server that accepts and then says nothing to our TLS is not waited for."""
    transport = HTTPXTransport(connect_timeout_s=0.2)
    hang = threading.Event()
    with raw(lambda line: hang.wait(20) and None) as port:
        error = await failure(transport, Call(url=f"https://127.0.0.1:{port}/"))
        hang.set()
    await transport.aclose()
    assert error.cause is Cause.TIMEOUT


async def test_nobody_listening_is_a_network_failure(transport):
    """A refused connection says so, and where."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = await failure(transport, Call(url=f"http://127.0.0.1:{port}/x?{CANARY}"))
    assert (error.cause, error.message) == (Cause.NETWORK, f"127.0.0.1:{port}: connection refused")


async def test_unknown_host_is_a_network_failure(transport, monkeypatch):
    """A name that nobody knows says so."""

    async def unknown(*_args, **_more):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(trio.socket, "getaddrinfo", unknown)
    error = await failure(transport, Call(url="http://host.invalid/x"))
    assert (error.cause, error.message) == (Cause.NETWORK, "host.invalid:80: its address could not be found")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"", Cause.NETWORK),
        (b"HTTP/1.1 200", Cause.NETWORK),
        (reset, Cause.NETWORK),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Cause.PROTOCOL),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", Cause.PROTOCOL),
        (HEAD + b"Content-Length: many\r\n\r\nabc", Cause.PROTOCOL),
        (HEAD + b"X: y\r\n" * 40_000 + b"\r\n", Cause.PROTOCOL),
        (HEAD + b"X: " + b"y" * 400_000 + b"\r\n\r\n", Cause.PROTOCOL),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n0\r\n\r\n", Cause.PROTOCOL),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", Cause.PROTOCOL),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", Cause.BROKEN),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\nhello", Cause.PROTOCOL),
    ],
)
async def test_answer_that_is_none_has_its_cause(transport, answer, cause):
    """Whatever a server says instead of an answer becomes one of our causes, within bounds."""
    with raw(answer, answer) as port:
        error = await failure(transport, Call(url=f"http://127.0.0.1:{port}/"))
    assert error.cause is cause


async def test_certificate_that_nobody_vouches_for_is_a_tls_failure(served, transport):
    """A certificate of an unknown authority ends the exchange, and the message says why."""
    with Origin([FILE], tls=served) as origin:
        error = await failure(transport, Call(url=origin.url("file.bin")))
    assert error.cause is Cause.TLS
    assert "unable to get local issuer certificate" in error.message


async def test_certificate_of_another_host_is_a_tls_failure(authority, trusting):
    """A trusted certificate for another name is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    transport = HTTPXTransport(ssl_context=trusting)
    with Origin([FILE], tls=context) as origin:
        error = await failure(transport, Call(url=origin.url("file.bin")))
    await transport.aclose()
    assert error.cause is Cause.TLS


async def test_plain_http_where_tls_was_expected_is_a_tls_failure(transport):
    """A server that answers a handshake with plain HTTP has no TLS, which no retry changes."""

    def answer(line: socket.socket) -> None:
        line.recv(10)
        line.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        line.recv(65536)

    with raw(answer) as port:
        error = await failure(transport, Call(url=f"https://127.0.0.1:{port}/"))
    assert error.cause is Cause.TLS
    assert "wrong version number" in error.message


@pytest.mark.parametrize("heard_bytes", [10, 65_536])
async def test_connection_closed_amid_the_handshake_is_a_network_failure(transport, heard_bytes):
    """A server that hangs up on our TLS, by a reset or in good order, may have another day."""
    with raw(lambda line: line.recv(heard_bytes) and None) as port:
        error = await failure(transport, Call(url=f"https://127.0.0.1:{port}/"))
    assert error.cause is Cause.NETWORK


@pytest.mark.law(5)
async def test_tls_carries_bodies_and_their_breaks(served, trusting):
    """Over TLS a body arrives whole, keeps its connection, and a cut one is broken."""
    transport = HTTPXTransport(ssl_context=trusting)
    with Origin([FILE], tls=served) as origin:
        for _ in range(2):
            async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
                assert await body(reply) == FILE.read()
        assert {request.connection for request in origin.requests} == {1}
        origin.set("file.bin", Behaviour(drop=Drop(after=100_000)))
        async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
            data, error = await until_it_breaks(reply)
        await transport.aclose()
    assert (data, error.cause) == (FILE.read(0, 100_000), Cause.BROKEN)


@pytest.mark.law(7)
async def test_environment_is_believed_only_when_told(origin, transport, monkeypatch):
    """A proxy of the environment is not used unless the settings say so."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    quiet, trusting_env = HTTPXTransport(), HTTPXTransport(trust_env=True)
    async with quiet.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert reply.head.status == 200
    assert (await failure(trusting_env, Call(url=origin.url("file.bin")))).cause is Cause.NETWORK
    await quiet.aclose()
    await trusting_env.aclose()


# -- redirects and secrets -------------------------------------------------------------------------------------------


SECRET_HEADERS = {"Authorization": f"Bearer {CANARY}", "Cookie": f"c={CANARY}", "X-Token": CANARY}


def test_call_and_hop_do_not_show_what_they_carry():
    """The reprs of what is asked hold no secret."""
    call = Call(url=f"http://u:{CANARY}@h.example/?{CANARY}", headers=SECRET_HEADERS)
    assert CANARY not in repr(call) + repr(first(call, "lading/0"))


@pytest.mark.law(7)
async def test_redirect_within_the_origin_keeps_headers_and_range(origin, transport):
    """Inside one origin the caller's headers, userinfo and the range go along."""
    origin.put(Page("old", b""))
    origin.set("old", Behaviour(redirect=Redirect("/file.bin?x=1")))
    url = origin.url("old").replace("//", f"//user:{CANARY}@")
    async with transport.exchange(Call(url=url, headers={"X-Token": CANARY}, start=5)) as reply:
        assert reply.head.status == 206
        assert reply.head.url == origin.url("file.bin")
        assert await body(reply) == FILE.read(5)
    old, new = origin.requests
    for name in ("authorization", "x-token", "range"):
        assert old.headers[name] == new.headers[name]
    assert old.headers["authorization"].startswith("Basic ")


@pytest.mark.law(7)
async def test_redirect_across_origins_loses_every_header_of_the_caller_for_good(origin, other, transport):
    """Another port is another origin: nothing of the caller's goes there, nor back from there; the range does."""
    origin.put(Page("old", b""))
    origin.set("old", Behaviour(redirect=Redirect(other.url("there"))))
    other.put(Page("there", b""))
    other.set("there", Behaviour(redirect=Redirect(origin.url("file.bin"))))
    url = origin.url("old").replace("//", f"//user:{CANARY}@")
    async with transport.exchange(Call(url=url, headers={"X-Token": CANARY, "User-Agent": CANARY}, start=5)) as reply:
        assert reply.head.url == origin.url("file.bin")
    asked, strayed, returned = origin.requests[0], other.requests[0], origin.requests[1]
    assert asked.headers["x-token"] == CANARY
    for request in (strayed, returned):
        assert CANARY not in str(request.headers)
        assert "authorization" not in request.headers
        assert request.headers["range"] == "bytes=5-"
        assert request.headers["accept-encoding"] == "identity"


@pytest.mark.law(7)
async def test_redirect_from_https_to_http_loses_every_header_of_the_caller(served, trusting, origin):
    """What was given for a host over TLS is not told to anybody in the clear."""
    transport = HTTPXTransport(ssl_context=trusting)
    with Origin([Page("old", b"")], tls=served) as secure:
        secure.set("old", Behaviour(redirect=Redirect(origin.url("file.bin"))))
        async with transport.exchange(Call(url=secure.url("old"), headers=SECRET_HEADERS)) as reply:
            assert await body(reply) == FILE.read()
    await transport.aclose()
    assert CANARY not in str(origin.requests[0].headers)


@pytest.mark.law(7)
@pytest.mark.parametrize(
    ("location", "stays"),
    [
        ("https://a.example:8443/y", True),
        ("//A.example:8443/y", True),
        ("y z?q", True),
        ("http://a.example:8443/y", False),
        ("https://a.example/y", False),
        ("https://b.a.example:8443/y", False),
        ("https://a.example.b:8443/y", False),
    ],
)
def test_origin_is_scheme_and_host_and_port(location, stays):
    """The caller's headers go along where all three are the same, and nowhere else."""
    hop = first(Call(url="https://a.example:8443/x", headers=SECRET_HEADERS), "lading/0").follow(location)
    assert hop is not None
    assert (CANARY in str(hop.private)) is stays


async def test_redirect_with_a_space_is_followed_as_browsers_do(origin, transport):
    """A Location that is not quite a URL still leads where its sender means."""
    origin.put(Resource("my file", 10))
    origin.set("file.bin", Behaviour(redirect=Redirect("/my file")))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert await body(reply) == Resource("my file", 10).read()


@pytest.mark.law(7)
async def test_userinfo_of_a_redirect_goes_to_its_target_only(origin, other, transport):
    """A Location with userinfo authorises that one hop; the public URL does not show it."""
    origin.put(Page("old", b""))
    origin.set("old", Behaviour(redirect=Redirect(other.url("file.bin").replace("//", "//me:pw@"))))
    async with transport.exchange(Call(url=origin.url("old"))) as reply:
        assert reply.head.url == other.url("file.bin")
    assert other.requests[0].headers["authorization"] == "Basic bWU6cHc="
    assert "authorization" not in origin.requests[0].headers


@pytest.mark.law(9)
async def test_redirects_are_bounded(origin, transport):
    """Ten are followed; the eleventh ends the exchange."""
    origin.set("file.bin", Behaviour(redirect=Redirect(None)))
    assert (await failure(transport, Call(url=origin.url("file.bin")))).cause is Cause.REDIRECTS
    assert len(origin.requests) == 11
    for step in range(10):
        origin.put(Page(f"step{step}", b""))
        origin.set(f"step{step}", Behaviour(redirect=Redirect(f"step{step + 1}" if step < 9 else "end")))
    origin.put(Resource("end", 10))
    async with transport.exchange(Call(url=origin.url("step0"))) as reply:
        assert reply.head.url == origin.url("end")


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "location",
    [f"ftp://h/{CANARY}", f"file:///etc/{CANARY}", f"https:///{CANARY}", f"http://[{CANARY}", f"data:,{CANARY}"],
)
async def test_redirect_to_what_is_no_url_of_ours_ends_there(origin, transport, location):
    """Only http and https are followed; the message does not say where it would have led."""
    origin.set("file.bin", Behaviour(redirect=Redirect(location)))
    error = await failure(transport, Call(url=origin.url("file.bin")))
    assert error.cause is Cause.REDIRECTS
    assert CANARY not in error.message


async def test_redirect_without_location_is_the_answer(transport):
    """A 302 that leads nowhere is given to the caller as it is."""
    with raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n") as port:
        async with transport.exchange(Call(url=f"http://127.0.0.1:{port}/")) as reply:
            assert reply.head.status == 302


@pytest.mark.law(7)
async def test_cookies_are_neither_kept_nor_shown(transport):
    """A cookie of one answer is in no later request, in no head and in no memory of the transport."""
    seen: list[bytes] = []

    def answer(line: socket.socket) -> None:
        for _ in range(2):
            seen.append(read_head(line))
            line.sendall(HEAD + f"Set-Cookie: id={CANARY}; Path=/\r\nContent-Length: 0\r\n\r\n".encode())

    with raw(answer) as port:
        for _ in range(2):
            async with transport.exchange(Call(url=f"http://127.0.0.1:{port}/")) as reply:
                assert "set-cookie" not in reply.head.headers
    assert len(seen) == 2
    assert b"ookie" not in seen[1]


TROUBLE = {
    "refused head": (b"nonsense " + CANARY.encode() + b"\r\n\r\n", Cause.PROTOCOL),
    "bad header": (HEAD + b"X\x00Y: " + CANARY.encode() + b"\r\n\r\n", Cause.PROTOCOL),
    "bad chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CANARY.encode() + b"\r\n", Cause.PROTOCOL),
    "bad redirect": (
        f"HTTP/1.1 302 F\r\nLocation: gopher://{CANARY}/\r\nContent-Length: 0\r\n\r\n".encode(),
        Cause.REDIRECTS,
    ),
    "redirect to nobody": (
        f"HTTP/1.1 302 F\r\nLocation: http://u:{CANARY}@127.0.0.1:1/{CANARY}?{CANARY}\r\n\r\n".encode(),
        Cause.NETWORK,
    ),
    "no answer": (b"", Cause.NETWORK),
    "short body": (HEAD + f"Set-Cookie: {CANARY}\r\nContent-Length: 9\r\n\r\nhalf".encode(), Cause.BROKEN),
}


@pytest.mark.law(7)
@pytest.mark.parametrize("name", TROUBLE)
async def test_no_secret_gets_into_messages_tracebacks_or_logs(transport, caplog, name):
    """With canaries in userinfo, query, headers and answer, no error, chain of errors or debug log shows one."""
    caplog.set_level(logging.DEBUG)
    answer, cause = TROUBLE[name]
    with raw(answer, answer) as port:
        url = f"http://user:{CANARY}@127.0.0.1:{port}/p?key={CANARY}#{CANARY}"
        error = await failure(transport, Call(url=url, headers=SECRET_HEADERS))
    assert error.cause is cause
    told = "".join([*traceback.format_exception(error), str(error), repr(error), error.hint, repr(error.__dict__)])
    assert CANARY not in told
    assert error.__cause__ is None
    assert error.__context__ is None
    assert CANARY not in caplog.text


@pytest.mark.law(7)
async def test_no_secret_gets_into_logs_when_all_goes_well(origin, transport, caplog):
    """httpx tells each request's whole URL and httpcore each head to whoever listens; of ours they tell nothing."""
    caplog.set_level(logging.DEBUG)
    origin.set("file.bin", Behaviour(headers=(("Set-Cookie", CANARY), ("Content-Location", f"/?{CANARY}"))))
    async with transport.exchange(Call(url=origin.url("file.bin") + f"?k={CANARY}", headers=SECRET_HEADERS)) as reply:
        await body(reply)
    assert CANARY not in caplog.text
    logging.getLogger("httpx").info("somebody else's request")
    assert "somebody else's request" in caplog.text


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "headers", [{"X-Token": f"{CANARY}\r\nX-More: 1"}, {f"X {CANARY}": "1"}, {"X-Token": f"\x00{CANARY}"}, {"": CANARY}]
)
async def test_header_that_cannot_be_sent_is_not_quoted(origin, transport, headers):
    """A header that would break the request's framing is not sent at all, and the message does not show it."""
    error = await failure(transport, Call(url=origin.url("file.bin"), headers=headers))
    assert error.cause is Cause.PROTOCOL
    assert CANARY not in "".join(traceback.format_exception(error))
    assert origin.requests == ()


SHARDS = ["http:", "https:", "//", "/", "\\", "@", "a.example", "evil.example", ":80", ":443", ":", "#", "?", "user"]
SHARDS += ["%2f", "%40", "..", "[::1]", "[", "]", "。", "ａ.example", "％", "\t", " "]
HOSTILE = st.text(max_size=60) | st.lists(st.sampled_from(SHARDS), max_size=9).map("".join)


@pytest.mark.law(7)
@given(HOSTILE)
@example("//evil.example\\@a.example/")
@example("http:evil.example")
@example("http://a.example@evil.example/")
@example("http://a.example:80@evil.example/")
@example("https://a.example/")
@example("HTTP://A.EXAMPLE:80/x")
def test_no_location_carries_secrets_to_another_host_than_the_one_given(location):
    """Whatever a Location looks like: where httpx would connect to with the caller's headers is the caller's origin."""
    hop = first(Call(url=f"http://a.example/x/y?q={CANARY}", headers=SECRET_HEADERS), "lading/0").follow(location)
    if hop is None:
        return
    assert "@" not in hop.url.partition("//")[2].partition("/")[0]
    try:
        url = httpx.URL(hop.url)
    except httpx.InvalidURL:
        return
    assert url.userinfo == b""
    if (url.scheme, url.host, url.port or 80) != ("http", "a.example", 80):
        assert CANARY not in str(hop.private)
    else:
        assert urls.origin(hop.url) == ("http", "a.example:80") or CANARY not in str(hop.private)


async def test_refusals_are_answers(origin, transport):
    """An error status is an answer with a head, not an exception: what it is worth is the domain's to say."""
    origin.set("file.bin", Behaviour(refusals=(Refusal(503, retry_after_s=7),)))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert reply.head.status == 503
        assert reply.head.headers["retry-after"] == "7"


def test_transport_names_itself():
    """Events call it httpx."""
    assert HTTPXTransport().name == "httpx"
