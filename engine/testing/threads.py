"""Worker threads without threads: blocking work runs in line, in an order that only the seed decides."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import outcome
import trio

from lading.domain.ports import Hand

T = TypeVar("T")


class InlineThreads:
    """Runs the work at once, then lets other tasks run."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` and return what it returns; as with real threads, it is not begun by who is cancelled already."""
        await trio.lowlevel.checkpoint_if_cancelled()
        await trio.lowlevel.cancel_shielded_checkpoint()
        result = work()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return result

    def hand(self) -> Hand:
        """Return a hand that does all that was begun before when the result of a work is asked for, and then that."""
        return _Hand()


class _Hand:
    def __init__(self) -> None:
        self._waiting: deque[_Begun[Any]] = deque()

    def begin(self, work: Callable[[], T]) -> _Begun[T]:
        begun = _Begun(work, self._waiting)
        self._waiting.append(begun)
        return begun


class _Begun(Generic[T]):
    def __init__(self, work: Callable[[], T], waiting: deque[_Begun[Any]]) -> None:
        self._work = work
        self._waiting = waiting
        self._outcome: outcome.Value[T] | outcome.Error | None = None

    async def result(self) -> T:
        await trio.lowlevel.cancel_shielded_checkpoint()
        while self._outcome is None:
            self._waiting.popleft().do()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return self._outcome.unwrap()

    def do(self) -> None:
        self._outcome = outcome.capture(self._work)
