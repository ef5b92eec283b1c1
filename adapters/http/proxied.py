"""Requests that go through a proxy: by httpx's own transport, with the guarantees that it does not give by itself."""

from __future__ import annotations

import ssl

import httpx

from lading.adapters.http.witness import Witness


class ProxiedTransport(httpx.AsyncBaseTransport):
    """Asks by way of one proxy.

    Args:
        proxy: its URL.
        ssl_context: what certificates are trusted.
        limits: how many connections are open, and kept.
    """

    def __init__(self, proxy: str, *, ssl_context: ssl.SSLContext, limits: httpx.Limits) -> None:
        self._inner = httpx.AsyncHTTPTransport(verify=ssl_context, trust_env=False, limits=limits, proxy=proxy)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the head of its answer.

        One that got no answer on a connection that had served before is sent once more (RFC 9112 §9.3.1).
        """
        witness = Witness()
        try:
            response = await self._send(request, witness)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if witness.connected:
                raise
            witness = Witness()
            response = await self._send(request, witness)
        witness.response = response
        return response

    async def aclose(self) -> None:
        """Close what is pooled."""
        await self._inner.aclose()

    async def _send(self, request: httpx.Request, witness: Witness) -> httpx.Response:
        request.extensions = {**request.extensions, "trace": witness}
        return await self._inner.handle_async_request(request)
