"""One question and the head of its answer on a connection, by h11; what follows the head is handed to its body."""

from __future__ import annotations

from contextlib import suppress

import attrs
import h11
import httpx

from lading.adapters.http.bodies import LARGEST, Body, Chunked, Sized, UntilClosed
from lading.adapters.http.connection import Connection
from lading.adapters.http.trouble import HungUp

HEAD_MAX = 100 * 1024
INTERIM_MAX = 32
BODILESS = frozenset({204, 304})


@attrs.frozen(kw_only=True)
class Answer:
    """The head of an answer and what is to come of it; `keeps` tells whether its connection may serve again."""

    status: int
    reason: bytes
    version: bytes
    headers: list[tuple[bytes, bytes]]
    body: Body
    keeps: bool


async def ask(connection: Connection, request: httpx.Request) -> Answer:
    """Send a request that has no content, and wait for the head of the answer.

    Raises:
        httpx.LocalProtocolError: the request cannot be sent over HTTP/1.1.
        httpx.RemoteProtocolError: the answer is none, or its end could not be told (RFC 9112 §6.3).
        httpx.NetworkError, httpx.TimeoutException: there was none.
    """
    timeouts = request.extensions.get("timeout", {})
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_MAX)
    try:
        question = parser.send(
            h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
        )
        parser.send(h11.EndOfMessage())
    except h11.LocalProtocolError as error:
        raise httpx.LocalProtocolError("the request cannot be sent") from error
    with suppress(httpx.WriteError):  # it may have been answered before it was read, as by a server that is too busy
        await connection.send_all(question, timeout_s=timeouts.get("write"))
    response = await _receive(connection, parser, timeouts.get("read"))
    body = _body(connection, response, timeouts.get("read"))
    options = b",".join(value for name, value in response.headers if name == b"connection").lower().split(b",")
    return Answer(
        status=response.status_code,
        reason=response.reason,
        version=b"HTTP/" + response.http_version,
        headers=response.headers.raw_items(),
        body=body,
        keeps=response.http_version == b"1.1"
        and b"close" not in [option.strip() for option in options]
        and not isinstance(body, UntilClosed),
    )


async def _receive(connection: Connection, parser: h11.Connection, timeout_s: float | None) -> h11.Response:
    """Receive until there is a head, passing over interim ones (RFC 9110 §15.2)."""
    interim = 0
    while interim <= INTERIM_MAX:
        event = _next(parser)
        if isinstance(event, h11.Response):
            connection.hold(parser.trailing_data[0])
            return event
        if isinstance(event, h11.InformationalResponse):
            interim += 1
        else:
            assert event is h11.NEED_DATA
            count = await connection.receive_ahead(timeout_s=timeout_s)
            if not count:
                raise HungUp("the connection ended before an answer")
            parser.receive_data(connection.peek(count))
            connection.skip(count)
    raise httpx.RemoteProtocolError("interim answers without end")


def _next(parser: h11.Connection) -> object:
    try:
        return parser.next_event()
    except h11.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError("the head of the answer cannot be read") from error


def _body(connection: Connection, response: h11.Response, timeout_s: float | None) -> Body:
    """Return how the body is framed; h11 has refused lengths that differ, and codings other than chunked."""
    if response.status_code in BODILESS:
        return Sized(connection, 0, timeout_s)
    framing = {name: value for name, value in response.headers if name in {b"transfer-encoding", b"content-length"}}
    if len(framing) == 2:
        raise httpx.RemoteProtocolError("both a length and chunks are said to end the body")
    if b"transfer-encoding" in framing:
        return Chunked(connection, timeout_s)
    if b"content-length" not in framing:
        return UntilClosed(connection, timeout_s)
    size = int(framing[b"content-length"])
    if size > LARGEST:
        raise httpx.RemoteProtocolError("no body is so long")
    return Sized(connection, size, timeout_s)
