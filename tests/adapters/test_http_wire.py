"""Our own HTTP/1.1 below httpx: connections, bodies, heads and the pool, over real sockets and real TLS."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest
import trio
import trio.testing
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.adapters.http import HTTPXTransport, connection
from lading.adapters.http.bodies import LINE_MAX, TRAILERS_MAX, Chunked
from lading.adapters.http.connection import Connection
from lading.adapters.http.heads import Question, ask
from lading.adapters.http.pool import Origin as Whose
from lading.adapters.http.pool import Pool
from lading.adapters.http.proxies import Proxies
from lading.adapters.http.wire import WireTransport
from lading.domain.errors import TransferError
from lading.domain.faults import Cause
from lading.domain.ports import Call, Reply
from lading.tools.origin import Behaviour, Framing, Origin, Resource, Stall

SIZE = 3_000_000
FILE = Resource("file.bin", SIZE)
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GUARD = 0xA5


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def served(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "::1").configure_cert(context)
    return context


@pytest.fixture
async def transport(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    made = HTTPXTransport(connect_timeout_s=5.0, read_timeout_s=5.0, connections_max=4, ssl_context=context)
    yield made
    await made.aclose()
    gc.collect()


@contextlib.contextmanager
def server(
    *answers: bytes | Callable[[socket.socket], None], tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[str]:
    """Serve one connection after the other: read a head, send these bytes (or do this), close; yields the URL."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)

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
        name = f"[{host}]" if ":" in host else host
        yield f"{'http' if tls is None else 'https'}://{name}:{listener.getsockname()[1]}/"
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


async def fetch(transport: HTTPXTransport, url: str, room: int = 100_000) -> tuple[bytes, bool]:
    """Return a body and whether its end is assured; not a byte of the buffer past the body may have been touched."""
    data = bytearray()
    buffer = bytearray([GUARD]) * room
    async with transport.exchange(Call(url=url)) as reply:
        assert not reply.is_assured or not reply.head.length
        while count := await reply.receive_into(memoryview(buffer)):
            data += buffer[:count]
            assert buffer.count(GUARD, count) == room - count
            buffer[:count] = bytes([GUARD]) * count
        assert buffer.count(GUARD) == room
        return bytes(data), reply.is_assured


async def receive(reply: Reply) -> bytes:
    """Return what came next of a body."""
    buffer = bytearray(100_000)
    return bytes(buffer[: await reply.receive_into(memoryview(buffer))])


async def cause(transport: HTTPXTransport, url: str) -> Cause:
    with pytest.raises(TransferError) as caught:
        await fetch(transport, url)
    return caught.value.cause


@contextlib.contextmanager
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    one = Connection(ours)
    with theirs:
        yield one, theirs
        one.close()


# -- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.law(5)
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize("room", [1000, 100_000, SIZE + 1])
async def test_body_fills_the_buffer_of_its_caller_and_not_a_byte_more(transport, served, secure, framing, room):
    """However it is framed and carried, a body comes whole, and what lies behind its bytes in the buffer stays."""
    size = min(SIZE, 300 * room)
    with Origin([Resource("it", size)], tls=served if secure else None) as origin:
        origin.set("it", Behaviour(framing=framing))
        data, _ = await fetch(transport, origin.url("it"), room)
    assert data == Resource("it", size).read()


