"""Over TLS all is as without it, and a handshake or a certificate that fails says why."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from lading.adapters.http import HTTPXTransport
from lading.domain.faults import Cause
from lading.domain.ports import Call
from lading.tools.origin import Behaviour, Drop, Origin, Resource

FILE = Resource("file.bin", 300_000)


async def test_handshake_that_never_comes_is_a_timeout(raw, failure):
    """A server that accepts and then says nothing to our TLS is not waited for."""
    transport = HTTPXTransport(connect_timeout_s=0.2)
    hang = threading.Event()
    with raw(lambda line: hang.wait(20) and None) as port:
        error = await failure(transport, Call(url=f"https://127.0.0.1:{port}/"))
        hang.set()
    await transport.aclose()
    assert error.cause is Cause.TIMEOUT


async def test_certificate_that_nobody_vouches_for_is_a_tls_failure(served, transport, failure):
    """A certificate of an unknown authority ends the exchange, and the message says why."""
    with Origin([FILE], tls=served) as origin:
        error = await failure(transport, Call(url=origin.url("file.bin")))
    assert error.cause is Cause.TLS
    assert "unable to get local issuer certificate" in error.message


async def test_certificate_of_another_host_is_a_tls_failure(authority, trusting, failure):
    """A trusted certificate for another name is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    transport = HTTPXTransport(ssl_context=trusting)
    with Origin([FILE], tls=context) as origin:
        error = await failure(transport, Call(url=origin.url("file.bin")))
    await transport.aclose()
    assert error.cause is Cause.TLS


async def test_plain_http_where_tls_was_expected_is_a_tls_failure(transport, raw, failure):
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
async def test_connection_closed_amid_the_handshake_is_a_network_failure(transport, heard_bytes, raw, failure):
    """A server that hangs up on our TLS, by a reset or in good order, may have another day."""
    with raw(lambda line: line.recv(heard_bytes) and None) as port:
        error = await failure(transport, Call(url=f"https://127.0.0.1:{port}/"))
    assert error.cause is Cause.NETWORK


@pytest.mark.law(5)
async def test_tls_carries_bodies_and_their_breaks(served, trusting, body, until_it_breaks):
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
