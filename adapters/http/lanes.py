"""What goes by httpx's own transport: each exchange on a connection of its own, also in HTTP/2.

A lane is a transport of httpx with room for one connection, and carries one exchange after the other. As httpx has it,
several at once on one connection of HTTP/2 would break promises of this room. Who reads for one stream reads for all: a
silence in one is not noticed while another flows, and what nobody takes is held in memory. And of an answer that is
left early the rest goes on arriving, until the connection's window is used up and all the others stand still. Nor does
httpx's pool give every place back where a connection through a proxy was not waited for; a lane is thrown away whole.

What comes behind a body of HTTP/2 needs no watching: it would belong to a stream whose number is not used again (RFC
9113 §5.1.1), and is dropped. A server that does not speak HTTP/2 is asked by HTTP/1.1 on the same lane, and watched.
"""

from __future__ import annotations

import math
import ssl
from functools import partial

import attrs
import httpx
import trio

from lading.adapters.http.borrowed import CLOSING_S, BorrowedTransport, Chunks
from lading.adapters.http.pool import Origin, Places
from lading.adapters.http.wire import STREAM


@attrs.frozen
class _Lane:
    origin: Origin
    transport: BorrowedTransport


class LanesTransport(httpx.AsyncBaseTransport):
    """Asks by GET, through a proxy, over HTTP/2 where the server speaks it, or both.

    Args:
        ssl_context: what certificates are trusted.
        proxy: the URL of the proxy to go through, if any.
        http2: whether HTTP/2 may be spoken.
        connections_max: how many connections are open at once, those that wait for another use included.
        idle_s: how long a connection waits for another use.

    Raises:
        InvalidSetting: the proxy cannot be used, or a package that httpx needs is not installed.
    """

    def __init__(
        self,
        ssl_context: ssl.SSLContext,
        *,
        proxy: str | None = None,
        http2: bool = False,
        connections_max: int,
        idle_s: float,
    ) -> None:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=idle_s)
        self._new = partial(BorrowedTransport, ssl_context=ssl_context, limits=limits, proxy=proxy, http2=http2)
        self._new()
        self._most = connections_max
        self._is_closed = False
        self._places = Places(connections_max)
        self._kept: list[_Lane] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the head of its answer; its place is taken until the body is let go of."""
        timeouts = request.extensions.get("timeout", {})
        await self._places.enter(timeouts.get("pool"))
        lane = None
        try:
            lane = await self._take(Origin.of(request.url))
            response = await lane.transport.handle_async_request(request)
        except BaseException:
            await self.let_go(lane, keep=False)
            raise
        response.extensions[STREAM] = LaneStream(self, lane, response.extensions[STREAM], timeouts.get("read"))
        return response

    async def let_go(self, lane: _Lane | None, *, keep: bool) -> None:
        """Give a place back, and its lane; one that is not to be kept is closed."""
        self._places.leave()
        if lane is not None and keep and not self._is_closed:
            self._kept.append(lane)
        elif lane is not None:
            await _close(lane)

    async def aclose(self) -> None:
        """Close what is kept; what is in use is closed by its users."""
        self._is_closed = True
        while self._kept:
            await _close(self._kept.pop())

    async def _take(self, origin: Origin) -> _Lane:
        """Return the lane to `origin` that was used last, or a new one in the place of one that waits the longest."""
        for at in range(len(self._kept) - 1, -1, -1):
            if self._kept[at].origin == origin:
                return self._kept.pop(at)
        while self._kept and self._places.taken + len(self._kept) > self._most:
            await _close(self._kept.pop(0))
        return _Lane(origin, self._new())


class LaneStream:
    """The body of one answer; its lane serves again after the end of it, or is closed."""

    def __init__(self, owner: LanesTransport, lane: _Lane, chunks: Chunks, timeout_s: float | None) -> None:
        self._owner = owner
        self._lane: _Lane | None = lane
        self._chunks = chunks
        self._timeout_s = math.inf if timeout_s is None else timeout_s

    @property
    def is_assured(self) -> bool:
        """Whether the body has ended, and what marked its end vouches that nothing is missing."""
        return self._chunks.is_assured

    async def receive_into(self, buffer: memoryview) -> int:
        """Put more of the body at the start of `buffer` and return how many bytes; 0 is its end.

        Raises:
            httpx.ReadTimeout: nothing of the body came for too long, whatever else did.
            httpx.TransportError: the body broke off or is not valid; bytes returned before were good.
        """
        count = 0
        with trio.move_on_after(self._timeout_s) as scope:
            count = await self._chunks.receive_into(buffer)
        if scope.cancelled_caught:
            raise httpx.ReadTimeout("nothing for too long")
        if not count:
            await self._let_go()
        return count

    async def aclose(self) -> None:
        """Take what has arrived already; if that is the rest, the lane may serve again, else it is closed."""
        await self._chunks.aclose()
        await self._let_go()

    async def _let_go(self) -> None:
        lane, self._lane = self._lane, None
        if lane is not None:
            await self._owner.let_go(lane, keep=self._chunks.is_spent)


async def _close(lane: _Lane) -> None:
    with trio.move_on_after(CLOSING_S, shield=True):
        await lane.transport.aclose()
