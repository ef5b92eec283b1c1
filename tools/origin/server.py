"""The origin server: one thread accepts, each connection has its own, and all of them end with the context.

Threads and blocking sockets on purpose: an origin runs beside an engine whose event loop is under test and must not
share it, and `sendall` of a large piece leaves the interpreter to the other side.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import quote

import attrs

from lading.domain.errors import UsageError
from lading.tools.origin.answer import answer, keeps_alive
from lading.tools.origin.behaviour import HONEST, Behaviour, Refusal
from lading.tools.origin.case import Case, Reply
from lading.tools.origin.content import Content, Page
from lading.tools.origin.delivery import Delivery, Severed
from lading.tools.origin.traffic import Exchange, Traffic
from lading.tools.origin.wire import BadRequest, HeadReader, HttpRequest, head_bytes

IDLE_S = 60.0
GOODBYE_S = 1.0
STOP_S = 10.0
_RESET = struct.pack("ii", 1, 0)
_NOTHING = Page("", b"")
_NOWHERE = Behaviour(refusals=(Refusal(404, times=None),))


@attrs.define
class _Shelf:
    """One resource as it stands: what it is, how it is treated, and how often it was asked for since."""

    content: Content
    behaviour: Behaviour
    requests: int = 0
    deliveries: int = 0


class Origin:
    """An HTTP/1.1 server on the loopback, honest or not, that remembers what it was asked.

    Use it as a context; on leaving, every connection is cut and every thread has ended.

    Args:
        contents: What it serves from the start.
        behaviour: How those, and later ones, are treated until `set` says otherwise.
        tls: A server's context, to speak https.
        host: The address to bind; the port is the system's choice.
        connections_max: Connections served at once; more wait in the listener's queue.
    """

    def __init__(
        self,
        contents: Iterable[Content] = (),
        *,
        behaviour: Behaviour = HONEST,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        connections_max: int = 64,
    ) -> None:
        self._behaviour = behaviour
        self._tls = tls
        self._host = host
        self._port: int | None = None
        self._lock = threading.Lock()
        self._shelves: dict[str, _Shelf] = {}
        self._traffic = Traffic()
        self._stopping = threading.Event()
        self._slots = threading.Semaphore(connections_max)
        self._lines: dict[int, tuple[socket.socket, threading.Thread]] = {}
        for content in contents:
            self.put(content)

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self._host, 0), backlog=512)
        self._listener.settimeout(0)
        self._port = self._listener.getsockname()[1]
        self._waker, self._wakened = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="origin", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._waker.send(b"!")
        self._slots.release()
        self._acceptor.join(STOP_S)
        with self._lock:
            lines = list(self._lines.values())
        for line, thread in lines:
            with suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)
            thread.join(STOP_S)
        for end in (self._listener, self._waker, self._wakened):
            end.close()
        assert not self._acceptor.is_alive(), "the origin's acceptor outlived it"
        assert not any(thread.is_alive() for _, thread in lines), "a connection's thread outlived its origin"

    @property
    def port(self) -> int:
        """The port that it listens on, once entered."""
        assert self._port is not None, "an origin has a port only inside its context"
        return self._port

    @property
    def root(self) -> str:
        """The URL of `/`."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}/"

    def url(self, name: str) -> str:
        """Return the URL of the resource of that name, whether there is one or not."""
        return self.root + quote(name)

    def put(self, content: Content) -> None:
        """Serve this, in place of what has its name already, which passes on its behaviour; counts begin anew."""
        with self._lock:
            shelf = self._shelves.get(content.name)
            self._shelves[content.name] = _Shelf(content, shelf.behaviour if shelf else self._behaviour)

    def set(self, name: str, behaviour: Behaviour) -> None:
        """From the next request on treat the resource of that name so, and count its requests anew.

        Raises:
            UsageError: nothing of that name is served.
        """
        with self._lock:
            if name not in self._shelves:
                raise UsageError(f"the origin serves nothing named {name!r}", hint="put it there first")
            self._shelves[name] = _Shelf(self._shelves[name].content, behaviour)

    @property
    def requests(self) -> tuple[Exchange, ...]:
        """Every request so far, in order of arrival, as it stands now."""
        return self._traffic.exchanges()

    def wait_until(self, holds: Callable[[Sequence[Exchange]], bool], timeout_s: float = 5.0) -> tuple[Exchange, ...]:
        """Block until `holds` says so of the requests, and return them.

        Raises:
            TimeoutError: it did not come to hold in time.
        """
        return self._traffic.wait_until(holds, timeout_s)

    def wait_idle(self, timeout_s: float = 5.0) -> tuple[Exchange, ...]:
        """Block until every request has ended, and return them: a client has its last byte before we have noted it.

        Raises:
            TimeoutError: one is still under way.
        """
        return self.wait_until(lambda requests: all(exchange.ended for exchange in requests), timeout_s)

    def _accept(self) -> None:
        number = 0
        watch = selectors.DefaultSelector()
        watch.register(self._listener, selectors.EVENT_READ)
        watch.register(self._wakened, selectors.EVENT_READ)
        while True:
            self._slots.acquire()
            watch.select()
            if self._stopping.is_set():
                break
            try:
                line = self._open()
            except OSError:  # the client went away before we came, or no descriptor is free: serve the next one
                self._slots.release()
                self._stopping.wait(0.01)
                continue
            number += 1
            thread = threading.Thread(target=self._serve, args=(line, number), name=f"origin-{number}", daemon=True)
            with self._lock:
                self._lines[number] = (line, thread)
            thread.start()
        watch.close()

    def _open(self) -> socket.socket:
        line, _ = self._listener.accept()
        try:
            line.settimeout(None)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return line
            return self._tls.wrap_socket(line, server_side=True, do_handshake_on_connect=False)
        except OSError:
            line.close()
            raise

    def _serve(self, line: socket.socket, number: int) -> None:
        """Answer one connection's requests until either side has had enough."""
        try:
            with line:
                try:
                    self._converse(line, number)
                except Severed as end:
                    if end.reset:
                        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                else:
                    _say_goodbye(line)
        except OSError:
            pass  # the client went away, or spoke no TLS: its own business
        finally:
            with self._lock:
                del self._lines[number]
            self._slots.release()

    def _converse(self, line: socket.socket, number: int) -> None:
        reader = HeadReader(line)
        keeps = True
        while keeps and not self._stopping.is_set():
            line.settimeout(IDLE_S)
            try:
                request = reader.read()
            except BadRequest:
                line.sendall(head_bytes(400, [("Content-Length", "0"), ("Connection", "close")]))
                return
            if request is None:
                return
            line.settimeout(None)
            keeps = self._exchange(line, request, number)

    def _exchange(self, line: socket.socket, request: HttpRequest, number: int) -> bool:
        """Answer one request, and return whether another may follow."""
        ticket = self._traffic.begin(
            Exchange(
                connection=number,
                method=request.method,
                path=request.target,
                headers=request.headers,
                begun=time.monotonic(),
            )
        )
        delivery: Delivery | None = None
        try:
            case, reply, delivery = self._decide(request)
            self._traffic.note(ticket, status=reply.status)
            self._deliver(line, case, reply, delivery)
            return keeps_alive(case, reply)
        finally:
            self._traffic.note(ticket, sent=delivery.sent if delivery else 0, ended=True)

    def _decide(self, request: HttpRequest) -> tuple[Case, Reply, Delivery]:
        name = request.path.removeprefix("/")
        with self._lock:
            shelf = self._shelves.get(name) or _Shelf(_NOTHING, _NOWHERE)
            case = Case(request, shelf.content, shelf.behaviour, shelf.requests, time.time())
            shelf.requests += 1
            reply = answer(case)
            ordinal = shelf.deliveries
            delivers = reply.has_content and request.method == "GET"
            shelf.deliveries += delivers
        length = reply.end - reply.start
        behaviour, framing = (case.behaviour, case.framing) if delivers else (HONEST, HONEST.framing)
        return case, reply, Delivery(name, behaviour, framing, ordinal, length, self._wait)

    def _deliver(self, line: socket.socket, case: Case, reply: Reply, delivery: Delivery) -> None:
        head = head_bytes(reply.status, reply.headers)
        if case.behaviour.stall_head_s:
            line.sendall(head[: len(head) // 2])
            self._wait(case.behaviour.stall_head_s)
            head = head[len(head) // 2 :]
        line.sendall(head)
        if case.request.method != "HEAD":
            for piece in delivery.stream(reply.content.pieces(reply.start, reply.end, reply.version)):
                line.sendall(piece)

    def _wait(self, seconds: float) -> None:
        if self._stopping.wait(max(0.0, seconds)):
            raise Severed


def _say_goodbye(line: socket.socket) -> None:
    """End a TLS connection so that the client can tell it from a cut one; a plain one just ends."""
    if isinstance(line, ssl.SSLSocket):
        line.settimeout(GOODBYE_S)
        line.unwrap()
