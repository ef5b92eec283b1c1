"""The three ways in which a body is told from what follows it (RFC 9112 §6), each received into its caller's memory.

Never does a byte that is not the body's get into a buffer that was given for it.
"""

from __future__ import annotations

import re
from typing import Protocol

import httpx

from lading.adapters.http.connection import Connection

LARGEST = 2**63 - 1
LINE_MAX = 1024
TRAILERS_MAX = 16 * 1024

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,20})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n")


class Body(Protocol):
    """What is still to be received of a body."""

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing more to receive."""
        ...

    @property
    def is_assured(self) -> bool:
        """Whether what marked the end vouches that nothing is missing; known once the body has ended."""
        ...

    @property
    def left(self) -> int | None:
        """How many bytes are still to come, None when nobody has said so."""
        ...

    async def receive_into(self, buffer: memoryview) -> int:
        """Put more of the body at the start of `buffer` and return how many bytes; 0 is its end.

        Raises:
            httpx.ReadTimeout: nothing came for too long.
            httpx.ReadError: the connection broke off before the end.
            httpx.RemoteProtocolError: what came is no body.
        """
        ...


class Sized:
    """A body of as many bytes as Content-Length says, which may be none."""

    is_assured = True

    def __init__(self, connection: Connection, size: int, timeout_s: float | None) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self.left = size

    @property
    def has_ended(self) -> bool:
        """Whether all of them have been received."""
        return not self.left

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive more of it: see `Body`."""
        if not self.left:
            return 0
        count = await self._connection.receive_into(buffer[: self.left], timeout_s=self._timeout_s)
        if not count:
            raise httpx.ReadError("the connection ended in the middle of the body")
        self.left -= count
        return count


class UntilClosed:
    """A body that goes on until the connection ends."""

    left = None

    def __init__(self, connection: Connection, timeout_s: float | None) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self.has_ended = False

    @property
    def is_assured(self) -> bool:
        """Whether the server itself said that this is the end."""
        return self._connection.ended_cleanly

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive more of it: see `Body`."""
        if self.has_ended:
            return 0
        count = await self._connection.receive_into(buffer, timeout_s=self._timeout_s)
        self.has_ended = not count
        return count


class Chunked:
    """A body in chunks (RFC 9112 §7.1), each with its size before it, until one of size 0 and the trailers.

    What is held of several small chunks is given at once; a large chunk is received straight into the buffer.
    """

    is_assured = True
    left = None

    def __init__(self, connection: Connection, timeout_s: float | None) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._left = 0
        self._is_first = True
        self._untold: Exception | None = None
        self.has_ended = False

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive more of it: see `Body`."""
        if self._untold is not None:
            raise self._untold
        got = await self._receive(buffer)
        try:
            while 0 < got < len(buffer) and not self.has_ended and self._has_more_at_hand():
                got += await self._receive(buffer[got:])
        except httpx.RemoteProtocolError as error:
            self._untold = error
        return got

    def _has_more_at_hand(self) -> bool:
        """Tell whether data has arrived already that can be had without waiting."""
        return bool((self._left or self._next_held()) and self._left and self._connection.holds)

    async def _receive(self, buffer: memoryview) -> int:
        """Receive something of the chunk that we are in, or of the next."""
        while not self._left and not self.has_ended:
            if not self._next_held() and not await self._connection.receive_ahead(timeout_s=self._timeout_s):
                raise _cut_off()
        if self.has_ended:
            return 0
        count = await self._connection.receive_into(buffer[: self._left], timeout_s=self._timeout_s)
        if not count:
            raise _cut_off()
        self._left -= count
        return count

    def _next_held(self) -> bool:
        """Read on to the data of the next chunk, or to the end of the body, if so much has arrived."""
        at = 0 if self._is_first else 2
        held = self._connection.peek(at + LINE_MAX)
        if at and not b"\r\n".startswith(held[:at]):
            raise httpx.RemoteProtocolError("no line's end behind a chunk")
        end = held.find(b"\n", at) + 1
        if not end:
            if len(held) == at + LINE_MAX:
                raise httpx.RemoteProtocolError("the line before a chunk is too long")
            return False
        size = _size(held[at:end])
        if not size:
            end = _behind_trailers(self._connection.peek(end + TRAILERS_MAX), end)
            if not end:
                return False
            self.has_ended = True
        self._connection.skip(end)
        self._is_first, self._left = False, size
        return True


def _size(line: bytes) -> int:
    found = _CHUNK.fullmatch(line)
    size = int(found[1], 16) if found else LARGEST + 1
    if size > LARGEST:
        raise httpx.RemoteProtocolError("the size of a chunk cannot be read")
    return size


def _behind_trailers(held: bytes, begin: int) -> int:
    """Return where the trailers from `begin` on have ended, or 0 when they have not yet; they tell us nothing."""
    at = begin
    while end := held.find(b"\n", at) + 1:
        line, at = held[at:end], end
        if line == b"\r\n":
            return at
        if not _TRAILER.fullmatch(line):
            raise httpx.RemoteProtocolError("a trailer cannot be read")
    if len(held) == begin + TRAILERS_MAX:
        raise httpx.RemoteProtocolError("the trailers are too long")
    return 0


def _cut_off() -> httpx.ReadError:
    return httpx.ReadError("the connection ended in the middle of the body")
