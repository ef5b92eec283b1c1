"""What goes by httpx's own transport, over HTTP/2 or by a SOCKS proxy, keeps the promises of what does not."""

from __future__ import annotations

import contextlib
import functools
import gc
import ipaddress
import logging
import socket
import ssl
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterator

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hypercorn.config
import hypercorn.trio
import pytest
import trio
import trustme

import lading
from lading.adapters.http import HTTPXTransport, extras
from lading.domain.errors import InvalidSetting, TransferError
from lading.domain.faults import Cause
from lading.domain.ports import Call, Reply
from lading.tools.origin import Behaviour, Framing, Origin, Resource

pytestmark = pytest.mark.row("S2.4")

SIZE = 300_000
FILE = Resource("file.bin", SIZE)
CANARY = "hush-canary"
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def served(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    return context


@pytest.fixture
async def transport(trusting):
    made = HTTPXTransport(
        ssl_context=trusting, http2=True, connections_max=2, connect_timeout_s=5.0, read_timeout_s=0.5
    )
    yield made
    await made.aclose()
    gc.collect()


async def body(reply: Reply, room: int = 10_007, into: bytearray | None = None) -> bytes:
    data, buffer = bytearray() if into is None else into, bytearray(room)
    while count := await reply.receive_into(memoryview(buffer)):
        data += buffer[:count]
    return bytes(data)


async def fetch(transport: HTTPXTransport, url: str, **more) -> bytes:
    async with transport.exchange(Call(url=url, **more)) as reply:
        return await body(reply)


async def failure(transport: HTTPXTransport, url: str, **more) -> TransferError:
    with pytest.raises(TransferError) as caught:
        await fetch(transport, url, **more)
    return caught.value


# -- a real server of HTTP/2 -----------------------------------------------------------------------------------------


class Library:
    """An application on hypercorn; remembers by which protocol and on which connection it was asked for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, str, dict[str, str]]] = []
        self.root = ""

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append((scope["http_version"], scope["client"][1], scope["path"], headers))
        start = int(headers.get("range", "bytes=0-")[6:-1])
        sent = [(b"etag", b'"one"')]
        if start:
            sent += [(b"content-range", f"bytes {start}-{SIZE - 1}/{SIZE}".encode())]
        if scope["path"] != "/unsized":
            sent += [(b"content-length", str(SIZE - start).encode())]
        await send({"type": "http.response.start", "status": 206 if start else 200, "headers": sent})
        data = FILE.read(start)
        for at in range(0, len(data), 70_000):
            await send({"type": "http.response.body", "body": data[at : at + 70_000], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    @staticmethod
    async def _live(receive, send) -> None:
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})


@pytest.fixture
async def library(authority, tmp_path) -> AsyncIterator[Library]:
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate")
    config = hypercorn.config.Config()
    config.bind = ["127.0.0.1:0"]
    config.certfile, config.keyfile = str(tmp_path / "certificate"), str(tmp_path / "key")
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 0.1
    made = Library()
    async with trio.open_nursery() as nursery:
        serve = functools.partial(hypercorn.trio.serve, made, config, shutdown_trigger=trio.sleep_forever, mode="asgi")
        (root,) = await nursery.start(serve)
        made.root = root
        yield made
        nursery.cancel_scope.cancel()


@pytest.mark.law(5)
@pytest.mark.parametrize("room", [100, 65_536, 4 * SIZE])
async def test_body_arrives_whole_over_http2(library, transport, room):
    """With its length, without it, and from the middle; its end is assured, for HTTP/2 marks every end."""
    async with transport.exchange(Call(url=f"{library.root}/unsized")) as reply:
        assert (reply.head.length, reply.head.framed) == (None, True)
        assert await body(reply, room) == FILE.read()
        assert reply.is_assured
    async with transport.exchange(Call(url=f"{library.root}/a%2Fb?c", start=1000, if_range='"one"')) as reply:
        assert (reply.head.status, reply.head.length) == (206, SIZE - 1000)
        assert await body(reply, room) == FILE.read(1000)
    assert [version for version, *_ in library.asked] == ["2", "2"]
    sent = library.asked[1][3]
    assert (sent["range"], sent["if-range"], sent["accept-encoding"]) == ("bytes=1000-", '"one"', "identity")


async def test_exchanges_have_a_connection_each_and_leave_it_to_the_next(library, transport):
    """One after the other on one, side by side on two."""
    for _ in range(2):
        assert await fetch(transport, library.root) == FILE.read()
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(fetch, transport, library.root)
    connections = [connection for _, connection, *_ in library.asked]
    assert connections[0] == connections[1]
    assert len(set(connections)) == 2


@pytest.mark.law(5)
@pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning")
async def test_file_without_a_length_is_complete_over_http2(authority, library, tmp_path, monkeypatch):
    """A whole engine takes the end of the stream for what it is, as it does a last chunk."""
    authority.cert_pem.write_to_path(tmp_path / "authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority"))
    async with lading.open_engine(tmp_path / "home", downloads=tmp_path / "files", http2=True) as engine:
        outcome = await engine.wait((await engine.submit(lading.Request(f"{library.root}/unsized"))).id)
    assert (outcome.ok, outcome.assurance, outcome.size) == (True, "framing", SIZE)
    assert (tmp_path / "files" / "unsized").read_bytes() == FILE.read()
    assert [version for version, *_ in library.asked] == ["2"]


@pytest.mark.law(9)
async def test_exchange_left_early_gives_its_place_back_and_harms_nobody(library, transport):
    """Unread, half-read, or cancelled, on each place there is and more often than a window of HTTP/2 would allow."""
    for room in (0, 1, 1000, 0, 1, 1000):
        async with transport.exchange(Call(url=library.root)) as reply:
            if room:
                await reply.receive_into(memoryview(bytearray(room)))
    with trio.move_on_after(0.05):
        async with transport.exchange(Call(url=library.root)) as reply:
            await reply.receive_into(memoryview(bytearray(10)))
            await trio.sleep_forever()
    assert await fetch(transport, library.root) == FILE.read()


@pytest.mark.law(7)
@pytest.mark.parametrize("headers", [{"X-Token": f"{CANARY}\r\nX-More: 1"}, {f"X {CANARY}": "1"}, {"": CANARY}])
async def test_header_that_cannot_be_sent_is_not_sent_over_http2_either(library, transport, headers):
    """Nor quoted."""
    error = await failure(transport, library.root, headers=headers)
    assert error.cause is Cause.PROTOCOL
    assert CANARY not in "".join(traceback.format_exception(error))
    assert library.asked == []


# -- servers of HTTP/2 that misbehave --------------------------------------------------------------------------------


class Peer:
    """The server's end of one connection."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.h2.initiate_connection()
        self.send()
        self._asked: list[int] = []

    def send(self, raw: bytes = b"") -> None:
        """Send what there is to send, and `raw` after it."""
        self.line.sendall(self.h2.data_to_send() + raw)

    def asked(self) -> int:
        """Wait for a request, and return the number of its stream."""
        while not self._asked:
            data = self.line.recv(65536)
            if not data:
                raise OSError("the client went away")
            self._asked += [
                event.stream_id for event in self.h2.receive_data(data) if isinstance(event, h2.events.StreamEnded)
            ]
            self.send()
        return self._asked.pop(0)

    def head(self, stream: int, *headers: tuple[str, str]) -> None:
        """Send a head."""
        self.h2.send_headers(stream, [(":status", "200"), *headers])
        self.send()

    def answer(self, data: bytes) -> None:
        """Answer the next request."""
        stream = self.asked()
        self.head(stream, ("content-length", str(len(data))))
        self.h2.send_data(stream, data, end_stream=True)
        self.send()


Story = Callable[[Peer], object]


@contextlib.contextmanager
def peers(tls: ssl.SSLContext, *stories: Story) -> Iterator[str]:
    """Serve one connection after the other, each as its story goes and then until the client leaves; yields the URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    lines: list[socket.socket] = []

    def serve() -> None:
        for story in stories:
            with contextlib.suppress(OSError, h2.exceptions.ProtocolError), listener.accept()[0] as line:
                line.settimeout(20)
                with tls.wrap_socket(line, server_side=True) as secured:
                    lines.append(secured)
                    story(Peer(secured))
                    socket.socket.shutdown(secured, socket.SHUT_WR)
                    while secured.recv(65536):
                        pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for line in lines:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)
        thread.join(20)
        assert not thread.is_alive()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


DATA, ENDS, PING = 0, 1, 6


@pytest.mark.law(5)
@pytest.mark.parametrize("surplus", [frame(DATA, ENDS, 1, b"evil"), frame(DATA, ENDS, 3, b"evil")])
async def test_frames_behind_a_body_never_become_the_next_answer(served, transport, surplus):
    """Of the stream that has ended, or of the one that will come next."""

    received = threading.Event()

    def send_too_much(peer: Peer) -> None:
        peer.answer(b"ok")
        received.wait(20)
        peer.send(surplus)
        peer.answer(b"new")

    with peers(served, send_too_much, lambda peer: peer.answer(b"new")) as url:
        assert await fetch(transport, url) == b"ok"
        received.set()
        assert await fetch(transport, url) == b"new"


@pytest.mark.law(9)
@pytest.mark.parametrize("noise", [frame(PING, 0, 0, b"12345678"), frame(DATA, 0, 1, b""), b""])
async def test_silence_in_a_body_is_a_stall_whatever_else_is_said(served, transport, noise):
    """Pings and frames without data are no bytes; what came before is given first."""
    left = threading.Event()

    def stall(peer: Peer) -> None:
        stream = peer.asked()
        peer.head(stream)
        peer.h2.send_data(stream, b"half")
        peer.send()
        for _ in range(1000):
            peer.send(noise)
            if left.wait(0.02):
                return

    with peers(served, stall) as url:
        got = bytearray()
        async with transport.exchange(Call(url=url)) as reply:
            with pytest.raises(TransferError) as caught:
                await body(reply, into=got)
            assert not reply.is_assured
        left.set()
    assert (bytes(got), caught.value.cause) == (b"half", Cause.STALLED)


@pytest.mark.law(9)
async def test_connection_of_an_answer_that_is_left_early_is_not_used_again(served, transport):
    """What is left of that answer would use up its window."""

    def half(peer: Peer) -> None:
        stream = peer.asked()
        peer.head(stream, ("content-length", "10"))
        peer.h2.send_data(stream, b"half")
        peer.send()

    with peers(served, half, lambda peer: peer.answer(b"new")) as url:
        async with transport.exchange(Call(url=url)) as reply:
            await reply.receive_into(memoryview(bytearray(4)))
        assert transport._lanes._kept == []
        assert await fetch(transport, url) == b"new"
        assert len(transport._lanes._kept) == 1


def _reset(peer: Peer, stream: int) -> None:
    peer.h2.reset_stream(stream, 2)
    peer.send()


def _go_away(peer: Peer, stream: int) -> None:
    peer.h2.close_connection(2)
    peer.send()


def _end_too_early(peer: Peer, stream: int) -> None:
    peer.send(frame(DATA, ENDS, stream, b""))


def _send_too_much(peer: Peer, stream: int) -> None:
    peer.send(frame(DATA, ENDS, stream, b"x" * 100))


def _send_junk(peer: Peer, stream: int) -> None:
    peer.send(frame(DATA, 0, 0, b"of no stream"))


def _send_a_head_that_cannot_be_read(peer: Peer, stream: int) -> None:
    peer.send(frame(1, 5, stream, b"\xff" * 10))


@pytest.mark.law(5)
@pytest.mark.parametrize(
    ("end", "cause"),
    [
        (lambda peer, stream: None, Cause.BROKEN),
        (_reset, Cause.BROKEN),
        (_go_away, Cause.BROKEN),
        (_end_too_early, Cause.PROTOCOL),
        (_send_too_much, Cause.PROTOCOL),
        (_send_junk, Cause.PROTOCOL),
    ],
)
async def test_body_that_does_not_come_to_its_end_is_never_taken_for_whole(served, transport, end, cause):
    """Reset, cut off, or not as long as was said: an error, once and again, and its connection is not used again."""

    def half(peer: Peer) -> None:
        stream = peer.asked()
        peer.head(stream, ("content-length", "10"))
        peer.h2.send_data(stream, b"half")
        peer.send()
        end(peer, stream)

    with peers(served, half, lambda peer: peer.answer(b"new")) as url:
        async with transport.exchange(Call(url=url)) as reply:
            for _ in range(2):
                with pytest.raises(TransferError) as caught:
                    await body(reply)
                assert caught.value.cause is cause
            assert not reply.is_assured
        assert await fetch(transport, url) == b"new"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda peer: None, Cause.NETWORK),
        (lambda peer: _reset(peer, peer.asked()), Cause.NETWORK),
        (lambda peer: _go_away(peer, peer.asked()), Cause.NETWORK),
        (lambda peer: _send_junk(peer, peer.asked()), Cause.PROTOCOL),
        (lambda peer: _send_a_head_that_cannot_be_read(peer, peer.asked()), Cause.PROTOCOL),
    ],
)
async def test_answer_over_http2_that_is_none_has_its_cause(served, transport, answer, cause):
    """As it would over HTTP/1.1."""
    with peers(served, answer, answer) as url:
        assert (await failure(transport, url)).cause is cause


async def test_kept_connection_of_http2_that_the_server_closed_is_no_failure(served, transport):
    """Whether it says so or not, the request goes out once more, on a new one."""

    def answer_and_go(peer: Peer) -> None:
        peer.answer(b"ok")
        _go_away(peer, 1)

    with peers(served, lambda peer: peer.answer(b"ok"), answer_and_go, lambda peer: peer.answer(b"ok")) as url:
        for _ in range(3):
            assert await fetch(transport, url) == b"ok"


@pytest.mark.law(7)
async def test_no_secret_gets_into_logs_over_http2(served, transport, caplog):
    """Neither httpcore nor the library that packs the heads tells one of ours; of the server's it does."""
    caplog.set_level(logging.DEBUG)
    with peers(served, lambda peer: peer.answer(b"ok")) as url:
        await fetch(transport, f"{url}x?k={CANARY}", headers={"Authorization": f"Bearer {CANARY}"})
    told = {record.thread for record in caplog.records if CANARY in record.getMessage()}
    assert told
    assert threading.get_ident() not in told


# -- where HTTP/2 is not spoken --------------------------------------------------------------------------------------


@pytest.mark.law(5)
@pytest.mark.parametrize("framing", list(Framing))
async def test_server_without_http2_is_asked_by_http1(authority, transport, framing):
    """Its bodies come as they always did, and only those whose end was marked are assured."""
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(plain)
    with Origin([FILE], tls=plain, behaviour=Behaviour(framing=framing)) as origin:
        for _ in range(2):
            async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
                assert not reply.head.framed
                assert await body(reply) == FILE.read()
                assert reply.is_assured is (framing is not Framing.CLOSE)
    with Origin([FILE]) as origin:
        assert await fetch(transport, origin.url("file.bin")) == FILE.read()


@pytest.mark.parametrize(
    ("extra", "settings", "proxy"), [("http2", {"http2": True}, ""), ("socks", {}, f"socks5://u:{CANARY}@127.0.0.1:1")]
)
def test_package_that_is_missing_is_told_with_the_command_that_installs_it(monkeypatch, extra, settings, proxy):
    """When the transport is made, and not in the middle of a download."""
    monkeypatch.setitem(extras.PACKAGES, extra, "no-such-package-anywhere")
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(InvalidSetting) as caught:
        HTTPXTransport(trust_env=True, **settings)
    assert caught.value.hint.startswith(f"python -m pip install 'lading[{extra}]'")
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.law(7)
def test_proxy_of_a_kind_that_nobody_speaks_is_told_without_its_password(monkeypatch):
    """When the transport is made."""
    monkeypatch.setenv("ALL_PROXY", f"socks4://u:{CANARY}@127.0.0.1:1")
    with pytest.raises(InvalidSetting, match="socks4") as caught:
        HTTPXTransport(trust_env=True)
    assert CANARY not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


# -- SOCKS -----------------------------------------------------------------------------------------------------------


class Socks:
    """A SOCKS5 proxy (RFC 1928, RFC 1929) that leads everybody to one port of this machine, and remembers to whom."""

    def __init__(self, port: int, *, refuses: bool = False) -> None:
        self._port = port
        self._refuses = refuses
        self.asked: list[tuple[str, int]] = []
        self.logins: list[bytes] = []

    def serve(self, line: socket.socket) -> None:
        methods = self._take(line, 2)[1]
        method = self._take(line, methods)[0]
        line.sendall(bytes([5, method]))
        if method == 2:
            user = self._take(line, self._take(line, 2)[1])
            password = self._take(line, self._take(line, 1)[0])
            self.logins.append(user + b":" + password)
            line.sendall(b"\x01\x00")
        kind = self._take(line, 4)[3]
        raw = self._take(line, 4 if kind == 1 else self._take(line, 1)[0])
        host = str(ipaddress.ip_address(raw)) if kind == 1 else raw.decode()
        self.asked.append((host, int.from_bytes(self._take(line, 2), "big")))
        line.sendall(bytes([5, 5 if self._refuses else 0, 0, 1]) + bytes(6))
        if not self._refuses:
            self._pass_on(line)

    @staticmethod
    def _take(line: socket.socket, count: int) -> bytes:
        data = line.recv(count, socket.MSG_WAITALL)
        if len(data) < count:
            raise OSError("the client went away")
        return data

    def _pass_on(self, line: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as far:

            def back() -> None:
                with contextlib.suppress(OSError):
                    while data := far.recv(65536):
                        line.sendall(data)
                    line.shutdown(socket.SHUT_WR)

            thread = threading.Thread(target=back, daemon=True)
            thread.start()
            while data := line.recv(65536):
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)
            thread.join(20)


@contextlib.contextmanager
def socks(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """Listen for one client after the other; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                with listener.accept()[0] as line, contextlib.suppress(OSError):
                    line.settimeout(20)
                    serve(line)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
async def through(monkeypatch, trusting):
    """Make a transport that goes by what the environment says."""
    made: list[HTTPXTransport] = []
    monkeypatch.delenv("NO_PROXY", raising=False)

    def make(proxy: str, **more) -> HTTPXTransport:
        monkeypatch.setenv("ALL_PROXY", proxy)
        patience = {"connect_timeout_s": 5.0, "read_timeout_s": 5.0}
        made.append(HTTPXTransport(ssl_context=trusting, trust_env=True, **patience, **more))
        return made[-1]

    yield make
    for transport in made:
        await transport.aclose()
    gc.collect()


@pytest.mark.parametrize("secure", [False, True])
async def test_socks_proxy_of_the_environment_is_gone_through(authority, through, secure):
    """It finds the host by its name, and TLS goes through to the end; a login for it goes to it alone."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("far.example").configure_cert(tls)
    with Origin([FILE], tls=tls if secure else None) as origin:
        proxy = Socks(origin.port)
        with socks(proxy.serve) as port:
            transport = through(f"socks5://me:{CANARY}@127.0.0.1:{port}")
            url = f"{'https' if secure else 'http'}://far.example:1234/file.bin"
            for _ in range(2):
                assert await fetch(transport, url) == FILE.read()
            await transport.aclose()
        assert proxy.asked == [("far.example", 1234)]
        assert proxy.logins == [f"me:{CANARY}".encode()]
        assert CANARY not in str([request.headers for request in origin.requests])


@pytest.mark.law(5)
async def test_bytes_behind_a_body_never_become_the_next_answer_through_socks(through):
    """A connection with something behind its answer is cut, here too."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in (
            b"Content-Length: 2\r\n\r\nok" + HEAD + b"Content-Length: 4\r\n\r\nevil",
            b"Content-Length: 3\r\n\r\nnew",
        ):
            with listener.accept()[0] as line:
                line.recv(65536)
                line.sendall(HEAD + answer)
                line.recv(65536)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener, socks(Socks(listener.getsockname()[1]).serve) as port:
        transport = through(f"socks5://127.0.0.1:{port}")
        assert await fetch(transport, "http://far.example/x") == b"ok"
        assert await fetch(transport, "http://far.example/x") == b"new"
        await transport.aclose()
    thread.join(20)


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "serve", [Socks(1, refuses=True).serve, lambda line: line.sendall(b"HTTP/1.1 400 No\r\n\r\n"), lambda line: None]
)
async def test_socks_proxy_that_does_not_let_us_through_is_a_network_failure(through, serve):
    """Or speaks something else, or nothing."""
    with socks(serve) as port:
        error = await failure(through(f"socks5://127.0.0.1:{port}"), f"http://far.example/x?{CANARY}")
    assert error.cause is Cause.NETWORK
    assert "far.example" in error.message
    assert CANARY not in "".join(traceback.format_exception(error))


@pytest.mark.law(9)
async def test_place_is_given_back_when_the_wait_for_a_socks_proxy_is_cancelled(through):
    """The only one, three times, and then it serves."""
    silent = [True, True, True]
    with Origin([FILE]) as origin:
        proxy = Socks(origin.port)

        def serve(line: socket.socket) -> None:
            if not silent:
                return proxy.serve(line)
            silent.pop()
            while line.recv(65536):
                pass
            return None

        with socks(serve) as port:
            transport = through(f"socks5://127.0.0.1:{port}", connections_max=1)
            for _ in range(3):
                with trio.move_on_after(0.05) as scope:
                    await fetch(transport, "http://far.example/file.bin")
                assert scope.cancelled_caught
            assert await fetch(transport, "http://far.example/file.bin") == FILE.read()
            await transport.aclose()
