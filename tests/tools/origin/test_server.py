"""The origin remembers, bounds and ends what it began."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import trustme

import lading.tools.origin
from lading.tools.origin import (
    Behaviour,
    Drop,
    Framing,
    Origin,
    Resource,
    Stall,
    traffic,
)
from lading.tools.origin.content import PIECE

SIZE = 10_000
FILE = Resource("a file.bin", SIZE, "seed")
TRUTH = FILE.read()
ASK = "GET /a%20file.bin HTTP/1.1\r\nHost: x\r\n\r\n"


def test_requests_are_remembered_with_what_became_of_them(origin, client):
    """Method, target, headers, status and bytes of each, in order."""
    client.get(FILE.name + "?token=1", Range="bytes=0-99", X_Secret="s")
    client.get(FILE.name, "HEAD")
    client.get("nothing")
    one, two, three = origin.wait_idle()
    assert (one.method, one.path, one.status, one.sent) == ("GET", "/a%20file.bin?token=1", 206, 100)
    assert (one.headers["range"], one.headers["x-secret"]) == ("bytes=0-99", "s")
    assert (two.method, two.status, two.sent) == ("HEAD", 200, 0)
    assert (three.status, three.sent, three.ended) == (404, len(b"404 Not Found\n"), True)
    assert one.begun <= two.begun <= three.begun


def test_header_fields_of_one_name_are_joined(origin, raw):
    """Several lines of one name mean one list (RFC 9110 §5.3)."""
    raw(ASK.replace("Host: x", "Cookie: a\r\ncookie: b"))
    assert [exchange.headers["cookie"] for exchange in origin.requests] == ["a, b"]


def test_only_the_latest_requests_are_remembered(origin, client, monkeypatch):
    """A bench of millions of requests does not fill the memory."""
    monkeypatch.setattr(traffic, "EXCHANGES_MAX", 2)
    for number in range(4):
        client.get(f"{FILE.name}?{number}")
    assert [exchange.path[-1] for exchange in origin.wait_idle()] == ["2", "3"]


def test_one_can_wait_for_a_request_to_arrive(origin, treat):
    """A test acts on what the origin has seen, not on time; what does not come is a timeout."""
    treat(stall=Stall(60))
    with socket.create_connection(("127.0.0.1", origin.port), timeout=10) as line:
        line.sendall(ASK.encode())
        (seen,) = origin.wait_until(lambda requests: any(request.status == 200 for request in requests))
        assert not seen.ended
        with pytest.raises(TimeoutError):
            origin.wait_idle(timeout_s=0.01)


def test_leaving_the_context_ends_every_thread_and_connection():
    """Idle, stalled, slow and half-asked connections are all cut at once, and nothing of the origin is left."""
    before = set(threading.enumerate())
    slow = Resource("slow", 1 << 30)
    with Origin([FILE, slow], behaviour=Behaviour(stall=Stall(60, at=10))) as origin:
        origin.set("slow", Behaviour(rate=1000))
        lines = [socket.create_connection(("127.0.0.1", origin.port), timeout=10) for _ in range(4)]
        lines[0].sendall(ASK.encode())
        lines[1].sendall(ASK.replace("a%20file.bin", "slow").encode())
        lines[2].sendall(b"GET /")
        for line in lines[:2]:
            assert line.recv(1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    assert set(threading.enumerate()) == before
    for line in lines:
        with line, suppress(ConnectionResetError):
            while line.recv(1 << 16):
                pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", origin.port), timeout=10)


def test_connections_beyond_the_bound_wait_for_a_free_one(connect):
    """The number of threads is bounded; who waits is served as soon as another has gone."""
    with Origin([FILE], connections_max=1) as origin:
        first, second = connect(origin.root), connect(origin.root)
        assert first.get().body == TRUTH
        second.connection.connect()
        second.connection.request("GET", "/a%20file.bin")
        second.connection.sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            second.connection.sock.recv(1)
        first.connection.close()
        second.connection.sock.settimeout(10)
        assert second.connection.getresponse().read() == TRUTH


def test_many_clients_at_once_each_get_the_truth(connect):
    """Connections share nothing that one could spoil for another."""
    file = Resource("big", 5 * PIECE + 77, "big")
    digests: list[str] = []

    def fetch(origin: Origin) -> None:
        client = connect(origin.root)
        digests.append("sha256:" + hashlib.sha256(client.get("big").body).hexdigest())

    with Origin([file]) as origin:
        threads = [threading.Thread(target=fetch, args=(origin,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert digests == [file.digest()] * 8


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Origin]:
    """Serve `FILE` over TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Origin([FILE], tls=context) as origin:
        yield origin


@pytest.fixture
def https(authority: trustme.CA, secure: Origin) -> Callable[[Behaviour], bytes]:
    """Return what fetches `FILE` from `secure`, taking an end without close_notify for an error."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    def fetch(behaviour: Behaviour) -> bytes:
        secure.set(FILE.name, behaviour)
        with (
            socket.create_connection(("127.0.0.1", secure.port), timeout=10) as line,
            trusting.wrap_socket(line, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as shielded,
        ):
            shielded.sendall(ASK.encode())
            return b"".join(iter(lambda: shielded.recv(1 << 16), b""))

    return fetch


def test_over_tls_the_end_of_a_body_is_said_and_a_drop_is_not(https):
    """A body that ends by closing comes with a close_notify, so that truncation can be told from it."""
    assert https(Behaviour(framing=Framing.CLOSE)).endswith(TRUTH)
    with pytest.raises(ssl.SSLEOFError):
        https(Behaviour(framing=Framing.CLOSE, drop=Drop(5000)))
    assert https(Behaviour(keep_alive=False)).endswith(TRUTH)


def test_a_client_that_speaks_no_tls_disturbs_nobody(secure, https):
    """Its connection ends without an answer, and the next client is served."""
    assert secure.url("x") == f"https://127.0.0.1:{secure.port}/x"
    with socket.create_connection(("127.0.0.1", secure.port), timeout=10) as line, suppress(ConnectionResetError):
        line.sendall(ASK.encode())
        assert b"HTTP/1.1" not in b"".join(iter(lambda: line.recv(1 << 16), b""))
    assert https(Behaviour(keep_alive=False)).endswith(TRUTH)


def test_the_public_names_are_all_there_and_sorted():
    """`__all__` is the promise."""
    names = lading.tools.origin.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(lading.tools.origin, name) for name in names)
