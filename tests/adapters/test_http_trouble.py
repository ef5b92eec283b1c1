"""Whoever waits in vain, finds nobody or hears what is no HTTP is told the cause, within bounds."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
import trio

from lading.adapters.http import HTTPXTransport
from lading.domain.faults import Cause
from lading.domain.ports import Call
from lading.tools.origin import Behaviour, Resource

CANARY = "hush-canary"
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.law(9)
async def test_head_that_never_comes_is_a_timeout(origin, raw, read_head, failure):
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
async def test_full_pool_is_waited_for_only_so_long(origin, failure):
    """With every place taken the next exchange ends as a timeout."""
    transport = HTTPXTransport(connections_max=1, connect_timeout_s=0.2)
    origin.put(Resource("big.bin", 20_000_000))
    async with transport.exchange(Call(url=origin.url("big.bin"))):
        assert (await failure(transport, Call(url=origin.url("file.bin")))).cause is Cause.TIMEOUT
    await transport.aclose()


async def test_nobody_listening_is_a_network_failure(transport, failure):
    """A refused connection says so, and where."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = await failure(transport, Call(url=f"http://127.0.0.1:{port}/x?{CANARY}"))
    assert (error.cause, error.message) == (Cause.NETWORK, f"127.0.0.1:{port}: connection refused")


async def test_unknown_host_is_a_network_failure(transport, monkeypatch, failure):
    """A name that nobody knows says so."""

    async def unknown(*_args, **_more):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(trio.socket, "getaddrinfo", unknown)
    error = await failure(transport, Call(url="http://host.invalid/x"))
    assert (error.cause, error.message) == (Cause.NETWORK, "host.invalid:80: its address could not be found")


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


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
async def test_answer_that_is_none_has_its_cause(transport, answer, cause, raw, failure):
    """Whatever a server says instead of an answer becomes one of our causes, within bounds."""
    with raw(answer, answer) as port:
        error = await failure(transport, Call(url=f"http://127.0.0.1:{port}/"))
    assert error.cause is cause
