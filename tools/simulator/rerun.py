"""A rerun: the real scheduler, with everything that it stands on, in the world of an incident and in virtual time.

Log, views, disk and threads are those of `lading.testing`; network, machine and chance are the incident's. People ask
what they asked, when they asked it, by the same decisions on the same log as from another process. An engine that had
nothing more to do when it ended ends here when it has nothing more to do. At last the engine works on until all is
settled, or nothing more is known.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import attrs
import trio

from lading.adapters import codec
from lading.bootstrap import Parts, run_engine
from lading.domain import commands as c
from lading.domain import events as e
from lading.domain import requirements
from lading.domain.decide import decide
from lading.domain.errors import Fenced, UsageError
from lading.domain.evolving import fold
from lading.domain.facts import Context
from lading.domain.features import Features
from lading.domain.ports import Entry
from lading.engine import Engine
from lading.settings import Settings
from lading.testing import simulation
from lading.testing.cache import MemoryCache
from lading.testing.log import MemoryLog
from lading.testing.processes import MemoryProcesses
from lading.testing.store import MemoryStore
from lading.testing.threads import InlineThreads
from lading.testing.vault import MemoryVault
from lading.tools.simulator import record as r
from lading.tools.simulator import tuning
from lading.tools.simulator.decisions import Decided
from lading.tools.simulator.record import Record
from lading.tools.simulator.servers import Transport
from lading.tools.simulator.world import Cast, Chance, Clock, Disk, Machine
from lading.views import Views

FOLDER = "/downloads"
PAGE = 1000
MOST_IDS = 10_000
"""How many ids are looked through for one that fits."""
LINGER_S = 86_400.0
"""After the record ends, an engine works on for so long, or as long as the record lasts."""
OURS: dict[str, Any] = {
    "reserve_bytes": 0, "disk_free_percent": 0, "cache": "off", "maintenance_s": 0.0, "poll_s": 60.0,
    "watch_s": 3600.0, "retention_s": 0.0, "connections": 1,
}  # fmt: skip
"""What is set so in every rerun: room is as it was recorded, and the rest decides nothing here."""


@attrs.frozen(kw_only=True)
class Rerun:
    """What came of it: what was decided, how many bytes a byte stood for, and of how many attempts not all is known."""

    decided: Decided
    scale: int
    assumed: int


def rerun(record: Record, settings: Settings, *, was: Settings | None = None, second: int = 0) -> Rerun:
    """Return what an engine with these settings decides in the world of an incident; the same each time.

    Args:
        record: what happened.
        settings: how the engine is set now.
        was: how it was set then, if that was otherwise.
        second: the second of the day at which it begins.
    """
    return simulation.run(0, lambda _: _Stage(record, settings, was or settings, second).play())


def _sides(flags: Sequence[str], features: Features) -> Iterator[tuple[str, str]]:
    """Yield the features that were on for a share, each with the side that a download was of."""
    for flag in flags:
        name, _, rest = flag.partition(":")
        side, _, share = rest.partition(":")
        if share and name in tuning.FEATURES and 0 < getattr(features, name) < 100:
            yield name, side


class _Stage:
    """One rerun."""

    def __init__(self, record: Record, settings: Settings, was: Settings, second: int) -> None:
        self._record = record
        self._log = MemoryLog()
        self._clock = Clock(second)
        self._cast = Cast(record, self._log)
        self._settings = attrs.evolve(tuning.smaller(settings, self._cast.scale), **OURS)
        self._features = was.features
        self._machine = Machine()
        self._disk = Disk()
        self._chance = Chance(self._cast)
        self._closing: trio.Event | None = None
        self._may_end = trio.Event()
        self._ended = trio.Event()

    async def play(self) -> Rerun:
        """Let everything happen, and return what was decided."""
        base_ns = self._clock.now_ns()
        async with trio.open_nursery() as nursery:
            for at_ns, step in self._record.steps:
                await trio.sleep(max(0.0, at_ns / 1e9 - self._clock.monotonic()))
                await self._take(step, nursery)
            self._may_end.set()
            closing = self._closing
            if closing is not None:
                with trio.move_on_after(max(LINGER_S, self._record.last_ns / 1e9)):
                    await self._ended.wait()
                closing.set()
        return Rerun(decided=self._decided(base_ns), scale=self._cast.scale, assumed=len(self._cast.assumed))

    def _decided(self, base_ns: int) -> Decided:
        names = {id: name for name, id in self._cast.own.items()}
        decided, after = Decided(), 0
        while page := self._log.read(after, PAGE):
            for fact in map(codec.open_envelope, page):
                after = fact.position
                decided.take(fact.at_ns - base_ns, names.get(fact.stream, fact.stream), fact.event, base_ns)
        return decided

    # -- what happens ----------------------------------------------------------------------------------------------

    async def _take(self, step: r.Step, nursery: trio.Nursery) -> None:
        match step:
            case r.Submitted():
                self._submit(step.id)
            case r.Ask():
                self._ask(step)
            case r.Opened():
                self._may_end = trio.Event()
                if self._closing is not None and self._closing.is_set():
                    await self._ended.wait()
                if self._closing is None:
                    self._closing, self._ended = trio.Event(), trio.Event()
                    await nursery.start(self._work, self._closing, self._ended)
            case r.Closed():
                await self._close(idle=step.idle)
            case r.Rested():
                self._append(e.QUEUE, step.event)
            case r.Roomy():
                self._set_room(step)
            case r.Around():
                self._set_around(step)
        self._clock.tell()

    async def _work(
        self, closing: trio.Event, ended: trio.Event, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Be an engine until somebody ends it, or there is nothing more to do and nothing to come."""
        async with self._engine() as engine:
            task_status.started()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end_when_idle, engine, closing)
                await closing.wait()
                nursery.cancel_scope.cancel()
        self._closing = None
        ended.set()

    async def _end_when_idle(self, engine: Engine, closing: trio.Event) -> None:
        """End an engine that may end as soon as it has nothing more to do."""
        while not closing.is_set():
            await self._may_end.wait()
            await engine.wait_idle()
            if self._may_end.is_set():
                closing.set()

    async def _close(self, *, idle: bool) -> None:
        if self._closing is None:
            return
        if idle:
            self._may_end.set()
        else:
            self._closing.set()
            await self._ended.wait()

    def _set_around(self, step: r.Around) -> None:
        match step.what:
            case "room":
                self._disk.full = not step.value
            case "online":
                self._machine.online = step.value
            case "metered":
                self._machine.metered = step.value
            case _:
                self._machine.memory = step.value

    def _set_room(self, step: r.Roomy) -> None:
        """Give a download room, and have it go on when it was found to have some; or take that away."""
        folder = str(self._record.items[step.id].number)
        if step.free is not None:
            self._disk.rooms[folder] = step.free
            return
        self._disk.rooms.pop(folder, None)
        self._execute(self._cast.own[step.id], c.Unblock(reason=requirements.DISK))

    # -- what people ask -------------------------------------------------------------------------------------------

    def _submit(self, name: UUID) -> None:
        item = self._record.items[name]
        id = self._id(item)
        self._cast.enter(item, id)
        self._append(id, e.Queued(order=self._cast.order(item)))

    def _id(self, item: r.Item) -> UUID:
        """Return an id for a download; where a feature was on for a share, one that is of the side that it was of."""
        features = self._features
        for _ in range(MOST_IDS):
            id = self._chance.uuid(self._clock.now_ns())
            if all(features.is_on(name, id) == (side == "on") for name, side in _sides(item.flags, features)):
                break
        return id

    def _ask(self, ask: r.Ask) -> None:
        """Do what somebody asked then, as far as it can be asked of how things stand here."""
        command = self._command(ask.event)
        if command is not None:
            self._execute(self._cast.own[ask.id], command)

    def _execute(self, id: UUID, command: c.Command) -> None:
        facts = [codec.open_envelope(recorded) for recorded in self._log.stream(id)]
        state = fold(id, ((fact.event, fact.at_ns) for fact in facts))
        try:
            self._append(id, *decide(state, command))
        except (UsageError, Fenced):
            return

    def _command(self, event: e.Event) -> c.Command | None:
        match event:
            case e.Paused():
                return c.Pause()
            case e.Resumed():
                return c.Retry() if event.fresh else c.Resume()
            case e.Cancelled():
                return c.Cancel(reason=event.reason)
            case e.Removed():
                return c.Remove()
            case e.Reprioritised():
                return c.Prioritise(priority=event.priority)
            case e.LimitChanged():
                rate = None if event.limit_rate is None else self._cast.small(event.limit_rate)
                return c.Limit(limit_rate=rate, connections=1)
            case e.FinishRequested():
                return c.Finish()
            case e.Restored():
                return c.Restore()
            case _:
                return None

    def _append(self, stream: UUID, *events: e.Event) -> None:
        """Append events as another process would; nobody else is at work at this moment."""
        held, now_ns = len(self._log.stream(stream)), self._clock.now_ns()
        entries = [
            Entry(
                stream,
                held + number,
                type(event).TOPIC,
                codec.seal(event, id=self._chance.uuid(now_ns), at_ns=now_ns, context=Context()),
            )
            for number, event in enumerate(events, start=1)
        ]
        if entries:
            self._log.append([entries])

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[Engine]:
        items = {item.number: item for item in self._record.items.values()}
        parts = Parts(
            log=self._log,
            views=Views(self._log, lambda _: MemoryStore()),
            disk=self._disk,
            transport=Transport(self._cast, items, self._clock),
            vault=MemoryVault(),
            cache=MemoryCache(self._disk),
            threads=InlineThreads(),
            clock=self._clock,
            chance=self._chance,
            machine=self._machine,
            processes=MemoryProcesses(),
        )
        async with run_engine(
            parts, settings=self._settings, context=Context(), owner=True, folder=FOLDER, cwd="/"
        ) as engine:
            yield engine
