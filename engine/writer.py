"""The one task that owns the log's pen: group commit.

Tasks hand over requests and wait; the writer takes whatever has gathered, commits it once in a worker thread, and
answers each. A conflict fails only its own request. A request that has been handed over is carried out whatever happens
to the task that handed it over, so its answer is waited for behind a shield: nobody may act as if it had not been
written when it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio
from trio.lowlevel import Abort, Task

from lading.domain.errors import LadingError, StoreUnavailable
from lading.domain.ports import Conflict, Entry, Log, Threads
from lading.gathering import give_way

MOST_ENTRIES = 4096
MOST_WAITING = 1024

Request = Sequence[Entry]
Answer = tuple[int, ...] | Conflict | BaseException


class _Slot:
    """One request under way: its answer, once there is one, is positions, a conflict or an error."""

    __slots__ = ("answer", "entries", "waiter")

    def __init__(self, entries: Request) -> None:
        self.entries = entries
        self.waiter: Task | None = None
        self.answer: Answer | None = None

    async def wait(self) -> Answer:
        """Wait until it is answered, whatever happens to the task that waits."""
        if self.answer is None:
            self.waiter = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(lambda _: Abort.FAILED)
        assert self.answer is not None
        return self.answer


class LogWriter:
    """Group commit over a log; `run` is its task, `append` what everybody else calls.

    Args:
        log: what is written.
        threads: where that blocks.
        on_commit: told of the requests of each commit, and how each was answered.
    """

    def __init__(
        self, log: Log, threads: Threads, on_commit: Callable[[Sequence[Request], Sequence[Answer]], None] | None = None
    ) -> None:
        self._log = log
        self._threads = threads
        self._on_commit = on_commit
        self._send, self._receive = trio.open_memory_channel[_Slot](MOST_WAITING)
        self.commits = 0

    @trio.lowlevel.enable_ki_protection
    async def append(self, entries: Request) -> tuple[int, ...] | Conflict:
        """Have `entries` written as one request; return their positions once durable, or the conflict.

        Raises:
            StoreUnavailable: the log could not be written; nothing of this request was stored.
        """
        slot = _Slot(entries)
        try:
            try:
                self._send.send_nowait(slot)
            except trio.WouldBlock:
                await self._send.send(slot)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise StoreUnavailable("the engine is closed", hint="open it again") from None
        answer = await slot.wait()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @trio.lowlevel.enable_ki_protection
    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until `close` is called, and whatever was handed over before that.

        Should something end this task before, such as a Ctrl-C that reaches it, nobody is left waiting for an answer.
        """
        task_status.started()
        slots: list[_Slot] = []
        try:
            with trio.CancelScope(shield=True):
                async for slot in self._receive:
                    slots = [slot]
                    await self._gather_all(slots)
                    await self._commit(slots)
        finally:
            self.close()
            closed = StoreUnavailable("the engine is closed", hint="open it again")
            slots = [slot for slot in slots if slot.answer is None]
            while self._gather(slots):
                _answer(slots, [closed] * len(slots))
                slots = []

    def close(self) -> None:
        """Take no more requests; `run` ends when those handed over are answered."""
        self._send.close()

    async def _gather_all(self, slots: list[_Slot]) -> None:
        """Add to `slots` what is handed over, and what is about to be."""
        await give_way(lambda: len(self._gather(slots)))

    def _gather(self, slots: list[_Slot]) -> list[_Slot]:
        """Add to `slots` what else is handed over, as far as one commit takes it; return them."""
        entries = sum(len(slot.entries) for slot in slots)
        while entries < MOST_ENTRIES:
            try:
                slot = self._receive.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                break
            slots.append(slot)
            entries += len(slot.entries)
        return slots

    async def _commit(self, slots: list[_Slot]) -> None:
        requests = [slot.entries for slot in slots]
        try:
            answers: Sequence[Answer] = await self._threads.run(lambda: self._log.append(requests))
            self.commits += 1
        except LadingError as error:
            answers = [error] * len(slots)
        except BaseException as error:  # whoever waits must get an answer, whatever it is
            failure = StoreUnavailable(f"the log could not be written: {error}", hint="`lading verify` looks at it")
            failure.__cause__ = error
            answers = [failure] * len(slots)
            if not isinstance(error, Exception):
                _answer(slots, answers)
                raise
        _answer(slots, answers)
        if self._on_commit is not None:
            self._on_commit(requests, answers)


def _answer(slots: Sequence[_Slot], answers: Sequence[Answer]) -> None:
    for slot, answer in zip(slots, answers, strict=True):
        slot.answer = answer
        if slot.waiter is not None:
            trio.lowlevel.reschedule(slot.waiter)
