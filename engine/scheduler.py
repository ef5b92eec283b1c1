"""What should run, compared with what runs, and the difference acted on: level-triggered, no callback chains.

Each pass looks at the views as they stand: attempts that the log no longer wants are stopped, files of downloads that
nobody wants are put aside, what waits for time or room is looked at, and free places are given to what comes next. A
pass may be run at any time and twice in a row; a lost wake-up costs one poll.

When the log's disk is full, nothing can be said: attempts end without a word, and nothing is started. From time to time
it is tried again, and once there is room, what became of those attempts is said as recovery would say it.
"""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from uuid import UUID

import attrs
import trio

from lading.attempt import Attempt
from lading.bundling import Bundling
from lading.domain import caching, requirements, scheduling, stops
from lading.domain import commands as c
from lading.domain.download import Download
from lading.domain.errors import DiskFull, Fenced, IllegalCommand
from lading.domain.states import RUNNING, STOPPING
from lading.easing import ROOM_LOOK_S, Easing
from lading.files import Files
from lading.nurseries import open_plain_nursery
from lading.placing import Places
from lading.reading import Reading
from lading.recovery import Recovery
from lading.room import Space
from lading.services import Services
from lading.shredding import Shredding
from lading.surroundings import Surroundings
from lading.sweeping import Sweeper
from lading.tidying import Tidying

MOST_A_PASS = 256
LONGEST_DOZE_S = 60.0
NO_HURRY_S = 1.0
"""When what runs has gone a step further, it is looked at within this time: not since anything follows from that, but
because what was asked of it in the midst of the step, such as a limit before there were bytes, can be done now."""
BREATH_S, BREATH_MORE_S, BREATH_MOST_S = 0.003, 0.0006, 0.015
"""What happens within so short a time is answered by one pass; a longer one where much runs, and nobody is idle."""


@attrs.frozen(kw_only=True)
class _Look:
    """What there is to do: attempts to stop or finish, files to sweep, what is blocked, bundles, what starts next.

    `passed` is what was blocked by something that is over; `full` why there is no room at all where what comes next is
    to lie, and `unfit` what comes next and does not fit into the room that there is; `lacking` is what comes next in
    both cases. `running` is what runs, `sharing` are those that wait for another to fetch the same, `shredding`
    those whose keys are to be shredded.
    """

    unwanted: Sequence[UUID]
    finishing: Sequence[UUID]
    litter: Sequence[Download]
    blocked: Sequence[Download]
    passed: Sequence[Download]
    sharing: Sequence[Download]
    following: Sequence[tuple[str, Download]]
    full: str | None
    unfit: tuple[Download, str] | None
    lacking: Download | None
    running: Sequence[Download]
    next_due_ns: int | None
    bundles: Sequence[UUID]
    shredding: Sequence[UUID]


