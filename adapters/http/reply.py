"""The head of an answer, and its body into the caller's buffers."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import httpx

from lading.adapters.http import trouble
from lading.adapters.http.plain import Fields
from lading.adapters.http.wire import STREAM
from lading.domain import urls
from lading.domain.errors import TransferError
from lading.domain.replies import Head

_KEPT_BACK = frozenset({"set-cookie", "set-cookie2"})


class Stream(Protocol):
    """Where a body comes from: what each of our transports puts into a response's extensions under `STREAM`."""

    @property
    def is_assured(self) -> bool:
        """Whether the body has ended, and what marked its end vouches that nothing is missing."""
        ...

    async def receive_into(self, buffer: memoryview) -> int:
        """Put more of the body at the start of `buffer` and return how many bytes; 0 is its end."""
        ...

    async def aclose(self) -> None:
        """Let go of the body, read to its end or not."""
        ...


class Answered(NamedTuple):
    """An answer, whichever transport got it: `framed` tells that its version marks the end of every body."""

    status: int
    fields: Fields
    framed: bool
    stream: Stream

    @classmethod
    def of(cls, response: httpx.Response) -> Answered:
        """Return what a transport of httpx answered."""
        fields, framed = response.headers.raw, response.http_version == "HTTP/2"
        return cls(response.status_code, fields, framed, response.extensions[STREAM])


class HTTPXReply:
    """One answer, its body not yet read; `url` is whole and stays in here."""

    def __init__(self, answered: Answered, url: str) -> None:
        self._url = url
        self._head = _head(answered, url)
        self._stream = answered.stream
        self._failure: TransferError | None = None

    @property
    def head(self) -> Head:
        """Status, headers (lower-case names, repeated ones joined, none that sets a cookie), and the public URL."""
        return self._head

    @property
    def is_assured(self) -> bool:
        """Whether the body has ended, and something vouches that nothing of it is missing (law 5).

        Its length, its last chunk, the end of its stream in HTTP/2, or for one that only ends by closing, TLS's clean
        close_notify.
        """
        return self._stream.is_assured

    async def receive_into(self, buffer: memoryview) -> int:
        """Wait for more of the body, put it at the start of `buffer`, and return how many bytes; 0 is its end.

        A call that was cancelled has broken the body off: what it may have received is not known any more.

        Raises:
            TransferError: the body broke off, stalled or timed out; bytes returned before were good.
        """
        assert len(buffer) > 0, "a buffer without room cannot tell the end of a body"
        if self._failure is None:
            try:
                return await self._stream.receive_into(buffer)
            except Exception as error:  # noqa: BLE001 # the text of an unforeseen one may hold a secret
                self._failure = trouble.in_body(error, self._url)
            except BaseException:
                self._failure = trouble.broken(self._url)
                raise
        raise self._failure

    async def aclose(self) -> None:
        """Take what has arrived already; if that is the rest, the connection may serve again, else it is cut."""
        await self._stream.aclose()


def texts(fields: Fields) -> list[tuple[str, str]]:
    """Return fields as text, names in lower case: all in ASCII, all in UTF-8, or else in ISO 8859-1, as httpx does."""
    for encoding in ("ascii", "utf-8"):
        try:
            return [(name.decode(encoding).lower(), value.decode(encoding)) for name, value in fields]
        except UnicodeDecodeError:
            continue
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in fields]


def _head(answered: Answered, url: str) -> Head:
    headers: dict[str, str] = {}
    for name, value in texts(answered.fields):
        if name not in _KEPT_BACK:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Head(status=answered.status, headers=headers, url=urls.public(url).url, framed=answered.framed)
