"""One question and the head of its answer on a connection; what follows the head is left to its body.

What is not `plain` on either side is h11's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress

import attrs
import h11
import httpx
import trio

from lading.adapters.http import plain
from lading.adapters.http.bodies import LARGEST, Body, Chunked, Sized, UntilClosed
from lading.adapters.http.connection import AHEAD_BYTES, Connection
from lading.adapters.http.plain import Fields, Plain
from lading.adapters.http.trouble import HungUp

HEAD_MAX = 100 * 1024
INTERIM_MAX = 32
BODILESS = frozenset({204, 304})


@attrs.frozen
class Question:
    """A GET: its target and fields, `Host` first; how long each wait may be, and until when (trio) there is an answer.

    Waits are `pool`, `connect`, `write` and `read`, as httpx has them.
    """

    target: bytes = attrs.field(repr=False)
    fields: Fields = attrs.field(repr=False)
    timeouts: Mapping[str, float | None]
    until_s: float = math.inf

    def patience_s(self, wait: str) -> float:
        """Return how long a wait may be that begins now."""
        timeout_s = self.timeouts.get(wait)
        left_s = max(0.0, self.until_s - trio.current_time())
        return left_s if timeout_s is None else min(timeout_s, left_s)


@attrs.frozen(kw_only=True)
class Answer:
    """The head of an answer (names in lower case) and its body; `keeps` tells whether its connection serves again."""

    status: int
    reason: bytes
    version: bytes
    fields: Fields
    body: Body
    keeps: bool


async def ask(connection: Connection, question: Question) -> Answer:
    """Send a question, and wait for the head of the answer.

    Raises:
        httpx.LocalProtocolError: the question cannot be sent over HTTP/1.1.
        httpx.RemoteProtocolError: the answer is none, or its end could not be told (RFC 9112 §6.3).
        httpx.NetworkError, httpx.TimeoutException: there was none.
    """
    said, parser = plain.question(question.target, question.fields), None
    if said is None:
        parser, said = _begin(question)
    with suppress(httpx.WriteError):  # it may have been answered before it was read, as by a server that is too busy
        await connection.send_all(said, timeout_s=question.timeouts.get("write"), until_s=question.until_s)
    if parser is None:
        await _receive(connection, question)
        head = plain.answer(connection.peek(AHEAD_BYTES))
        if head is not None:
            connection.skip(head.size)
            return _answer(connection, question, head, b"1.1")
        parser, _ = _begin(question)
    response = await _parse(connection, question, parser)
    read = Plain(response.status_code, response.reason, list(response.headers), 0)
    return _answer(connection, question, read, response.http_version)


def _begin(question: Question) -> tuple[h11.Connection, bytes]:
    """Return a parser that waits for the answer to a question, and the question as it goes over the wire."""
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_MAX)
    try:
        said = parser.send(h11.Request(method="GET", target=question.target, headers=list(question.fields)))
        parser.send(h11.EndOfMessage())
    except h11.LocalProtocolError as error:
        raise httpx.LocalProtocolError("the request cannot be sent") from error
    return parser, said


async def _receive(connection: Connection, question: Question) -> int:
    """Wait for more than is held, hold it too, and return how many bytes it is."""
    count = await connection.receive_ahead(timeout_s=question.patience_s("read"))
    if not count:
        raise HungUp("the connection ended before an answer")
    return count


async def _parse(connection: Connection, question: Question, parser: h11.Connection) -> h11.Response:
    """Receive until there is a head, passing over interim ones (RFC 9110 §15.2); begin with what is held."""
    interim, count = 0, connection.holds
    while interim <= INTERIM_MAX:
        if count:
            parser.receive_data(connection.peek(count))
            connection.skip(count)
            count = 0
        event = _next(parser)
        if isinstance(event, h11.Response):
            connection.hold(parser.trailing_data[0])
            return event
        if isinstance(event, h11.InformationalResponse):
            interim += 1
        else:
            assert event is h11.NEED_DATA
            count = await _receive(connection, question)
    raise httpx.RemoteProtocolError("interim answers without end")


def _next(parser: h11.Connection) -> object:
    try:
        return parser.next_event()
    except h11.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError("the head of the answer cannot be read") from error


def _answer(connection: Connection, question: Question, head: Plain, version: bytes) -> Answer:
    body = _body(connection, head, question.timeouts.get("read"))
    options = b",".join(value for name, value in head.fields if name == b"connection").lower().split(b",")
    return Answer(
        status=head.status,
        reason=head.reason,
        version=b"HTTP/" + version,
        fields=head.fields,
        body=body,
        keeps=version == b"1.1"
        and b"close" not in [option.strip() for option in options]
        and not isinstance(body, UntilClosed),
    )


def _body(connection: Connection, head: Plain, timeout_s: float | None) -> Body:
    """Return how the body is framed; lengths that differ were refused, and codings other than chunked."""
    if head.status in BODILESS:
        return Sized(connection, 0, timeout_s)
    framing = {name: value for name, value in head.fields if name in {b"transfer-encoding", b"content-length"}}
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
