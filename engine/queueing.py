"""The queue as a whole, told on one stream of the log: whoever says something of it decides on its latest state.

The view keeps the fold of the stream, so that saying something costs the same however long its history is; what has
been told since the view was caught up is read from the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lading.adapters import codec
from lading.domain import events as e
from lading.domain.errors import StoreUnavailable
from lading.domain.events import QUEUE
from lading.domain.facts import Context
from lading.domain.hold import Hold, evolve
from lading.domain.ports import Conflict
from lading.journal import MOST_REBASES
from lading.reading import Reading
from lading.services import Services

Decision = Callable[[Hold], Sequence[e.Event]]


class QueueStream:
    """Reads and writes what holds the whole queue."""

    def __init__(self, services: Services, reading: Reading) -> None:
        self._s = services
        self._reading = reading

    async def tell(self, decision: Decision, context: Context) -> Hold:
        """Have what a decision makes of the present hold written durably, and return the hold after it.

        Raises:
            StoreUnavailable: the log could not be written, or others kept winning the race.
        """
        for _ in range(MOST_REBASES):
            hold = await self._s.threads.run(self._present)
            now_ns = self._s.clock.now_ns()
            events = decision(hold)
            entries = [
                self._s.journal.entry(QUEUE, hold.version + number, event, now_ns, context)
                for number, event in enumerate(events, start=1)
            ]
            if not entries or not isinstance((await self._s.journal.append([entries]))[0], Conflict):
                for event in events:
                    hold = evolve(hold, event, hold.version + 1)
                return hold
        raise StoreUnavailable("the queue is changed by others all the time", hint="try again")

    async def held(self) -> Hold:
        """Return what holds the queue now."""
        return await self._s.threads.run(self._present)

    def _present(self) -> Hold:
        """Return the hold as the log has it now; blocks."""
        hold = self._reading.hold()
        for record in self._s.log.stream(QUEUE, hold.version):
            hold = evolve(hold, codec.open_envelope(record).event, record.version)
        return hold