@pytest.mark.law(5)
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(
    "framed", [b"Content-Length: 2\r\n\r\nok", b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"]
)
async def test_bytes_behind_a_body_reach_nobody(transport, served, secure, framed):
    """What follows a body in the same segment is not put behind it, and its connection is not used again."""
    surplus = HEAD + framed + HEAD + b"Content-Length: 4\r\n\r\nevil"
    with server(surplus, HEAD + b"Content-Length: 3\r\n\r\nnew", tls=served if secure else None) as url:
        assert await fetch(transport, url) == (b"ok", True)
        assert transport._wire._pool.kept == 0
        assert await fetch(transport, url) == (b"new", True)


def say_goodbye(line: socket.socket) -> None:
    if isinstance(line, ssl.SSLSocket):
        line.unwrap()


def cut(line: socket.socket) -> None:
    line.shutdown(socket.SHUT_RDWR)


@pytest.mark.law(5)
@pytest.mark.parametrize(
    ("secure", "end", "assured"), [(True, say_goodbye, True), (True, cut, False), (False, cut, False)]
)
async def test_end_by_closing_is_assured_by_a_close_notify_only(transport, served, secure, end, assured):
    """A body that goes on until the connection ends may have been cut by anybody, unless TLS says it was not."""

    def answer(line: socket.socket) -> None:
        read_head(line)
        line.sendall(HEAD + b"\r\nall of it")
        end(line)

    with server(answer, tls=served if secure else None) as url:
        assert await fetch(transport, url) == (b"all of it", assured)


@pytest.mark.law(5)
@pytest.mark.parametrize("end", [say_goodbye, cut])
@pytest.mark.parametrize("framed", [b"Content-Length: 5\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhalf"])
async def test_no_close_notify_makes_a_short_body_whole(transport, served, end, framed):
    """A length or a chunk that was promised is owed, however politely the connection ends."""

    def answer(line: socket.socket) -> None:
        read_head(line)
        line.sendall(HEAD + framed)
        end(line)

    with server(answer, tls=served) as url:
        buffer = bytearray(100)
        async with transport.exchange(Call(url=url)) as reply:
            assert await reply.receive_into(memoryview(buffer)) == 4
            for _ in range(2):
                with pytest.raises(TransferError) as caught:
                    await reply.receive_into(memoryview(buffer))
                assert caught.value.cause is Cause.BROKEN
            assert not reply.is_assured


GOOD_CHUNKS = {
    "none": (b"0\r\n\r\n", b""),
    "sizes in hex of any case": (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
    "leading zeros": (b"0000000000000000000a\r\n0123456789\r\n000\r\n\r\n", b"0123456789"),
    "padded size": (b"2  \r\nok\r\n0 \r\n\r\n", b"ok"),
    "extensions": (b'2;a=b;c="d"\r\nok\r\n0;e\r\n\r\n', b"ok"),
    "trailers": (b"2\r\nok\r\n0\r\nX-Sum: 5\r\nY:\r\n\r\n", b"ok"),
    "data like framing": (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
}
BAD_CHUNKS = {
    "no size": b"\r\nok\r\n0\r\n\r\n",
    "no number": b"0x2\r\nok\r\n0\r\n\r\n",
    "sign": b"+2\r\nok\r\n0\r\n\r\n",
    "negative": b"-2\r\nok\r\n0\r\n\r\n",
    "digits apart": b"1 0\r\n0123456789012345\r\n0\r\n\r\n",
    "underscore": b"1_0\r\n0123456789012345\r\n0\r\n\r\n",
    "leading space": b" 2\r\nok\r\n0\r\n\r\n",
    "larger than any file": b"8000000000000000\r\nok",
    "many digits": b"000000000000000000002\r\nok\r\n0\r\n\r\n",
    "bare line feed": b"2\nok\r\n0\r\n\r\n",
    "bare line feed behind data": b"2\r\nok\n0\r\n\r\n",
    "data behind data": b"2\r\nokay\r\n0\r\n\r\n",
    "carriage return in an extension": b"2;a\rb\r\nok\r\n0\r\n\r\n",
    "endless extension": b"2;" + b"a" * LINE_MAX * 2,
    "no trailer": b"2\r\nok\r\n0\r\nnothing\r\n\r\n",
    "bare line feed in trailers": b"2\r\nok\r\n0\r\nA: b\n\r\n",
    "endless trailers": b"2\r\nok\r\n0\r\n" + b"A: b\r\n" * (TRAILERS_MAX // 3),
}


@pytest.mark.parametrize("name", GOOD_CHUNKS)
async def test_chunks_are_read_as_the_standard_writes_them(transport, name):
    """Sizes, extensions and trailers in every form that is allowed give the same body, and keep the connection."""
    wire, expected = GOOD_CHUNKS[name]

    def answer(line: socket.socket) -> None:
        for _ in range(2):
            read_head(line)
            line.sendall(CHUNKS + wire)

    with server(answer) as url:
        for _ in range(2):
            assert await fetch(transport, url) == (expected, True)


@pytest.mark.law(5)
@pytest.mark.parametrize("name", BAD_CHUNKS)
async def test_chunks_that_cannot_be_read_are_a_protocol_error(transport, name):
    """Whoever is lenient about the end of a chunk takes something else for the body."""
    stay = threading.Event()

    def answer(line: socket.socket) -> None:
        read_head(line)
        line.sendall(CHUNKS + BAD_CHUNKS[name])
        stay.wait(20)

    with server(answer) as url:
        assert await cause(transport, url) is Cause.PROTOCOL
        stay.set()


@pytest.mark.law(5)
async def test_bytes_before_a_bad_chunk_are_given_first(transport):
    """What arrived is good even if what follows in the same segment is not."""
    with server(CHUNKS + b"5\r\nhello\r\n3\r\nyou\r\nrubbish\r\n") as url:
        async with transport.exchange(Call(url=url)) as reply:
            buffer = bytearray(100)
            count = await reply.receive_into(memoryview(buffer))
            assert buffer[:count] == b"helloyou"
            with pytest.raises(TransferError) as caught:
                await reply.receive_into(memoryview(buffer))
            assert caught.value.cause is Cause.PROTOCOL


@settings(max_examples=60, deadline=None)
@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    cuts=st.lists(st.integers(0, 400), max_size=12),
    room=st.integers(1, 60),
)
def test_chunks_are_the_same_however_the_network_cuts_them(chunks, cuts, room):
    """Wherever segments and buffers end, the chunks give the same body, and what follows it is left alone."""
    wire = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nA: b\r\n\r\nnext"
    ends = [*sorted(min(each, len(wire)) for each in cuts), len(wire)]

    async def run() -> tuple[bytes, bytes]:
        got, buffer = bytearray(), bytearray(room)
        with pair() as (ours, theirs):

            async def send() -> None:
                for begin, end in zip([0, *ends], ends, strict=False):
                    theirs.sendall(wire[begin:end])
                    await trio.testing.wait_all_tasks_blocked()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                body = Chunked(ours, 5.0)
                while count := await body.receive_into(memoryview(buffer)):
                    got += buffer[:count]
                assert body.has_ended
            rest = bytearray(100)
            while ours.holds < 4:
                await ours.receive_ahead(timeout_s=5.0)
            return bytes(got), bytes(rest[: await ours.receive_into(memoryview(rest), timeout_s=5.0)])

    assert trio.run(run) == (b"".join(chunks), b"next")


# -- heads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 9223372036854775808\r\n\r\nok",
        HEAD + b"Content-Length: -1\r\n\r\nok",
        HEAD + b"Content-Length: 2, 3\r\n\r\nok",
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nok",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200 + HEAD + b"Content-Length: 2\r\n\r\nok",
    ],
)
async def test_answer_whose_end_cannot_be_told_is_refused(transport, answer):
    """Two ways to end a body, lengths that differ or that no file has, codings that we do not know: none is guessed."""
    with server(answer) as url:
        assert await cause(transport, url) is Cause.PROTOCOL


async def test_interim_answers_are_passed_over(transport):
    """Early hints and the like come before the answer and are none."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with server(interim + HEAD + b"Content-Length: 2\r\n\r\nok") as url:
        assert await fetch(transport, url) == (b"ok", True)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_answer_without_content_has_no_body_whatever_its_head_says(transport, status):
    """The length in a 304 is that of another answer; the connection serves the next request."""

    def answer(line: socket.socket) -> None:
        for _ in range(2):
            read_head(line)
            line.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 100\r\n\r\n")

    with server(answer) as url:
        for _ in range(2):
            async with transport.exchange(Call(url=url)) as reply:
                assert await reply.receive_into(memoryview(bytearray(10))) == 0


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", HEAD + b"Connection: x, Close\r\n"])
async def test_connection_that_the_server_means_to_close_is_not_kept(transport, head):
    """The next request goes to a new connection, though the old one is still open."""
    stay = threading.Event()

    def answer(line: socket.socket) -> None:
        read_head(line)
        line.sendall(head + b"Content-Length: 3\r\n\r\nold")
        stay.wait(20)

    with server(answer, HEAD + b"Content-Length: 3\r\n\r\nnew") as url:
        assert await fetch(transport, url) == (b"old", True)
        stay.set()
        assert await fetch(transport, url) == (b"new", True)


async def test_answer_that_came_before_the_request_was_read_counts():
    """A server that is too busy to listen may say so and close; that is an answer, not a failure of the network."""
    with pair() as (ours, theirs):
        theirs.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        theirs.close()
        assert (await ask(ours, Question(b"/", [(b"Host", b"h.example")], {}))).status == 503


# -- connections -----------------------------------------------------------------------------------------------------


def speaks_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.row("S2.4")
@pytest.mark.skipif(not speaks_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("secure", [False, True])
async def test_ipv6_is_spoken(transport, served, secure):
    """A host may be an IPv6 address, and a certificate may be for one."""
    seen: list[bytes] = []

    def answer(line: socket.socket) -> None:
        seen.append(read_head(line))
        line.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")

    with server(answer, tls=served if secure else None, host="::1") as url:
        assert await fetch(transport, url) == (b"ok", True)
        assert f"Host: {url.partition('//')[2][:-1]}".encode() in seen[0]


async def test_connection_does_not_delay_small_segments():
    """TCP_NODELAY is set: a request never waits for the acknowledgement of what went before."""
    with server(lambda line: None) as url:
        made = await connection.connect("127.0.0.1", httpx.URL(url).port or 0, None, timeout_s=5.0)
        assert made._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        made.close()


@pytest.mark.law(9)
async def test_connection_that_always_has_something_starves_nobody():
    """Thousands of receives that never need to wait still leave their turns to other tasks."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    with pair() as (ours, theirs):
        theirs.sendall(bytes(2000))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            buffer = memoryview(bytearray(1))
            for _ in range(2000):
                assert await ours.receive_into(buffer, timeout_s=5.0) == 1
            nursery.cancel_scope.cancel()
    assert turns >= 2000 * connection.CALL_BYTES // connection.TURN_BYTES // 2


@pytest.mark.law(9)
async def test_fast_body_and_slow_body_come_side_by_side(transport):
    """While one body floods in, another's few bytes are received as they come."""
    with Origin([Resource("big", 80_000_000), Resource("drip", 20)]) as origin:
        origin.set("drip", Behaviour(rate=100))
        order: list[str] = []

        async def take(name: str) -> None:
            await fetch(transport, origin.url(name), 1_000_000 if name == "big" else 5)
            order.append(name)

        async with transport.exchange(Call(url=origin.url("drip"))) as slow, trio.open_nursery() as nursery:
            nursery.start_soon(take, "big")
            assert await slow.receive_into(memoryview(bytearray(5))) > 0
            order.append("drip")
    assert order == ["drip", "big"]


async def test_quiet_connection_is_told_from_one_with_news():
    """Bytes that nobody asked for, and an end, are seen without waiting; silence is not taken for either."""
    with pair() as (ours, theirs):
        assert ours.is_quiet()
        theirs.sendall(b"x")
        assert not ours.is_quiet()
    with pair() as (ours, theirs):
        theirs.close()
        assert not ours.is_quiet()


@pytest.mark.law(5)
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("news", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", None])
async def test_kept_connection_with_news_is_not_used(transport, served, secure, news):
    """An answer that came before its question, or an end, makes a kept connection useless; nobody is asked on it."""
    told, taken, heard = threading.Event(), threading.Event(), []

    def answer(line: socket.socket) -> None:
        read_head(line)
        line.sendall(HEAD + b"Content-Length: 3\r\n\r\nold")
        taken.wait(20)
        if news:
            line.sendall(news)
        elif isinstance(line, ssl.SSLSocket):
            line.settimeout(0)
            with contextlib.suppress(ssl.SSLWantReadError):
                line.unwrap()
            line.settimeout(20)
        else:
            line.shutdown(socket.SHUT_WR)
        told.set()
        heard.append(line.recv(100))

    with server(answer, HEAD + b"Content-Length: 3\r\n\r\nnew", tls=served if secure else None) as url:
        assert await fetch(transport, url) == (b"old", True)
        taken.set()
        await trio.to_thread.run_sync(told.wait, 20)
        assert await fetch(transport, url) == (b"new", True)
    assert not any(heard)


@pytest.mark.law(9)
@pytest.mark.parametrize("stall", [Stall(60, at=SIZE // 2), Stall(60, at=0)])
@pytest.mark.parametrize("framing", list(Framing))
async def test_silence_has_its_limit_in_every_framing_and_under_tls(authority, served, stall, framing):
    """A stall ends as one, with what came before it delivered, and gives its place back."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    transport = HTTPXTransport(read_timeout_s=0.2, connections_max=1, ssl_context=context)
    with Origin([FILE], tls=served) as origin:
        origin.set("file.bin", Behaviour(framing=framing, stall=stall))
        data = bytearray()
        async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
            while len(data) < stall.at:
                data += await receive(reply)
            with pytest.raises(TransferError) as caught:
                await receive(reply)
        assert caught.value.cause is Cause.STALLED
        assert data == FILE.read(0, stall.at)
        origin.set("file.bin", Behaviour())
        assert (await fetch(transport, origin.url("file.bin")))[0] == FILE.read()
    await transport.aclose()


# -- the pool --------------------------------------------------------------------------------------------------------


@pytest.mark.law(9)
async def test_connections_are_bounded_in_all(served):
    """Kept connections to other origins give way to a new one before there are too many, the oldest first."""
    wire = WireTransport(ssl.create_default_context, connections_max=2, idle_s=30.0)
    async with httpx.AsyncClient(transport=wire, trust_env=False) as client:
        with contextlib.ExitStack() as running:
            origins = [running.enter_context(Origin([Resource("it", 10)])) for _ in range(4)]
            for origin in [*origins, origins[2], origins[3], origins[0]]:
                assert (await client.get(origin.url("it"))).content == Resource("it", 10).read()
                assert wire._pool.kept <= 2
            seen = [[request.connection for request in origin.requests] for origin in origins]
    assert seen == [[1, 2], [1], [1, 1], [1, 1]]


@pytest.mark.law(9)
async def test_place_is_given_back_whatever_ends_an_exchange(served):
    """Refused, cancelled in the handshake, or turned away by TLS: the one place there is serves the next exchange."""
    transport = HTTPXTransport(connections_max=1, connect_timeout_s=5.0)
    hang = threading.Event()
    with server(lambda line: hang.wait(20) and None) as url:
        with trio.move_on_after(0.2) as scope:
            await fetch(transport, url.replace("http:", "https:"))
        hang.set()
    assert scope.cancelled_caught
    assert await cause(transport, "http://127.0.0.1:1/") is Cause.NETWORK
    with Origin([FILE], tls=served) as origin:
        assert await cause(transport, origin.url("file.bin")) is Cause.TLS
    with Origin([FILE]) as origin:
        assert (await fetch(transport, origin.url("file.bin")))[0] == FILE.read()
    await transport.aclose()
    gc.collect()


async def test_kept_connections_are_used_last_first_and_not_for_ever(autojump_clock):
    """The one used last is the likeliest to be open still; none is kept beyond its time."""
    pool, whose = Pool(ssl.create_default_context, most=4, idle_s=30.0), Whose("http", "h.example", 80)
    with pair() as (one, _), pair() as (two, _), pair() as (three, _):
        pool.keep(whose, one)
        await trio.sleep(20)
        pool.keep(whose, two)
        pool.keep(Whose("https", "h.example", 80), three)
        assert pool.take(whose) is two
        pool.keep(whose, two)
        await trio.sleep(15)
        assert pool.take(whose) is two
        assert pool.take(whose) is None
        await trio.sleep(31)
        assert pool.take(Whose("https", "h.example", 80)) is None
        assert pool.kept == 0


async def test_request_is_sent_again_once_and_on_a_new_connection(transport):
    """Of several kept connections that all have gone bad, one is tried; the second try does not rely on another."""
    ok, seen = HEAD + b"Content-Length: 2\r\n\r\nok", []
    both = threading.Barrier(2)

    def serve_one_and_hang_up(line: socket.socket) -> None:
        seen.append(read_head(line))
        both.wait(20)
        line.sendall(ok)
        seen.append(read_head(line))

    listener_threads = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        for answer in (serve_one_and_hang_up, serve_one_and_hang_up):
            line = listener.accept()[0]
            line.settimeout(20)

            def run(line=line, answer=answer) -> None:
                with line, contextlib.suppress(OSError):
                    answer(line)

            listener_threads.append(threading.Thread(target=run, daemon=True))
            listener_threads[-1].start()
        with contextlib.suppress(OSError), listener.accept()[0] as line:
            read_head(line)
            line.sendall(HEAD + b"Content-Length: 3\r\n\r\nnew")

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(fetch, transport, url)
    assert await fetch(transport, url) == (b"new", True)
    await transport.aclose()
    acceptor.join(20)
    for thread in listener_threads:
        thread.join(20)
    listener.close()
    assert len(seen) == 3


# -- httpx above, and beside -----------------------------------------------------------------------------------------


async def test_any_client_of_httpx_can_use_the_transport():
    """Whoever does not know of buffers iterates, as with httpx's own; what is no GET is refused."""
    wire = WireTransport(ssl.create_default_context, connections_max=2, idle_s=30.0)
    with Origin([FILE]) as origin:
        async with httpx.AsyncClient(transport=wire, trust_env=False) as client:
            assert (await client.get(origin.url("file.bin"))).content == FILE.read()
            async with client.stream("GET", origin.url("file.bin")) as response:
                assert response.http_version == "HTTP/1.1"
            with pytest.raises(httpx.UnsupportedProtocol):
                await client.post(origin.url("file.bin"))
            assert (await client.get(origin.url("file.bin"))).content == FILE.read()


PROXIES = {"http": "p:1", "https": "http://s:2", "no": " .a.example, B.example,127.0.0.1,[::1],10.0.0.0/8, ,localhost"}


@pytest.mark.parametrize(
    ("environment", "scheme", "host", "proxy"),
    [
        ({}, "http", "x", None),
        ({"no": "a.example"}, "http", "x", None),
        (PROXIES, "http", "x", "http://p:1"),
        (PROXIES, "https", "x", "http://s:2"),
        (PROXIES | {"all": "http://all"}, "https", "x", "http://s:2"),
        ({"all": "http://all"}, "https", "x", "http://all"),
        ({"all": "http://all", "no": "a.example, *"}, "https", "x", None),
        *((PROXIES, "http", host, None) for host in ("a.example", "x.A.example", "b.example.", "c.b.example")),
        *((PROXIES, "http", host, None) for host in ("127.0.0.1", "::1", "10.9.8.7", "localhost")),
        *((PROXIES, "http", host, "http://p:1") for host in ("ab.example", "example", "127.0.0.2", "::2", "11.0.0.1")),
    ],
)
def test_environment_is_read_as_curl_reads_it(environment, scheme, host, proxy):
    """Proxies by scheme, and the hosts that are asked directly: domains, addresses, networks, or all."""
    assert Proxies(environment).of(scheme, host) == proxy


async def test_proxy_is_asked_for_what_the_environment_says_and_for_nothing_else(monkeypatch):
    """One host goes by the proxy, by httpx's own transport and with our guarantees; the host in NO_PROXY directly."""
    seen: list[bytes] = []

    def answer(line: socket.socket) -> None:
        seen.append(read_head(line))
        line.sendall(HEAD + b"Content-Length: 5\r\n\r\nfirst" + HEAD + b"Content-Length: 4\r\n\r\nevil")
        seen.append(read_head(line))

    with Origin([FILE]) as origin, server(answer, HEAD + b"Content-Length: 3\r\n\r\nbye") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        transport = HTTPXTransport(trust_env=True, connect_timeout_s=5.0, read_timeout_s=5.0)
        assert (await fetch(transport, origin.url("file.bin")))[0] == FILE.read()
        assert (await fetch(transport, "http://far.example/x"))[0] == b"first"
        assert (await fetch(transport, "http://far.example/y"))[0] == b"bye"
        await transport.aclose()
    assert seen[0].startswith(b"GET http://far.example/x HTTP/1.1\r\n")
