"""Downloads followed until they end: event by event, each folded once, whoever runs them."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from itertools import islice
from typing import Any
from uuid import UUID

import attrs
import trio

from lading.domain import estimate
from lading.domain.download import Download
from lading.domain.events import Cancelled
from lading.domain.evolving import evolve, fold
from lading.domain.facts import Fact
from lading.domain.hold import Told
from lading.domain.states import State
from lading.engine import Engine
from lading.nurseries import open_plain_nursery
from lading.outcome import Overall
from lading.projections import progress
from lading.projections.fold import OF_DOWNLOADS
from lading.tools.cli.display import Display, Rows

REMEMBERED = 4096
WAITING_SHOWN = 20
BREATH_S = 0.02
"""What happens within so short a time is told at once."""
_SHOWN_BESIDE = {State.WAITING, State.VERIFYING}

Ended = Callable[[Download, str], None]


class Watch:
    """Follows some downloads until each has ended, or, without `own`, whatever the home does.

    Args:
        display: what shows the work.
        ended: called once with each download that ends, and the reason why it was given up, where there is one.
        after: the position of the log behind which nothing is known yet.
        own: the downloads that are waited for, as they stand; those that have ended already are reported at once.
        forever: do not stop when there is nothing to do.
        until: returns when nothing more happens with the downloads that are waited for, though some have not ended.
    """

    def __init__(
        self,
        display: Display,
        ended: Ended,
        *,
        after: int,
        own: Collection[Download] | None = None,
        forever: bool = False,
        until: Callable[[Engine], Awaitable[object]] | None = None,
    ) -> None:
        self._display = display
        self._ended = ended
        self._after = after
        self._forever = forever
        self._until = until
        self._last = math.inf
        self._all = own is None
        self._states: OrderedDict[UUID, Download] = OrderedDict()
        self._done_bytes = 0
        self._ended_before = [download for download in own or () if download.ended or download.stuck]
        self._beside: OrderedDict[UUID, Download] = OrderedDict()
        for download in own or ():
            if not (download.ended or download.stuck):
                self._keep(download)

    async def follow(self, engine: Engine) -> None:
        """Follow until there is nothing left to wait for; may be called again on another engine and goes on then."""
        while self._ended_before:
            await self._end(engine, self._ended_before.pop(0))
        if not self._all and not self._states:
            return
        async with open_plain_nursery() as nursery:
            nursery.start_soon(self._tick, engine)
            if self._all and not self._forever:
                nursery.start_soon(self._until_over, engine, Engine.wait_idle, nursery.cancel_scope)
            if self._until is not None:
                nursery.start_soon(self._until_over, engine, self._until, nursery.cancel_scope)
            await self._take_facts(engine)
            nursery.cancel_scope.cancel()

    async def _take_facts(self, engine: Engine) -> None:
        follower = engine.follow(after=self._after)
        while True:
            for fact in await follower.page():
                if type(fact.event) in OF_DOWNLOADS and (self._all or fact.stream in self._states):
                    await self._take(engine, fact)
                elif isinstance(fact.event, Told):
                    self._display.queue(fact)
                self._after = fact.position
                if self._after >= self._last or not (self._all or self._states):
                    self._display.flush()
                    return
            self._display.flush()
            await trio.sleep(BREATH_S)

    async def _take(self, engine: Engine, fact: Fact) -> None:
        before = self._states.get(fact.stream)
        if before is None and fact.version > 1:
            before = await trio.to_thread.run_sync(_state_before, engine, fact)
        if fact.version != (1 if before is None else before.version + 1):
            return
        download = evolve(before, fact.event, stream=fact.stream, at_ns=fact.at_ns)
        self._display.fact(fact, download)
        if download.stuck:
            self._drop(fact.stream)
            if before is None or not before.stuck:
                await self._end(engine, download)
        elif not download.ended:
            self._keep(download)
        elif before is not None and not before.ended:
            self._drop(fact.stream)
            self._done_bytes += download.received
            await self._end(engine, download)

    async def _end(self, engine: Engine, download: Download) -> None:
        reason = ""
        if download.state is State.CANCELLED:
            reason = await trio.to_thread.run_sync(_given_up_for, engine, download.id)
        self._ended(download, reason)

    def _keep(self, download: Download) -> None:
        self._drop(download.id)
        self._states[download.id] = download
        if download.state in _SHOWN_BESIDE:
            self._beside[download.id] = download
        while self._all and len(self._states) > REMEMBERED:
            self._drop(next(iter(self._states)))

    def _drop(self, id: UUID) -> None:
        self._states.pop(id, None)
        self._beside.pop(id, None)

    async def _until_over(
        self, engine: Engine, over: Callable[[Engine], Awaitable[object]], scope: trio.CancelScope
    ) -> None:
        """End the following once nothing is left to do and everything that led there has been told."""
        await over(engine)
        self._last = await trio.to_thread.run_sync(engine.reading.log.head)
        if self._after >= self._last:
            scope.cancel()

    # -- figures ---------------------------------------------------------------------------------------------------

    async def _tick(self, engine: Engine) -> None:
        if math.isinf(self._display.interval_s):
            return
        while True:
            rows = await self._rows(engine)
            self._display.figures(rows, await self._overall(engine, rows) if self._display.sums_up else None)
            await trio.sleep(self._display.interval_s)

    async def _rows(self, engine: Engine) -> list[dict[str, Any]]:
        """Return what runs, and the latest of what waits."""
        rows = await engine.listing(state="active")
        if not self._all:
            rows = [row for row in rows if UUID(row["id"]) in self._states]
        waiting = islice(reversed(self._beside.values()), WAITING_SHOWN)
        return rows + [progress.listing(d, time.time_ns()) for d in waiting]

    async def _overall(self, engine: Engine, rows: Rows) -> Overall:
        rates = [row["rate"] for row in rows if row["rate"] is not None]
        rate = sum(rates) if rates else None
        if self._all:
            whole = await engine.progress()
            eta = estimate.eta(whole.received, whole.total, rate)
            return attrs.evolve(whole, rate=rate, eta=eta)
        live = {row["id"]: row for row in rows}
        states = [(d, live.get(str(d.id))) for d in self._states.values()]
        received = self._done_bytes + sum(row["received"] if row else d.received for d, row in states)
        totals: list[int | None] = [row["total"] if row else d.total for d, row in states]
        total = None if None in totals else self._done_bytes + sum(known for known in totals if known is not None)
        waiting = sum(1 for d, _ in states if d.state in {State.WAITING, State.PAUSED})
        active = sum(1 for _, row in states if row is not None and row["state"] == "active")
        return Overall(
            active=active,
            queued=len(states) - active - waiting,
            waiting=waiting,
            received=received,
            total=total,
            rate=rate,
            eta=estimate.eta(received, total, rate),
            percent=estimate.percent(received, total),
        )


def _given_up_for(engine: Engine, id: UUID) -> str:
    """Return the reason why a download was cancelled last, empty when a person wanted it; blocks."""
    reasons = [f.event.reason for f in engine.reading.stream(id) if isinstance(f.event, Cancelled)]
    return reasons[-1] if reasons else ""


def _state_before(engine: Engine, fact: Fact) -> Download | None:
    """Return a download as it stood before a fact; blocks."""
    earlier = (f for f in engine.reading.stream(fact.stream) if f.version < fact.version)
    return fold(fact.stream, ((f.event, f.at_ns) for f in earlier))
