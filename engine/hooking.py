"""Hooks at work: each follows the log by itself, from its own cursor, one delivery at a time.

A hook that fails is tried again, later and later, and holds up neither downloads nor other hooks. Only the owner of a
home delivers; when it closes, what is in hand is finished and what is at hand is delivered, for a short while, and the
next owner goes on from the cursors.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from uuid import UUID

import attrs
import trio

from lading.domain import hooks
from lading.domain.download import Download
from lading.domain.errors import IntegrityError, InvalidDestination, StoreError, StoreUnavailable
from lading.domain.evolving import evolve, fold
from lading.domain.facts import Fact
from lading.domain.hooks import Cursor, Cursors, Hook, HookFailed, Runner
from lading.domain.ports import Clock, Threads
from lading.mishaps import describe
from lading.nurseries import open_plain_nursery
from lading.placing import Places
from lading.projections.instants import iso
from lading.reading import Reading

PAGE = 256
FAR = 1000
"""So many events that did not concern a hook are read again at most, when its engine ended without a word."""

FOLLOWED = 256
"""So many downloads are followed by each hook, the others read again: no event costs all that were before it."""

GRACE_S = 10.0
"""So long a closing engine begins deliveries of what is at hand."""


@attrs.frozen(kw_only=True)
class Hands:
    """What delivers, and where it is kept how far that came."""

    runner: Runner
    cursors: Cursors


@attrs.define(kw_only=True)
class Desk:
    """What all hooks of one engine share; `news` gives the event of the moment, which is set when the log has grown."""

    hands: Hands
    reading: Reading
    places: Places
    threads: Threads
    clock: Clock
    news: Callable[[], trio.Event]
    closing: trio.Event = attrs.field(factory=trio.Event)
    until_s: float = float("inf")

    @property
    def runner(self) -> Runner:
        """What delivers."""
        return self.hands.runner

    @property
    def cursors(self) -> Cursors:
        """Where it is kept how far that came."""
        return self.hands.cursors

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be begun."""
        return self.closing.is_set() and self.clock.monotonic() >= self.until_s


