"""Blocking work in worker threads, made for thousands of works that take well under a millisecond each.

Handing a work to a thread of its own costs more than most works do: a thread is woken, fights for the interpreter's
lock at every call that lets go of it, and wakes the event loop when it has done. So a small crew does what waits, one
work after the other, and tells the event loop of all that was done with one wake-up. When nothing was begun for a
moment although work waits, since all of the crew are held up by a disk or a network that does not answer, another
thread is called in, by whoever brings work then, or by a watch: nobody waits for long behind what has nothing to do
with it (law 9).

Works of one hand are done one after the other. When one is done, the next of them goes to the end of what waits: that
takes no turn of the event loop, and nobody waits for all of them. A work may begin works of other hands.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

import outcome
import trio
from trio.lowlevel import Abort, Task, TrioToken

T = TypeVar("T")

CREW = min(max(2, os.cpu_count() or 2), 8)
"""How many threads work at a time, while work goes on: as many as can digest side by side."""
CREW_OF_HANDS = CREW + 1
"""So many where hands have work, of which mostly one waits for the disk; others' works are too short for that."""
PATIENCE_S = 0.005
IDLE_S = 10.0


class _Job(Generic[T]):
    """A work, of a hand or of none, whoever waits for it, and what became of it: the port `Begun`."""

    __slots__ = ("hand", "outcome", "task", "token", "work")

    def __init__(self, work: Callable[[], T], token: TrioToken, hand: _Hand | None = None) -> None:
        self.work = work
        self.hand = hand
        self.task: Task | None = None
        self.token = token
        self.outcome: outcome.Value[T] | outcome.Error | None = None

    @trio.lowlevel.enable_ki_protection
    async def result(self) -> T:
        """Return what the work returned; waits for it even if the caller is cancelled."""
        self.task = trio.lowlevel.current_task()
        if self.outcome is None:  # else it may have been done before anybody waited, and nobody is told of that
            value: T = await trio.lowlevel.wait_task_rescheduled(lambda _: Abort.FAILED)
            return value
        self.task = None
        await trio.lowlevel.cancel_shielded_checkpoint()
        return self.outcome.unwrap()


class _Hand:
    """The port `Hand`: one of its works is under way, or waits among all others, if it `is_busy`; `next` come after."""

    __slots__ = ("_begin", "_token", "is_busy", "next")

    def __init__(self, begin: Callable[[_Job[Any]], None]) -> None:
        self._begin = begin
        self._token = trio.lowlevel.current_trio_token()
        self.is_busy = False
        self.next: deque[_Job[Any]] = deque()

    def begin(self, work: Callable[[], T]) -> _Job[T]:
        """Have `work` done after all that was begun before."""
        job = _Job(work, self._token, self)
        self._begin(job)
        return job


class WorkerThreads:
    """The port `Threads`, for the tasks of one event loop at a time; work that was begun is never abandoned half-way.

    Args:
        most: how many threads there are at once, those that are held up included.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[_Job[Any]] = deque()
        self._done: deque[_Job[Any]] = deque()
        self._idle: list[threading.Lock] = []
        self._threads = 0
        self._begun = 0
        self._begun_s = 0.0
        self._is_told = False
        self._is_watched = False

    @trio.lowlevel.enable_ki_protection
    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in a worker thread and return what it returns."""
        await trio.lowlevel.checkpoint_if_cancelled()
        job = _Job(work, trio.lowlevel.current_trio_token())
        self._begin(job)
        return await job.result()

    def hand(self) -> _Hand:
        """Return a new hand, which does one work after the other."""
        return _Hand(self._begin)

    def _begin(self, job: _Job[Any]) -> None:
        """Have a work done as soon as there is a thread for it, and whatever comes before it has been done."""
        with self._lock:
            if job.hand is not None and job.hand.is_busy:
                job.hand.next.append(job)
                return
            if job.hand is not None:
                job.hand.is_busy = True
            self._waiting.append(job)
            is_enough = self._threads - len(self._idle) >= (CREW if job.hand is None else CREW_OF_HANDS)
            held_back = is_enough and time.monotonic() - self._begun_s < PATIENCE_S
        if held_back or not self._call_in():
            self._have_watched(job.token)

    def _call_in(self) -> bool:
        """Wake an idle thread, or start one if there may be more; False when the system has none to give."""
        with self._lock:
            self._begun_s = time.monotonic()
            sleeper = self._idle.pop() if self._idle else None
            if sleeper is None:
                if self._threads >= self._most:
                    return True
                self._threads += 1
        if sleeper is not None:
            sleeper.release()
            return True
        try:
            threading.Thread(target=self._live, name="lading worker", daemon=True).start()
        except RuntimeError:
            with self._lock:
                self._threads -= 1
            return False
        return True

    def _have_watched(self, token: TrioToken) -> None:
        """See to it that what waits does not wait for long, whatever becomes of those who should do it."""
        if self._is_watched:
            return
        if trio.lowlevel.in_trio_run():
            self._start_watch()
        else:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(self._start_watch, idempotent=True)

    def _start_watch(self) -> None:
        if not self._is_watched:
            self._is_watched = True
            trio.lowlevel.spawn_system_task(self._watch)

    async def _watch(self) -> None:
        """Call in one more thread whenever nothing was begun for a moment, until nothing waits."""
        try:
            while self._waiting:
                begun = self._begun
                await trio.sleep(PATIENCE_S)
                if self._waiting and self._begun == begun:
                    self._call_in()
        finally:
            self._is_watched = False

    # -- in the threads --------------------------------------------------------------------------------------------

    def _live(self) -> None:
        """Do what waits, and wait to be woken when there is nothing; end when that takes too long."""
        alarm = threading.Lock()
        alarm.acquire()
        while True:
            while (job := self._next(alarm)) is not None:
                job.outcome = outcome.capture(job.work)
                self._go_on(job.hand)
                self._tell(job)
            if not alarm.acquire(timeout=IDLE_S) and self._leaves(alarm):
                return

    def _next(self, alarm: threading.Lock) -> _Job[Any] | None:
        """Return what to do next; or be idle."""
        with self._lock:
            if self._waiting:
                self._begun += 1
                self._begun_s = time.monotonic()
                return self._waiting.popleft()
            self._idle.append(alarm)
            return None

    def _go_on(self, hand: _Hand | None) -> None:
        """Let the next work of a hand wait among all others; if there are none, this very thread does it."""
        if hand is not None:
            with self._lock:
                job = hand.next.popleft() if hand.next else None
                hand.is_busy = job is not None
                if job is not None:
                    self._waiting.append(job)
                is_behind = len(self._waiting) > 1
            if job is not None and is_behind:
                self._have_watched(job.token)

    def _leaves(self, alarm: threading.Lock) -> bool:
        """Tell whether nobody has woken this thread up to now; then it is idle no more."""
        with self._lock:
            if alarm not in self._idle:
                alarm.acquire()
                return False
            self._idle.remove(alarm)
            self._threads -= 1
            return True

    def _tell(self, job: _Job[Any]) -> None:
        """Have the event loop deliver what became of a work, if anybody waits for it."""
        if job.task is None:
            return
        self._done.append(job)
        if not self._is_told:
            self._is_told = True
            try:
                job.token.run_sync_soon(self._deliver)
            except trio.RunFinishedError:
                self._is_told = False

    # -- in the event loop -----------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Give the tasks what has been done for them."""
        self._is_told = False
        while self._done:
            job = self._done.popleft()
            if job.task is not None and job.outcome is not None:
                trio.lowlevel.reschedule(job.task, job.outcome)
