"""Queueing many downloads: a list is read and judged while the batch before it becomes durable."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import BinaryIO
from uuid import UUID

import trio

from lading.domain.download import Download
from lading.domain.errors import InvalidURL, UsageError
from lading.domain.requests import Request
from lading.engine import Engine
from lading.nurseries import open_plain_nursery
from lading.tools.cli import homes, known, trouble
from lading.tools.cli.answers import note, write_json
from lading.tools.cli.asking import Asked
from lading.tools.cli.frame import Frame
from lading.tools.cli.lists import Line, open_list, read_list

BATCHES_AHEAD = 1


class Adding:
    """Adds, prints ids as they become durable, and counts what came of it."""

    def __init__(self, frame: Frame, asked: Asked) -> None:
        self._frame = frame
        self._asked = asked
        self._added = 0
        self._known = 0
        self._bad = 0

    def run(self, requests: Sequence[Request], source: str | None) -> int:
        """Add requests, and then the list of that name; return the exit code.

        Raises:
            UsageError: the list cannot be read; the requests were not added either.
        """
        if source is None:
            trio.run(self._add_all, requests, None)
        else:
            with open_list(source) as file:
                trio.run(self._add_all, requests, file)
        return self._conclude()

    async def _add_all(self, requests: Sequence[Request], file: BinaryIO | None) -> None:
        async with homes.working(self._frame, role="client") as engine:
            if requests:
                head = await trio.to_thread.run_sync(engine.reading.log.head)
                downloads = await engine.submit_many(requests, again=True)
                known.check(requests, downloads)
                found = await trio.to_thread.run_sync(known.among, engine.reading, downloads, head)
                self._say(downloads, found)
                known.say(self._frame, requests, downloads, found, go_on=False)
            if file is not None:
                send, receive = trio.open_memory_channel[list[Request]](BATCHES_AHEAD)
                async with open_plain_nursery() as nursery:
                    nursery.start_soon(self._read, file, send)
                    await self._submit(engine, receive)

    async def _read(self, file: BinaryIO, send: trio.MemorySendChannel[list[Request]]) -> None:
        chunks = read_list(file)
        async with send:
            while (lines := await trio.to_thread.run_sync(next, chunks, None, abandon_on_cancel=True)) is not None:
                requests = list(self._requests(lines))
                if requests:
                    await send.send(requests)

    async def _submit(self, engine: Engine, receive: trio.MemoryReceiveChannel[list[Request]]) -> None:
        async for requests in receive:
            self._say(await engine.submit_many(requests))

    def _requests(self, lines: Iterable[Line]) -> Iterator[Request]:
        for line in lines:
            try:
                if line.url is None:
                    raise InvalidURL("this is no text, or too long to be a URL")
                yield self._asked.request(line.url)
            except UsageError as error:
                self._refuse(line.number, error)

    def _say(self, downloads: Sequence[Download], known: Collection[UUID] = ()) -> None:
        known_ones = sum(download.id in known for download in downloads)
        self._known += known_ones
        self._added += len(downloads) - known_ones
        if self._frame.json:
            for download in downloads:
                order = download.order
                row = {"id": str(download.id), "key": order.key, "url": order.url, "state": download.state.shown}
                write_json(row | {"known": download.id in known})
        else:
            sys.stdout.write("".join(f"{download.id}\n" for download in downloads))
        sys.stdout.flush()

    def _refuse(self, number: int, error: UsageError) -> None:
        self._bad += 1
        told = trouble.explain(error)
        if not self._frame.json:
            told = told._replace(error=f"line {number}: {told.error}")
        trouble.tell(told, as_json=self._frame.json, line=number)

    def _conclude(self) -> int:
        if not self._bad:
            added = f"{self._added} added"
            if self._known:
                added = f"{self._known} known already, {added}"
            elif not self._added:
                added = "the list is empty: 0 added"
            note(self._frame, added)
            return trouble.DONE
        told = f"{self._bad} {'line' if self._bad == 1 else 'lines'} could not be added, {self._added} were"
        hint = "the lines are named above; nothing else is lost"
        trouble.tell(trouble.Trouble(told, hint, "UsageError", trouble.USAGE), as_json=self._frame.json)
        return trouble.USAGE
