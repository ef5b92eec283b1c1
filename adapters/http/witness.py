"""What an exchange by httpx's own transport must know of its connection, told by httpcore's trace of the request."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Mapping
from typing import Any

import h11
import httpx
import trio


class Witness:
    """The trace of one request: was the connection new, and did a server send more than the answer on it?

    `was_refused` when a SOCKS proxy did not make a connection of it.

    Bytes behind a body would be taken for the answer to the next request on that connection, which may be for another
    download. So before a connection goes back into the pool it is looked at, and cut if there is anything left to read.
    Nothing public in httpx or httpcore shows what h11 has left; if what is private moves, no connection is kept, which
    is slow and safe.
    """

    def __init__(self) -> None:
        self.connected = self.was_refused = False
        self.response: httpx.Response | None = None
        self._line: Any = None

    async def __call__(self, event: str, told: Mapping[str, Any]) -> None:
        """Hear of one step of httpcore's."""
        if event.endswith(".connect_tcp.started"):
            self.connected = True
        elif event.endswith(".connect_tcp.complete"):
            self._line = told["return_value"]
        elif event.endswith(".setup_socks5_connection.failed"):
            self.was_refused = True
        elif event == "http11.response_closed.started" and self.response is not None:
            line = self.response.extensions["network_stream"]
            if _holds_more(self.response) or _tls_holds_more(line.get_extra_info("ssl_object")):
                with contextlib.suppress(OSError):
                    line.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    async def give_up(self) -> None:
        """Close the connection that was made for a request which came to nothing: not every way in httpcore does."""
        if self._line is not None:
            with trio.move_on_after(0, shield=True), contextlib.suppress(Exception):
                await self._line.aclose()


def _holds_more(response: httpx.Response) -> bool:
    inner: Any = response.stream
    try:
        for name in ("_httpcore_stream", "_stream", "_connection", "_h11_state"):
            inner = getattr(inner, name)
    except AttributeError:
        return True
    return not isinstance(inner, h11.Connection) or inner.trailing_data[0] != b""


def _tls_holds_more(tls: ssl.SSLObject | None) -> bool:
    """Tell whether records that have arrived hold more, or an end; between answers nobody else reads from it."""
    if tls is None:
        return False
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        pass
    return True
