"""The connections of one engine: so many at once, those that may serve again kept for a while, per origin.

Who waits for a place waits in the order of coming, and only so long. Places are for exchanges; kept connections take
none, but are given up, the longest kept first, before connections and exchanges together become too many.
"""

from __future__ import annotations

import functools
import math
import re
import ssl
from collections.abc import Callable

import attrs
import httpx
import trio

from lading.adapters.http.connection import Connection, connect

DEFAULT_PORTS = {"http": 80, "https": 443}
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*")
"""A path that httpx leaves as it is: no query, nothing to be quoted, no segment that begins with a dot."""


@attrs.frozen
class Origin:
    """Whose connections they are."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx.URL) -> Origin:
        """Return the origin of a URL."""
        return cls(url.scheme, url.raw_host.decode("ascii"), url.port or DEFAULT_PORTS[url.scheme])


def split(url: str) -> tuple[Origin, bytes, bytes]:
    """Return the origin of a URL, what to ask there, and the name of the host to say, all as httpx has them.

    What is anything but plain in the path is httpx's to put into the right form.

    Raises:
        httpx.InvalidURL, httpx.UnsupportedProtocol: it cannot be asked for.
    """
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    if not slash or not _PLAIN_PATH.fullmatch(path):
        whole = httpx.URL(url)
        return Origin.of(whole), whole.raw_path, whole.netloc
    origin, host = _place(f"{scheme}://{authority}")
    return origin, f"/{path}".encode("ascii"), host


@functools.lru_cache(maxsize=1024)
def _place(base: str) -> tuple[Origin, bytes]:
    url = httpx.URL(base)
    if url.scheme not in DEFAULT_PORTS:
        raise httpx.UnsupportedProtocol("this transport gets http and https URLs")
    return Origin.of(url), url.netloc


@attrs.frozen
class _Kept:
    origin: Origin
    connection: Connection
    since_s: float


class Places:
    """So many places for exchanges, `most` of them, taken in the order of asking."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._places = trio.Semaphore(most, max_value=most)

    @property
    def taken(self) -> int:
        """How many of them are taken."""
        return self._most - self._places.value

    async def enter(self, timeout_s: float | None) -> None:
        """Wait for a place, to be left when the exchange is over.

        Raises:
            httpx.PoolTimeout: none became free in time.
        """
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            with trio.move_on_after(math.inf if timeout_s is None else timeout_s):
                return await self._places.acquire()
            raise httpx.PoolTimeout("no place in time") from None

    def leave(self) -> None:
        """Give a place back."""
        self._places.release()


class Pool(Places):
    """Gives out connections, and takes them back.

    Args:
        trusted: returns what certificates are trusted; asked when the first connection under TLS is to be made.
        most: how many connections are open at once, kept ones included.
        idle_s: how long a connection is kept for another use.
    """

    def __init__(self, trusted: Callable[[], ssl.SSLContext], *, most: int, idle_s: float) -> None:
        super().__init__(most)
        self._trusted = trusted
        self._idle_s = idle_s
        self._kept: list[_Kept] = []
        self._is_closed = False

    @property
    def kept(self) -> int:
        """How many connections are kept for another use."""
        return len(self._kept)

    def take(self, origin: Origin) -> Connection | None:
        """Return a kept connection to `origin`, the one used last, if one is still good for an exchange."""
        self._expire(trio.current_time())
        for at in range(len(self._kept) - 1, -1, -1):
            if self._kept[at].origin == origin:
                connection = self._kept.pop(at).connection
                if connection.is_quiet():
                    return connection
                connection.close()
        return None

    async def open(self, origin: Origin, timeout_s: float | None) -> Connection:
        """Make a new connection to `origin`, for who has entered.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout: it could not be had.
        """
        self._make_room()
        tls = self._trusted() if origin.scheme == "https" else None
        if tls is not None:
            tls.set_alpn_protocols(["http/1.1"])
        return await connect(origin.host, origin.port, tls, timeout_s=timeout_s)

    def keep(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection that may serve again."""
        if self._is_closed:
            connection.close()
            return
        now_s = trio.current_time()
        self._kept.append(_Kept(origin, connection, now_s))
        self._expire(now_s)

    def close(self) -> None:
        """Close what is kept, and keep nothing any more."""
        self._is_closed = True
        while self._kept:
            self._kept.pop().connection.close()

    def _expire(self, now_s: float) -> None:
        over_s = now_s - self._idle_s
        while self._kept and self._kept[0].since_s <= over_s:
            self._kept.pop(0).connection.close()

    def _make_room(self) -> None:
        while self._kept and self.taken + len(self._kept) > self._most:
            self._kept.pop(0).connection.close()
