"""Our own transport for httpx: HTTP/1.1 over non-blocking sockets, whose bodies go where the caller says.

A response's stream can be iterated, as httpx does; who finds it in the response's extensions under `STREAM` can receive
into memory of its own, which for a large body is several times as fast.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import httpx
import trio

from lading.adapters.http.connection import Connection
from lading.adapters.http.heads import Answer, Question, ask
from lading.adapters.http.pool import DEFAULT_PORTS, Origin, Pool

STREAM = "lading.stream"
PIECE_BYTES = 64 * 1024
DRAIN_BYTES = 64 * 1024
"""How much of a body that nobody wants is taken, if it has arrived already, to save its connection."""


class WireTransport(httpx.AsyncBaseTransport):
    """Asks http and https servers, without a proxy, by GET; limits of time come with each request, as httpx sets them.

    Args:
        trusted: returns what certificates are trusted, when the first https server is asked.
        connections_max: how many connections are open at once, those that wait for another use included.
        idle_s: how long a connection waits for another use.
    """

    def __init__(self, trusted: Callable[[], ssl.SSLContext], *, connections_max: int, idle_s: float) -> None:
        self._pool = Pool(trusted, most=connections_max, idle_s=idle_s)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the head of its answer; its place in the pool is taken until the body has ended."""
        if request.method != "GET" or request.url.scheme not in DEFAULT_PORTS:
            raise httpx.UnsupportedProtocol("this transport gets http and https URLs")
        timeouts = request.extensions.get("timeout", {})
        question = Question(request.url.raw_path, request.headers.raw, timeouts)
        answer, stream = await self.ask(Origin.of(request.url), question)
        return httpx.Response(
            answer.status,
            headers=list(answer.fields),
            stream=stream,
            extensions={"http_version": answer.version, "reason_phrase": answer.reason, STREAM: stream},
        )

    async def ask(self, origin: Origin, question: Question) -> tuple[Answer, WireStream]:
        """Send a question and return the head of its answer, and its body, which takes a place until it has ended.

        For those who do not need what httpx makes of both, which takes longer than the answer itself.
        """
        await self._pool.enter(question.patience_s("pool"))
        try:
            connection, answer = await self._exchange(origin, question)
        except BaseException:
            self._pool.leave()
            raise
        return answer, WireStream(self._pool, origin, connection, answer)

    async def aclose(self) -> None:
        """Close what is kept; what is in use is closed by its users."""
        self._pool.close()

    async def _exchange(self, origin: Origin, question: Question) -> tuple[Connection, Answer]:
        """Ask on a kept connection if there is one; what fails there is asked once more on a new one.

        The server may have closed it just as it was chosen, or sent what nobody asked for (RFC 9112 §9.3.1).
        """
        kept = self._pool.take(origin)
        if kept is not None:
            with suppress(httpx.NetworkError, httpx.RemoteProtocolError):
                return kept, await _ask(kept, question)
        fresh = await self._pool.open(origin, question.patience_s("connect"))
        return fresh, await _ask(fresh, question)


class WireStream(httpx.AsyncByteStream):
    """The body of one answer; its connection goes back into the pool with its last byte, or is closed."""

    def __init__(self, pool: Pool, origin: Origin, connection: Connection, answer: Answer) -> None:
        self._pool = pool
        self._origin = origin
        self._connection: Connection | None = connection
        self._body = answer.body
        self._keeps = answer.keeps
        if self._body.has_ended:
            self._let_go()

    @property
    def is_assured(self) -> bool:
        """Whether the body has ended, and what marked its end vouches that nothing is missing.

        That is its length, its last chunk, or TLS's close_notify; a connection that merely ends may have been cut.
        """
        return self._body.has_ended and self._body.is_assured

    async def receive_into(self, buffer: memoryview) -> int:
        """Wait for more of the body, put it at the start of `buffer`, and return how many bytes; 0 is its end.

        Raises:
            httpx.TransportError: the body stalled, broke off or is not valid; bytes returned before were good.
        """
        if self._connection is None and not self._body.has_ended:
            raise httpx.StreamClosed
        count = await self._body.receive_into(buffer)
        if self._body.has_ended:
            self._let_go()
        return count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the body piece by piece."""
        room = memoryview(bytearray(PIECE_BYTES))
        while count := await self.receive_into(room):
            yield bytes(room[:count])

    async def aclose(self) -> None:
        """Take what has arrived already; if that is the rest, the connection may serve again, else it is cut."""
        try:
            if self._connection is not None and self._keeps and (self._body.left or 0) <= DRAIN_BYTES:
                with trio.CancelScope(shield=True) as scope, suppress(httpx.TransportError):
                    scope.cancel()
                    await self._drain()
        finally:
            self._let_go()

    async def _drain(self) -> None:
        room, left = memoryview(bytearray(PIECE_BYTES)), DRAIN_BYTES
        while left > 0 and (count := await self.receive_into(room[:left])):
            left -= count

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._keeps and self._body.has_ended and not connection.holds:
            self._pool.keep(self._origin, connection)
        else:
            connection.close()
        self._pool.leave()


async def _ask(connection: Connection, question: Question) -> Answer:
    """Ask, and close the connection when no answer comes of it."""
    try:
        return await ask(connection, question)
    except BaseException:
        connection.close()
        raise
