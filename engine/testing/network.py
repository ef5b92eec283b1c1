"""A network in memory: origins with files, and the transport that reaches them, faults included, in virtual time."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import attrs
import trio

from lading.domain import urls
from lading.domain.errors import TransferError
from lading.domain.faults import Cause
from lading.domain.ports import Call
from lading.domain.replies import Head

MODIFIED, DATE = "Tue, 14 Nov 2023 00:00:00 GMT", "Wed, 15 Nov 2023 00:00:00 GMT"


@attrs.define(kw_only=True)
class Served:
    """A file of a simulated origin; change a field and the next answer is different.

    Attributes:
        data: its bytes.
        etag: None for none; a strong one of the content by default.
        ranges: whether ranges are answered.
        rate: bytes a second of virtual time for each answer, None for at once.
        shared: whether all answers that are being read share that rate, as they do where the line is the limit.
        break_after: bytes after which each answer's connection breaks, None for never.
        status: answered instead of 200 and 206.
        retry_after: sent with `status`.
        sized: whether the length is told.
        conditional: whether it is told by 304 that what the caller knows of is what there is.
        confirms: headers of such an answer, instead of those of the file.
        foreign: whether our own transport fails there, so that each attempt has to go the plain way.
    """

    data: bytes
    etag: str | None = attrs.field(default=attrs.Factory(lambda self: _etag(self.data), takes_self=True))
    ranges: bool = True
    rate: float | None = None
    shared: bool = False
    break_after: int | None = None
    status: int | None = None
    retry_after: str | None = None
    sized: bool = True
    conditional: bool = True
    confirms: dict[str, str] | None = None
    foreign: bool = False
    headers: dict[str, str] = attrs.field(factory=dict)
    asked: int = 0
    reading: int = 0

    def honours(self, call: Call, headers: Mapping[str, str]) -> bool:
        """Tell whether the caller has what there is (RFC 9110 §13.1.2 and §13.1.3)."""
        if not self.conditional:
            return False
        if call.if_none_match is not None:
            return call.if_none_match == self.etag
        return call.if_modified_since is not None and call.if_modified_since == headers["last-modified"]

    def replace(self, data: bytes) -> None:
        """Put other content under the same name, with its own ETag."""
        self.data = data
        self.etag = _etag(data) if self.etag is not None else None


def _etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:16]}"'


class MemoryReply:
    """An answer of the simulated network; one that is `asleep` sends nothing any more."""

    def __init__(self, head: Head, body: memoryview, served: Served | None, online: Callable[[], bool]) -> None:
        self.head = head
        self.asleep = False
        self._body = body
        self.served = served
        self._sent = 0
        self._online = online

    async def receive_into(self, buffer: memoryview) -> int:
        """Give the next bytes, in the time that the origin's rate says."""
        served = self.served
        if self.asleep:
            await trio.sleep_forever()
        count = min(len(buffer), len(self._body) - self._sent, 16 * 1024)
        if served is not None and served.break_after is not None:
            count = min(count, served.break_after - self._sent)
            if count <= 0 and self._sent < len(self._body):
                raise TransferError("the connection broke", cause=Cause.BROKEN)
        if served is not None and served.rate is not None and count > 0:
            await trio.sleep(count / served.rate * (served.reading if served.shared else 1))
        else:
            await trio.lowlevel.checkpoint()
        if not self._online():
            raise TransferError("the network is gone", cause=Cause.NETWORK)
        buffer[:count] = self._body[self._sent : self._sent + count]
        self._sent += max(0, count)
        return max(0, count)


class MemoryNetwork:
    """Files by URL, and whether the network is there; `transport()` reaches them.

    `calls` are all that were made, `open` the answers that are being read.
    """

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.online = True
        self.calls: list[Call] = []
        self.open: list[MemoryReply] = []

    def serve(self, url: str, data: bytes, **behaviour: object) -> Served:
        """Put a file at `url`."""
        served = Served(data=data, **behaviour)  # type: ignore[arg-type] # the fields of Served, by name
        self.files[url] = served
        return served

    def transport(self) -> MemoryTransport:
        """Return a transport into this network."""
        return MemoryTransport(self)

    def answer(self, call: Call) -> MemoryReply:
        """Answer as an honest HTTP origin would (RFC 9110 §13, §14)."""
        shown = urls.public(call.url).url
        served = self.files.get(call.url)
        if served is None:
            return self._reply(shown, 404, {}, b"", None)
        served.asked += 1
        if served.foreign and call.route.own:
            call.route.give_up("our own transport failed: as it was to")
        if served.status is not None:
            extra = {"retry-after": served.retry_after} if served.retry_after else {}
            return self._reply(shown, served.status, extra, b"", served)
        headers = {"last-modified": MODIFIED, "date": DATE, **served.headers}
        if served.etag is not None:
            headers["etag"] = served.etag
        total, start = len(served.data), call.start
        end = total if call.end is None else min(call.end, total)
        if call.range is None and served.honours(call, headers):
            return self._reply(shown, 304, served.confirms or headers, b"", served)
        guarded = call.if_range is None or call.if_range in {served.etag, headers["last-modified"]}
        if call.range is None or not served.ranges or not guarded:
            if served.sized:
                headers["content-length"] = str(total)
            return self._reply(shown, 200, headers, served.data, served)
        if start >= total:
            return self._reply(shown, 416, {"content-range": f"bytes */{total}"}, b"", served)
        headers |= {"content-range": f"bytes {start}-{end - 1}/{total}", "content-length": str(end - start)}
        return self._reply(shown, 206, headers, memoryview(served.data)[start:end], served)

    @contextmanager
    def reading(self, reply: MemoryReply) -> Iterator[None]:
        """Count an answer among those that are being read."""
        served = reply.served
        self.open.append(reply)
        if served is not None:
            served.reading += 1
        try:
            yield
        finally:
            self.open.remove(reply)
            if served is not None:
                served.reading -= 1

    def _reply(
        self, url: str, status: int, headers: dict[str, str], body: bytes | memoryview, served: Served | None
    ) -> MemoryReply:
        head = Head(status=status, headers=headers, url=url)
        return MemoryReply(head, memoryview(body), served, lambda: self.online)


class MemoryTransport:
    """The transport of a `MemoryNetwork`."""

    name = "http"

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network

    @asynccontextmanager
    async def exchange(self, call: Call) -> AsyncIterator[MemoryReply]:
        """Ask, and give the answer."""
        await trio.lowlevel.checkpoint()
        self._network.calls.append(call)
        if not self._network.online:
            raise TransferError("the network is gone", cause=Cause.NETWORK)
        reply = self._network.answer(call)
        with self._network.reading(reply):
            yield reply

    async def aclose(self) -> None:
        """Close nothing."""
        await trio.lowlevel.checkpoint()
