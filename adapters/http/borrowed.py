"""Requests that go by httpx's own transport, through a proxy or over HTTP/2, with guarantees that it does not give."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

import h11
import httpx
import trio

from lading.adapters.http import extras
from lading.adapters.http.discretion import unheard
from lading.adapters.http.wire import STREAM
from lading.adapters.http.witness import Witness
from lading.domain.errors import InvalidSetting

CLOSING_S = 5.0
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


class BorrowedTransport(httpx.AsyncBaseTransport):
    """Asks by httpx's own transport.

    Args:
        ssl_context: what certificates are trusted; httpx tells it which protocols we speak, before each handshake.
        limits: how many connections are open, and kept.
        proxy: the URL of the proxy to go through, if any.
        http2: whether HTTP/2 may be spoken.

    Raises:
        InvalidSetting: that proxy cannot be used.
    """

    def __init__(
        self, *, ssl_context: ssl.SSLContext, limits: httpx.Limits, proxy: str | None = None, http2: bool = False
    ) -> None:
        if http2:
            extras.require("http2", "HTTP/2", instead="or `lading config unset http2`")
        if proxy is not None:
            _check_proxy(proxy)
        self._inner = httpx.AsyncHTTPTransport(
            verify=ssl_context, trust_env=False, limits=limits, proxy=proxy, http2=http2
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the head of its answer.

        One that got no answer on a connection that had served before is sent once more (RFC 9112 §9.3.1).
        """
        _check_request(request)
        witness = Witness()
        try:
            response = await self._send(request, witness)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if witness.connected:
                raise
            witness = Witness()
            response = await self._send(request, witness)
        witness.response = response
        response.extensions[STREAM] = Chunks(response)
        return response

    async def aclose(self) -> None:
        """Close what is pooled."""
        await self._inner.aclose()

    async def _send(self, request: httpx.Request, witness: Witness) -> httpx.Response:
        request.extensions = {**request.extensions, "trace": witness}
        try:
            with _blaming_the_server():
                return await self._inner.handle_async_request(request)
        except BaseException as error:
            await witness.give_up()
            if witness.was_refused and isinstance(error, Exception):
                raise httpx.ProxyError("the proxy does not let us through") from error
            raise


class Chunks:
    """The body that httpx's own transport gives, chunk by chunk; `is_spent` when its end has come by."""

    def __init__(self, response: httpx.Response) -> None:
        headers = response.headers
        self._marks_its_end = (
            response.http_version == "HTTP/2" or "content-length" in headers or "transfer-encoding" in headers
        )
        self._response = response
        self._chunks = response.aiter_raw()
        self._left = memoryview(b"")
        self._has_ended = self._has_failed = False
        self.is_spent = False

    @property
    def is_assured(self) -> bool:
        """Whether the body has ended, and its length, a last chunk or the end of its stream in HTTP/2 said so."""
        return self._has_ended and self._marks_its_end

    async def receive_into(self, buffer: memoryview) -> int:
        """Put more of the body at the start of `buffer` and return how many bytes; 0 is its end."""
        while not self._left and not self._has_ended:
            try:
                with unheard(), _blaming_the_server():
                    chunk = await anext(self._chunks, None)
            except BaseException:
                self._has_failed = True
                raise
            self._has_ended = self.is_spent = chunk is None
            self._left = memoryview(chunk or b"")
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    async def aclose(self) -> None:
        """Take what has arrived.

        The chunks come through generators of httpx, which are unwound here and not left to the collector: a receive
        under a cancelled scope returns what is there and then raises through all of them.
        """
        with unheard():
            with trio.CancelScope(shield=True) as scope, contextlib.suppress(Exception):
                scope.cancel()
                async for _ in self._chunks:
                    pass
                self.is_spent = not self._has_failed
            with trio.move_on_after(CLOSING_S, shield=True), contextlib.suppress(Exception):
                await self._response.aclose()


def _check_request(request: httpx.Request) -> None:
    """Refuse what could not be sent over HTTP/1.1 either; h2 would let some of it through.

    Raises:
        httpx.LocalProtocolError: a header is none.
    """
    try:
        h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
    except h11.LocalProtocolError as error:
        raise httpx.LocalProtocolError("the request cannot be sent") from error


@contextlib.contextmanager
def _blaming_the_server() -> Iterator[None]:
    """Take what h2 finds fault with, and whatever httpx makes of it, for what it is: the request was in order."""
    try:
        yield
    except httpx.LocalProtocolError as error:
        raise httpx.RemoteProtocolError("the server broke the protocol") from error
    except (httpx.HTTPError, httpx.StreamError):
        raise
    except Exception as error:
        raise httpx.RemoteProtocolError("the server sent something that cannot be read") from error


def _check_proxy(proxy: str) -> None:
    """Refuse a proxy that could not be asked; its URL may hold a password and is not quoted."""
    scheme = proxy.partition("://")[0].lower()
    if scheme not in PROXY_SCHEMES:
        known = ", ".join(PROXY_SCHEMES)
        raise InvalidSetting(
            f"the environment names a proxy of the kind {scheme!r}",
            hint=f"known are {known}; `lading config set trust_env off` does without",
        )
    if scheme.startswith("socks5"):
        extras.require("socks", "the SOCKS proxy that the environment names")
