"""Commands in, events out: load the state, decide, append under the stream's version, and on a conflict decide again.

That loop is the whole of fencing on the log's side: a command that loses the race is judged anew against what won it,
so a worker whose download was paused under it learns that by `Fenced`, and a second `pause` finds nothing to do.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from uuid import UUID

from lading.adapters import codec
from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.decide import decide
from lading.domain.download import Download
from lading.domain.errors import StoreUnavailable
from lading.domain.evolving import evolve
from lading.domain.facts import Context, Fact
from lading.domain.ports import Chance, Clock, Conflict, Entry, Log, Threads
from lading.writer import LogWriter

MOST_REBASES = 64


class Journal:
    """Reads streams and carries out commands on them, durably."""

    def __init__(self, log: Log, writer: LogWriter, threads: Threads, clock: Clock, chance: Chance) -> None:
        self._log = log
        self._writer = writer
        self._threads = threads
        self._clock = clock
        self._chance = chance
        self._noted: dict[UUID, int] = {}

    async def load(self, id: UUID, start: Download | None = None) -> Download | None:
        """Fold what the log holds of a download onto `start`; None when it holds nothing."""
        after = start.version if start else 0
        recorded = await self._threads.run(lambda: self._log.stream(id, after))
        state = start
        for fact in map(codec.open_envelope, recorded):
            if state is None and not isinstance(fact.event, e.Queued):
                return None
            state = evolve(state, fact.event, stream=id, at_ns=fact.at_ns)
        return state

    async def facts(self, stream: UUID, after: int = 0) -> list[Fact]:
        """Return the facts of one stream whose version is greater than `after`."""
        recorded = await self._threads.run(lambda: self._log.stream(stream, after))
        return [codec.open_envelope(record) for record in recorded]

    async def execute(
        self, id: UUID, *commands: c.Command, state: Download | None = None, context: Context
    ) -> Download:
        """Carry out commands on one download, all in one durable request, and return its state after them.

        Args:
            id: the download.
            commands: each is decided on the state that the ones before it lead to.
            state: what the caller knows of the download; what the log holds beyond that is read on a conflict.
            context: who asks, kept with the events.

        Raises:
            IllegalCommand, Fenced: as `decide` says, on the state that the log really holds.
            StoreUnavailable: the log could not be written, or others kept winning the race.
        """
        if state is None:
            state = await self.load(id)
        for _ in range(MOST_REBASES):
            after, entries = self.draft(id, state, commands, context)
            if not entries:
                assert after is not None
                return after
            if not isinstance(await self._writer.append(entries), Conflict):
                assert after is not None
                return after
            state = await self.load(id, state)
        raise StoreUnavailable(f"the download {id} is changed by others all the time", hint="try again")

    def draft(
        self, id: UUID, state: Download | None, commands: Sequence[c.Command], context: Context
    ) -> tuple[Download | None, list[Entry]]:
        """Return the state that commands lead to, and the events that they make, for somebody to append.

        Raises:
            IllegalCommand, Fenced: as `decide` says.
        """
        now_ns = self._clock.now_ns()
        entries: list[Entry] = []
        for command in commands:
            for event in decide(state, command):
                version = state.version + 1 if state else 1
                state = evolve(state, event, stream=id, at_ns=now_ns)
                entries.append(self.entry(id, version, event, now_ns, context))
        return state, entries

    def entry(self, stream: UUID, version: int, event: e.Event, now_ns: int, context: Context) -> Entry:
        """Seal one event for the log."""
        sealed = codec.seal(event, id=self._chance.uuid(now_ns), at_ns=now_ns, context=context)
        return Entry(stream, version, type(event).TOPIC, sealed)

    async def append(self, requests: Sequence[Sequence[Entry]]) -> list[tuple[int, ...] | Conflict]:
        """Have several requests written; each is answered by itself."""
        return [await self._writer.append(request) for request in requests]

    async def note(self, stream: UUID, *events: e.Event, context: Context) -> None:
        """Append events that nobody decides on, such as those of a worker, at the end of their stream.

        Where that ended is remembered, so that noting costs the same however long the stream has become.

        Raises:
            StoreUnavailable: the log could not be written.
        """
        for _ in range(MOST_REBASES):
            after = self._noted.get(stream, 0)
            held = await self._threads.run(functools.partial(self._log.stream, stream, after))
            version = held[-1].version if held else after
            now_ns = self._clock.now_ns()
            entries = [
                self.entry(stream, version + number, event, now_ns, context)
                for number, event in enumerate(events, start=1)
            ]
            if not isinstance(await self._writer.append(entries), Conflict):
                self._noted[stream] = version + len(entries)
                return
        raise StoreUnavailable(f"the stream {stream} is changed by others all the time", hint="try again")
