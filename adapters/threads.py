"""Blocking work in worker threads, made for thousands of works that take well under a millisecond each.

Handing a work to a thread of its own costs more than most works do: a thread is woken, fights for the interpreter's
lock at every call that lets go of it, and wakes the event loop when it has done. So a small crew does what waits, one
work after the other, and tells the event loop of all that was done with one wake-up. When nothing was begun for a
moment although work waits, since all of the crew are held up by a disk or a network that does not answer, another
thread is called in, by whoever brings work then, or by a watch: nobody waits for long behind what has nothing to do
with it (law 9).
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import outcome
import trio
from trio.lowlevel import Abort, Task, TrioToken

T = TypeVar("T")

CREW = min(max(2, os.cpu_count() or 2), 8)
"""How many threads work at a time, while work goes on: as many as can digest side by side."""
PATIENCE_S = 0.005
IDLE_S = 10.0


class _Job:
    __slots__ = ("result", "task", "token", "work")

    def __init__(self, work: Callable[[], Any], task: Task, token: TrioToken) -> None:
        self.work = work
        self.task = task
        self.token = token
        self.result: outcome.Value[Any] | outcome.Error = outcome.Value(None)


class WorkerThreads:
    """The port `Threads`, for the tasks of one event loop at a time; work that was begun is never abandoned half-way.

    Args:
        most: how many threads there are at once, those that are held up included.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._done: deque[_Job] = deque()
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
        job = _Job(work, trio.lowlevel.current_task(), trio.lowlevel.current_trio_token())
        with self._lock:
            self._waiting.append(job)
            is_enough = self._threads - len(self._idle) >= CREW
            held_back = is_enough and time.monotonic() - self._begun_s < PATIENCE_S
        if not held_back:
            self._call_in()
        elif not self._is_watched:
            self._is_watched = True
            trio.lowlevel.spawn_system_task(self._watch)
        result: T = await trio.lowlevel.wait_task_rescheduled(lambda _: Abort.FAILED)
        return result

    def _call_in(self) -> None:
        """Wake an idle thread, or start one."""
        with self._lock:
            self._begun_s = time.monotonic()
            sleeper = self._idle.pop() if self._idle else None
            if sleeper is None:
                if self._threads >= self._most:
                    return
                self._threads += 1
        if sleeper is not None:
            sleeper.release()
        else:
            threading.Thread(target=self._live, name="lading worker", daemon=True).start()

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
                job.result = outcome.capture(job.work)
                self._tell(job)
            if not alarm.acquire(timeout=IDLE_S) and self._leaves(alarm):
                return

    def _next(self, alarm: threading.Lock) -> _Job | None:
        """Return what to do next; or be idle."""
        with self._lock:
            if self._waiting:
                self._begun += 1
                self._begun_s = time.monotonic()
                return self._waiting.popleft()
            self._idle.append(alarm)
            return None

    def _leaves(self, alarm: threading.Lock) -> bool:
        """Tell whether nobody has woken this thread up to now; then it is idle no more."""
        with self._lock:
            if alarm not in self._idle:
                alarm.acquire()
                return False
            self._idle.remove(alarm)
            self._threads -= 1
            return True

    def _tell(self, job: _Job) -> None:
        self._done.append(job)
        if not self._is_told:
            self._is_told = True
            with suppress(trio.RunFinishedError):
                job.token.run_sync_soon(self._deliver)

    # -- in the event loop -----------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Give the tasks what has been done for them."""
        self._is_told = False
        while self._done:
            job = self._done.popleft()
            trio.lowlevel.reschedule(job.task, job.result)
