"""Connections are used again where nothing is left on them, and given back however an exchange ends."""

from __future__ import annotations

import contextlib
import gc
import socket
import struct

import pytest
import trio

from lading.adapters.http import HTTPXTransport
from lading.domain.ports import Call
from lading.tools.origin import Behaviour, Resource, Stall

SIZE = 300_000
FILE = Resource("file.bin", SIZE)
HEAD = b"HTTP/1.1 200 OK\r\n"


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_finished_exchange_leaves_its_connection_to_the_next(origin, transport, body):
    """A body that was read to its end does not cost a connection."""
    for _ in range(3):
        async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
            assert await body(reply) == FILE.read()
    assert {request.connection for request in origin.requests} == {1}


async def test_answer_that_arrived_with_its_head_leaves_its_connection_to_the_next(transport, raw, read_head):
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
async def test_exchange_left_early_gives_its_place_back(origin, body):
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
async def test_cancelled_exchange_ends_at_once_and_gives_its_place_back(origin, behaviour, body):
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


async def test_kept_connection_that_the_server_closed_is_no_failure(transport, raw, read_head, body):
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
async def test_bytes_behind_a_body_never_become_the_next_answer(
    trusting, served, surplus, secure, raw, read_head, body
):
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


async def test_connection_handed_on_is_left_alone_by_the_exchange_before(origin, transport, body):
    """An exchange that has read its body to the end and is still open does not touch who uses its connection now."""
    async with transport.exchange(Call(url=origin.url("file.bin"))) as before:
        assert await body(before) == FILE.read()
        async with transport.exchange(Call(url=origin.url("file.bin"))) as after:
            got = await after.receive_into(memoryview(bytearray(1000)))
            assert await before.receive_into(memoryview(bytearray(1))) == 0
            await before.aclose()
            assert await body(after) == FILE.read(got)
    assert {request.connection for request in origin.requests} == {1}
