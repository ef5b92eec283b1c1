"""HTTP/1.1 heads on a socket, read and written (RFC 9112 §2–§6), as far as an origin of files needs it.

By hand rather than with h11, because h11 refuses to write what we exist to write: false lengths, raw header bytes,
bodies that break off.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

import attrs

HEAD_MAX = 64 << 10

Header = tuple[str, str]


class BadRequest(Exception):
    """What arrived is not the head of an HTTP/1 request that we could answer."""


@attrs.frozen
class HttpRequest:
    """The head of one request.

    Attributes:
        method: As sent.
        target: As sent: a path with its query, or a whole URL when we are taken for a proxy.
        path: The target's path, percent-decoded.
        version: `HTTP/1.1` or `HTTP/1.0`.
        headers: By lower-case name; several of one name are joined by a comma.
    """

    method: str
    target: str
    path: str
    version: str
    headers: Mapping[str, str]

    @property
    def keeps_alive(self) -> bool:
        """Whether the client leaves the connection open for another request; one with a body we never do."""
        options = self.headers.get("connection", "").lower()
        has_body = "transfer-encoding" in self.headers or self.headers.get("content-length", "0") != "0"
        return self.version == "HTTP/1.1" and "close" not in options and not has_body


class HeadReader:
    """Cuts requests off a connection, keeping what arrived of the next one."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._held = b""

    def read(self) -> HttpRequest | None:
        """Wait for the next request; None when the client has ended the connection.

        Raises:
            BadRequest: it is not HTTP/1, or longer than `HEAD_MAX` bytes.
            OSError: the connection broke, or nothing came within its timeout.
        """
        while b"\r\n\r\n" not in self._held:
            if len(self._held) > HEAD_MAX:
                raise BadRequest(f"a head of more than {HEAD_MAX} bytes")
            received = self._line.recv(HEAD_MAX)
            if not received:
                return None
            self._held += received
        head, self._held = self._held.split(b"\r\n\r\n", 1)
        return _parse(head.decode("latin-1"))


def _parse(head: str) -> HttpRequest:
    first, *lines = head.split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(f"not a request line: {first[:80]!r}")
    method, target, version = words
    try:
        path = unquote(urlsplit(target).path)
    except ValueError:
        raise BadRequest(f"not a request target: {target[:80]!r}") from None
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BadRequest(f"not a header field: {line[:80]!r}")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return HttpRequest(method, target, path, version, headers)


def head_bytes(status: int, headers: Iterable[Header]) -> bytes:
    """Return the head of an answer; header values go out raw, surrogate escapes as the bytes that they stand for."""
    lines = [f"HTTP/1.1 {status} {phrase(status)}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def phrase(status: int) -> str:
    """Return the reason phrase of a status, empty for one that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
