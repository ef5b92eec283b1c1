"""Following the log as it grows: facts in order, each once, for as long as the caller goes on asking.

A follower is a plain iterator with a place in the log, not a generator: whoever stops asking leaves nothing behind that
would have to be closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Self
from uuid import UUID

import trio

from lading.domain.download import Download
from lading.domain.errors import UnknownDownload
from lading.domain.events import Queued
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.ports import Threads
from lading.reading import Reading

PAGE = 1000


class Follower:
    """Iterates over facts; waits for `news`, the event of the moment that is set when the log has grown.

    Following one download begins with its first event and ends when it has ended. Following all begins behind the
    position `after`, or with what is recorded from the first question on, and does not end.
    """

    def __init__(
        self,
        reading: Reading,
        threads: Threads,
        news: Callable[[], trio.Event],
        *,
        id: UUID | None = None,
        after: int | None = None,
    ) -> None:
        self._reading = reading
        self._threads = threads
        self._news = news
        self._id = id
        self._position = after
        self._state: Download | None = None
        self._page: deque[Fact] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Fact:
        if not await self._turn():
            raise StopAsyncIteration
        return self._take()

    async def page(self) -> list[Fact]:
        """Wait until there are facts, and return all that are at hand; none when there will be no more."""
        await self._turn()
        return [self._take() for _ in range(len(self._page))]

    async def _turn(self) -> bool:
        """Wait until there are facts at hand; return False when there will be no more."""
        while not self._page:
            news = self._news()
            if self._state is not None and self._state.ended:
                return False
            self._page.extend(await self._look())
            if not self._page:
                await news.wait()
        return True

    def _take(self) -> Fact:
        fact = self._page.popleft()
        self._position = fact.position
        if self._id is not None:
            self._state = evolve(self._state, fact.event, stream=self._id, at_ns=fact.at_ns)
        return fact

    async def _look(self) -> list[Fact]:
        id, state, position = self._id, self._state, self._position
        if id is not None:
            facts = await self._threads.run(lambda: self._reading.stream(id, state.version if state else 0))
            if state is None and not (facts and isinstance(facts[0].event, Queued)):
                raise UnknownDownload(f"there is no download {id}")
            return facts
        if position is None:
            self._position = await self._threads.run(self._reading.log.head)
            return []
        return await self._threads.run(lambda: self._reading.facts(after=position, limit=PAGE))