class Hooking:
    """Serves the hooks of one engine; `run` is its task."""

    def __init__(self, wanted: Mapping[str, Hook], desk: Desk) -> None:
        self._wanted = wanted
        self._desk = desk
        self._done = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve all hooks until closed; where a new one begins is settled before anything else happens here.

        Raises:
            InvalidSetting: a hook has a name that cannot be.
            IntegrityError: a cursor cannot be read.
        """
        begun = {name: await self._desk.threads.run(functools.partial(self._begin, name)) for name in self._wanted}
        task_status.started()
        try:
            async with open_plain_nursery() as nursery:
                for name, cursor in begun.items():
                    nursery.start_soon(_Service(self._desk, name, self._wanted[name], cursor).run)
        finally:
            self._done.set()

    async def close(self) -> None:
        """Deliver what is at hand, for a short while, and stop; a delivery that has begun is finished."""
        self._desk.until_s = self._desk.clock.monotonic() + GRACE_S
        self._desk.closing.set()
        await self._done.wait()

    def _begin(self, name: str) -> Cursor:
        """Return where a hook goes on. One that is ahead of the log was of another, and begins anew."""
        hooks.check_name(name)
        held, head = self._desk.cursors.load(name), self._desk.reading.log.head()
        if held is not None and held.position <= head:
            return held
        fresh = Cursor(position=0 if self._wanted[name].since == "start" and held is None else head)
        with contextlib.suppress(OSError):
            self._desk.cursors.save(name, fresh)
        return fresh


class _Service:
    """One hook, served."""

    def __init__(self, desk: Desk, name: str, hook: Hook, cursor: Cursor) -> None:
        self._d = desk
        self._name = name
        self._hook = hook
        self._cursor = cursor
        self._kept = cursor
        self._states: dict[UUID, Download] = {}

    async def run(self) -> None:
        """Deliver what comes, until nothing more is to be begun."""
        while not self._d.is_over:
            news, longest_s = self._d.news(), float("inf")
            try:
                page = await self._d.threads.run(self._read)
            except StoreUnavailable:  # when it can be read again, nobody tells
                page, longest_s = [], hooks.pause_s(1)
            if not page and self._d.closing.is_set():
                break
            if not page:
                await self._rest(news, longest_s)
            for fact in page:
                self._follow(fact)
                if self._hook.matches(fact.event) and not await self._serve(fact):
                    await self._keep()
                    return
                self._cursor = attrs.evolve(self._cursor, position=fact.position)
                if self._is_far():
                    await self._keep()
        await self._keep()

    def _is_far(self) -> bool:
        """Tell whether something was delivered, or given up, or much read, since the cursor was kept."""
        now, kept = self._cursor, self._kept
        done = (now.delivered, now.given_up) != (kept.delivered, kept.given_up)
        return done or now.position - kept.position >= FAR

    def _read(self) -> list[Fact]:
        return self._d.reading.facts(self._cursor.position, PAGE)

    async def _rest(self, news: trio.Event, longest_s: float) -> None:
        """Wait until the log has grown, the engine closes, or so much time has passed."""
        with trio.move_on_after(longest_s):
            async with open_plain_nursery() as nursery:
                nursery.start_soon(_first, news, nursery.cancel_scope)
                nursery.start_soon(_first, self._d.closing, nursery.cancel_scope)

    async def _serve(self, fact: Fact) -> bool:
        """Tell the hook of one event until it has taken that or it is given up; False when the engine closes first.

        An error of Lading itself counts as a failure of the hook: it is told with it, and ends nothing else.
        """
        while not self._d.is_over:
            now_ns = self._d.clock.now_ns()
            try:
                told = await self._d.threads.run(functools.partial(self._payload, fact))
                await self._d.runner.deliver(self._hook, told)
            except (StoreError, IntegrityError):
                raise
            except Exception as error:  # noqa: BLE001 # downloads have nothing to do with it
                why = error.message if isinstance(error, HookFailed) else f"an error of Lading: {describe(error)}"
                failures = self._cursor.failures + 1
                self._cursor = attrs.evolve(self._cursor, failures=failures, error=why, at_ns=now_ns)
                if self._hook.give_up_after and failures >= self._hook.give_up_after:
                    self._cursor = attrs.evolve(self._cursor, failures=0, given_up=self._cursor.given_up + 1)
                    return True
                await self._keep()
                if self._d.closing.is_set():
                    return False
                await self._rest(trio.Event(), hooks.pause_s(failures))
            else:
                delivered = self._cursor.delivered + 1
                self._cursor = attrs.evolve(self._cursor, failures=0, error=None, delivered=delivered, at_ns=now_ns)
                return True
        return False

    def _payload(self, fact: Fact) -> hooks.Payload:
        """Return what is told of an event: its download as the event left it; blocks."""
        download = self._state(fact)
        path: str | None = None
        if download.path is not None:
            with contextlib.suppress(InvalidDestination):
                path = self._d.places.absolute(download.order.root, download.path)
        return hooks.payload(fact, download, path=path, at=iso(fact.at_ns))

    def _state(self, fact: Fact) -> Download:
        """Return a download as an event left it; the stream is read once, and followed then for some downloads."""
        known = self._states.pop(fact.stream, None)
        if known is None or known.version != fact.version:
            facts = [f for f in self._d.reading.stream(fact.stream) if f.version <= fact.version]
            known = fold(fact.stream, ((f.event, f.at_ns) for f in facts))
        assert known is not None, "only events of downloads are told"
        self._states[fact.stream] = known
        if len(self._states) > FOLLOWED:
            del self._states[next(iter(self._states))]
        return known

    def _follow(self, fact: Fact) -> None:
        """Take an event into the state of its download, where that is known."""
        known = self._states.get(fact.stream)
        if known is not None and known.version + 1 == fact.version:
            self._states[fact.stream] = evolve(known, fact.event, stream=fact.stream, at_ns=fact.at_ns)

    async def _keep(self) -> None:
        """Keep the cursor; where that cannot be done now, the next will be kept."""
        if self._cursor != self._kept:
            with contextlib.suppress(OSError):
                await self._d.threads.run(functools.partial(self._d.cursors.save, self._name, self._cursor))
                self._kept = self._cursor


async def _first(event: trio.Event, scope: trio.CancelScope) -> None:
    """Wait for an event, and then end the wait for the others."""
    await event.wait()
    scope.cancel()
