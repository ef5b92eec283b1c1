"""Questions that block, answered many at a time: thousands of small files are not thousands of works for a thread.

Whoever asks while others are being answered waits for that, and goes then together with all who came meanwhile, in one
work: it is found, begun and told once, and what they want alike, such as which storage their folder is on, is looked
up once. Only what is about one place is answered together: nobody waits for a disk on which he has no file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import trio
from trio.lowlevel import Abort, Task

from lading.domain.ports import Threads

MOST_TOGETHER = 64
MOST_ROUNDS = 4
"""For so many rounds of the event loop does the first of a group give way, as long as each brings somebody."""

Q = TypeVar("Q")
A = TypeVar("A")


async def give_way(waiting: Callable[[], int]) -> None:
    """Let those come along who are about to: go on after a round of the event loop that has brought nobody.

    What begins with one of many takes as long as with all of them, and keeps the rest waiting for the whole of it: of
    sixteen files that arrived at the same moment, one would be published first, and then the other fifteen.

    Args:
        waiting: tells how many there are.
    """
    seen = -1
    for _ in range(MOST_ROUNDS):
        now = waiting()
        if now <= seen:
            return
        seen = now
        await trio.lowlevel.cancel_shielded_checkpoint()


class _Asked(Generic[Q, A]):
    """A question under way: `answer` is None as long as nobody knows it, a list of one, or why there is none."""

    __slots__ = ("answer", "question", "task")

    def __init__(self, question: Q) -> None:
        self.question = question
        self.task: Task = trio.lowlevel.current_task()
        self.answer: list[A] | BaseException | None = None


class Gathering(Generic[Q, A]):
    """Answers the questions of the tasks of one event loop.

    Args:
        threads: where they are answered.
        answer: answers several about one place, in their order, each with what it is or the error to raise; may block.
    """

    def __init__(self, threads: Threads, answer: Callable[[Sequence[Q]], Sequence[A | Exception]]) -> None:
        self._threads = threads
        self._answer = answer
        self._waiting: dict[str, deque[_Asked[Q, A]]] = {}

    @trio.lowlevel.enable_ki_protection
    async def ask(self, place: str, question: Q) -> A:
        """Return the answer to a question about a place; once this has begun to wait, it cannot be cancelled.

        Raises:
            Exception: whatever answers this question.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        asked = _Asked[Q, A](question)
        others = self._waiting.get(place)
        if others is None:
            others = self._waiting[place] = deque()
        else:
            others.append(asked)
            await trio.lowlevel.wait_task_rescheduled(lambda _: Abort.FAILED)
        if asked.answer is None:
            await give_way(others.__len__)
            group = [asked, *(others.popleft() for _ in range(min(len(others), MOST_TOGETHER - 1)))]
            await self._answer_all(place, group)
        if isinstance(asked.answer, BaseException):
            raise asked.answer
        assert asked.answer is not None
        return asked.answer[0]

    async def _answer_all(self, place: str, group: list[_Asked[Q, A]]) -> None:
        """Answer a group, the first of which is the caller's, and let the first of those that came meanwhile go on."""
        try:
            with trio.CancelScope(shield=True):
                answers = await self._threads.run(lambda: self._answer([asked.question for asked in group]))
            for asked, answer in zip(group, answers, strict=True):
                asked.answer = answer if isinstance(answer, Exception) else [answer]
        except BaseException as error:  # whoever waits must get an answer, whatever it is
            for asked in group:
                asked.answer = asked.answer if asked.answer is not None else error
            raise
        finally:
            for asked in group[1:]:
                trio.lowlevel.reschedule(asked.task)
            waiting = self._waiting[place]
            if waiting:
                trio.lowlevel.reschedule(waiting.popleft().task)
            else:
                del self._waiting[place]