class Scheduler:
    """Runs attempts in its nursery; `run` is its task, and ends when `close` was called and every attempt stopped.

    `on_rest` is called when the last attempt of several has ended, and nothing is left of them to be tidied up.
    """

    def __init__(
        self, services: Services, reading: Reading, places: Places, surroundings: Surroundings, worker: UUID
    ) -> None:
        self._s = services
        self._around = surroundings
        self._reading = reading
        self._places = places
        self._worker = worker
        self._running: dict[UUID, Attempt] = {}
        self._hosts: dict[UUID, str] = {}
        self._seen: dict[UUID, Download] = {}
        self._heard: deque[frozenset[UUID]] = deque()
        reading.on_change = self._hear
        self._speechless_until_s = float("-inf")
        self._unsaid: set[UUID] = set()
        self._files = Files(services.disk, places, reading.claims.is_anothers)
        self._recovery = Recovery(services, reading, self._files, worker)
        self._bundling = Bundling(services, reading, places, self._files)
        self._bundling.on_rest = self._note_rest
        self._shredding = Shredding(services, reading)
        self._shredding.on_rest = self._note_rest
        self._sweeper = Sweeper(services, reading, self._files)
        self._easing = Easing(services, reading, places, self._sweeper)
        self._next_due_ns: int | None = None
        self._tidying = Tidying(services)
        self._tidying.on_rest = self._tell_rest
        self._closing = False
        self._wake = trio.Event()
        self._stir = trio.Event()
        self.paused = False
        self.on_rest: Callable[[], None] = lambda: None
        services.caching.on_landing = self.wake

    @property
    def running(self) -> frozenset[UUID]:
        """The downloads that have an attempt right now."""
        return frozenset(self._running)

    @property
    def is_at_rest(self) -> bool:
        """Whether no attempt runs, and no part is left of one that could be removed."""
        busy = self._tidying.is_busy or self._bundling.is_busy or self._shredding.is_busy
        return not self._running and not busy

    def wake(self) -> None:
        """Have a pass made soon."""
        self._wake.set()
        self._stir.set()

    def stir(self) -> None:
        """Have a pass made when there is time: something runs that has gone a step further."""
        self._stir.set()

    def close(self) -> None:
        """Start nothing more, and stop what runs in good order."""
        self._closing = True
        self._bundling.close()
        for attempt in self._running.values():
            attempt.scope.cancel()
        self.wake()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Make passes until closed."""
        try:
            async with open_plain_nursery() as nursery:
                task_status.started()
                while not self._closing:
                    self._wake, self._stir = trio.Event(), trio.Event()
                    await self._pass(nursery)
                    if not self._closing:
                        passed_s = self._s.clock.monotonic()
                        await self._doze()
                        breath_s = min(BREATH_S + BREATH_MORE_S * len(self._running), BREATH_MOST_S)
                        await trio.sleep(max(0.0, passed_s + breath_s - self._s.clock.monotonic()))
        finally:
            await self._tidying.run()

    async def _doze(self) -> None:
        """Wait for a wake-up, or until something is due by the clock."""
        delays = [ROOM_LOOK_S] if self._reading.blocked_count or requirements.DISK in self._around.reasons else []
        if self._next_due_ns is not None:
            delays.append(max(0.0, (self._next_due_ns - self._s.clock.now_ns()) / 1e9))
        now_s = self._s.clock.monotonic()
        again_s = min(self._bundling.again_s, self._shredding.again_s, self._sweeper.again_s)
        if again_s < math.inf:
            delays.append(again_s - now_s)
        speechless_s = self._speechless_until_s - now_s
        if speechless_s > 0:
            delays = [speechless_s]
        with trio.move_on_after(min([*delays, LONGEST_DOZE_S])):
            await self._stir.wait()
            with trio.move_on_after(NO_HURRY_S):
                await self._wake.wait()

    async def _pass(self, nursery: trio.Nursery) -> None:
        try:
            self._tidying.attend(nursery)
            beside = self._attempts(), dict(self._hosts), self._s.caching.held_back()
            look = await self._s.threads.run(functools.partial(self._look, *beside))
            self._next_due_ns = look.next_due_ns
            self._heed_limits(look.running)
            self._call_off(look)
            if self._s.clock.monotonic() < self._speechless_until_s:
                return
            self._bundling.attend(nursery, look.bundles)
            self._shredding.attend(nursery, look.shredding)
            await self._say_what_was_not()
            await self._sweeper.sweep(look.litter, self._running)
            for download in await self._easing.ease(look.blocked):
                await self._execute(download, c.Unblock(reason=requirements.DISK))
            for download in look.passed:
                await self._execute(download, c.Unblock(reason=download.blocked or ""))
            self._give_way()
            if look.lacking is not None and await self._easing.make_room(look.lacking):
                look = attrs.evolve(look, full=None, unfit=None)
                self.wake()
            await self._around.note_room(look.full)
            if look.unfit is not None:
                download, message = look.unfit
                await self._execute(download, c.Block(reason=requirements.DISK, message=message))
            await self._let_share(look.sharing)
            for host, download in look.following:
                if download.id not in self._running and not self._closing:
                    self._launch(nursery, download, host)
        except DiskFull:
            self._fall_silent()

    def _call_off(self, look: _Look) -> None:
        """End the attempts that the log wants no more: at once, or with what they have in hand written."""
        for id in look.unwanted:
            if id in self._running:
                self._running[id].scope.cancel()
        for id in look.finishing:
            if id in self._running:
                self._running[id].finish()

    def _attempts(self) -> dict[UUID, int]:
        return {id: attempt.number for id, attempt in self._running.items()}

    def _look(self, attempts: dict[UUID, int], hosts: dict[UUID, str], held_back: frozenset[UUID]) -> _Look:
        """Catch up with the log and see what there is to do beside these attempts; blocks.

        Who is `held_back` waits for another to fetch the same.

        What ran and is not among them any more has said so in the log before: it is not taken for what is to run.
        """
        self._reading.catch_up()
        heard: set[UUID] = set()
        while self._heard:
            heard |= self._heard.popleft()
        with self._reading.at_once():
            return self._look_at_once(attempts, hosts, heard, held_back)

    def _look_at_once(
        self, attempts: dict[UUID, int], hosts: dict[UUID, str], heard: Container[UUID], held_back: frozenset[UUID]
    ) -> _Look:
        reading, now_ns, limits = self._reading, self._s.clock.now_ns(), self._s.settings.limits
        running = self._look_again(attempts, heard)
        own = [(attempts[id], download) for id, download in running.items() if attempts[id]]
        reasons = {reason: message for reason, message in self._around.reasons.items() if reason != requirements.DISK}
        rests = self.paused or reading.hold().paused or requirements.holds_all(reasons)
        due, next_due_ns = ([], None) if rests else reading.due(now_ns, MOST_A_PASS)
        resting = {} if rests else reading.resting(now_ns)
        following: list[tuple[str, Download]] = []
        seen: dict[str, Space] = {}
        full = unfit = download = None
        candidates = reading.following(
            hosts, limits, due, lambda host: host in resting or requirements.holds(reasons, host) is not None
        )
        for candidate in () if rests else candidates:
            download = reading.get(candidate.id)
            if download is None:
                break
            wanted = max(0, (download.total or 0) - download.received)
            full = self._easing.lack(download, 0, seen)
            unfit = self._easing.lack(download, wanted, seen) if full is None and wanted else None
            if full is not None or unfit is not None:
                break
            hosts[candidate.id] = candidate.host
            following.append((candidate.host, download))
        return _Look(
            unwanted=[download.id for number, download in own if self._is_unwanted(download, number)],
            finishing=[download.id for number, download in own if download.finishing and download.attempt == number],
            running=list(running.values()),
            litter=self._sweeper.look(),
            blocked=self._easing.look(),
            passed=self._passed(reasons),
            sharing=reading.blocked(caching.BLOCKED, MOST_A_PASS, besides=held_back) if reading.blocked_count else [],
            following=following,
            full=full,
            unfit=None if unfit is None or download is None else (download, unfit),
            lacking=download if full is not None or unfit is not None else None,
            next_due_ns=next_due_ns,
            bundles=self._bundling.wanted(MOST_A_PASS),
            shredding=self._shredding.wanted(attempts),
        )

    def _hear(self, changed: frozenset[UUID]) -> None:
        """Note to which of what runs something has happened; called in whichever thread catches up."""
        ours = changed.intersection(tuple(self._running))
        if ours:
            self._heard.append(ours)

    def _look_again(self, attempts: Iterable[UUID], heard: Container[UUID]) -> dict[UUID, Download]:
        """Return what runs as the views have it: read is only what is new here, or has been `heard` of.

        What is heard is taken before the views are opened, so that they have all of it; what is heard later is for the
        next look.
        """
        running: dict[UUID, Download] = {}
        for id in attempts:
            run = self._reading.get(id) if id in heard or id not in self._seen else self._seen[id]
            if run is not None:
                running[id] = run
        self._seen = running
        return running

    def _passed(self, reasons: Container[str]) -> list[Download]:
        """Return what gave way for a reason that is over."""
        over = [reason for reason in requirements.GIVE_WAY if reason not in reasons]
        counted = self._reading.blocked_count
        return [d for reason in over for d in self._reading.blocked(reason, MOST_A_PASS)] if counted else []

    def _heed_limits(self, running: Sequence[Download]) -> None:
        """Have what runs go by its limits, whenever they came; nobody is to wait for what has one."""
        for download in running:
            self._s.throttle.limit(download)
            if download.limit_rate is not None:
                self._s.caching.leave(download.id)

    def _give_way(self) -> None:
        """Have the attempts stop that need what is not there now."""
        reasons = {
            reason: self._around.reasons[reason] for reason in requirements.GIVE_WAY if reason in self._around.reasons
        }
        for id, attempt in self._running.items() if reasons else ():
            host = self._hosts[id]
            reason = None if host == scheduling.NOWHERE else requirements.holds(reasons, host)
            if reason is not None:
                attempt.give_way(reason, reasons[reason])

    @staticmethod
    def _is_unwanted(download: Download, number: int) -> bool:
        """Tell whether the log does not want an attempt any more: asked to stop, or superseded by another worker's."""
        if download.attempt < number:
            return False
        return download.attempt > number or download.state not in RUNNING

    def _fall_silent(self) -> None:
        """Leave the log alone for a while: its disk is full."""
        self._speechless_until_s = self._s.clock.monotonic() + ROOM_LOOK_S

    async def _say_what_was_not(self) -> None:
        """Say how attempts ended that could not say it themselves."""
        for id in sorted(self._unsaid):
            download = await self._s.threads.run(functools.partial(self._reading.get, id))
            if download is not None and download.state in RUNNING | STOPPING:
                await self._recovery.settle(download, stops.NO_ROOM)
            self._unsaid.discard(id)

    async def _let_share(self, sharing: Sequence[Download]) -> None:
        """Let downloads go on that have waited for another to fetch the same."""
        for download in sharing:
            if self._s.caching.may_go_on(download.id):
                await self._execute(download, c.Unblock(reason=caching.BLOCKED))

    def _launch(self, nursery: trio.Nursery, download: Download, host: str) -> None:
        attempt = Attempt(
            self._s,
            self._places,
            self._worker,
            download,
            files=self._files,
            running=lambda: len(self._running),
            leave=self._tidying.leave,
            received=functools.partial(self._leave_host, download.id),
            is_offline=self._is_offline,
        )
        self._running[download.id] = attempt
        self._hosts[download.id] = host
        self._s.board.gauges[download.id] = attempt.gauge
        nursery.start_soon(self._attend, download.id, attempt, name=f"download {download.id}")

    def _note_rest(self) -> None:
        """Look again at what there is to do, and tell when nothing runs any more."""
        self.wake()
        self._tell_rest()

    def _tell_rest(self) -> None:
        if self.is_at_rest:
            self.on_rest()

    async def _is_offline(self) -> bool:
        """Look whether this machine is offline at this moment."""
        if not self._around.policy.network:
            return False
        return (await self._around.look()).is_offline

    def _leave_host(self, id: UUID) -> None:
        """Let another begin at the host from which all has arrived: what is left to be done is no burden there."""
        if self._hosts[id] in scheduling.saturated(self._hosts, self._s.settings.limits):
            self.wake()
        self._hosts[id] = scheduling.NOWHERE

    async def _attend(self, id: UUID, attempt: Attempt) -> None:
        try:
            await attempt.run()
        except DiskFull:
            self._unsaid.add(id)
            self._fall_silent()
        finally:
            del self._running[id]
            del self._hosts[id]
            self._s.board.gauges.pop(id, None)
            self._note_rest()

    async def _execute(self, download: Download, command: c.Command) -> None:
        try:
            await self._s.journal.execute(download.id, command, context=self._s.context)
        except (Fenced, IllegalCommand):
            self.wake()
