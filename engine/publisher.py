"""Publishing in groups: thousands of small files are not thousands of waits for the disk.

Whoever has a file to publish while others of the same storage are being published waits for those, and goes then
together with all who came meanwhile, in one step: all are written, the kernel begins with all of them, all are flushed,
all get their names, and a folder is flushed once. Each storage has a group of its own, so that nobody waits for a disk
on which he has no file.
"""

from __future__ import annotations

from collections import deque

import trio
from trio.lowlevel import Abort, Task

from lading.domain.disks import Disk, Publication
from lading.domain.ports import Threads
from lading.gathering import MOST_TOGETHER, give_way
from lading.holding import Holding


class _Wish:
    """A file to be published; `answer` is whether it was, or why it could not be, None as long as nobody knows."""

    __slots__ = ("answer", "expected", "final", "held", "replace", "task")

    def __init__(self, held: Holding, final: str, expected: str | None, *, replace: bool) -> None:
        self.held = held
        self.final = final
        self.expected = expected
        self.replace = replace
        self.task: Task = trio.lowlevel.current_task()
        self.answer: bool | BaseException | None = None


class Publisher:
    """Gives files their final names, many at a time; for the tasks of one event loop."""

    def __init__(self, disk: Disk, threads: Threads) -> None:
        self._disk = disk
        self._threads = threads
        self._waiting: dict[str, deque[_Wish]] = {}

    @trio.lowlevel.enable_ki_protection
    async def publish(self, storage: str, held: Holding, final: str, expected: str | None, *, replace: bool) -> bool:
        """Publish what is held, if the whole has the digest that is `expected`, and tell whether it has.

        It cannot be cancelled: once this has begun, the file gets its name or this tells why not.

        Raises:
            DestinationTaken: something else lies at `final`.
            DiskFull, InvalidDestination, OSError: the disk failed; nothing was published.
        """
        wish = _Wish(held, final, expected, replace=replace)
        others = self._waiting.get(storage)
        if others is None:
            others = self._waiting[storage] = deque()
        else:
            others.append(wish)
            await trio.lowlevel.wait_task_rescheduled(lambda _: Abort.FAILED)
        if wish.answer is None:
            await give_way(others.__len__)
            group = [wish, *(others.popleft() for _ in range(min(len(others), MOST_TOGETHER - 1)))]
            await self._publish_group(storage, group)
        if isinstance(wish.answer, BaseException):
            raise wish.answer
        assert wish.answer is not None
        return wish.answer

    async def _publish_group(self, storage: str, group: list[_Wish]) -> None:
        """Publish a group, the first of which is the caller's, and let the first of those that came meanwhile go on."""
        try:
            with trio.CancelScope(shield=True):
                await self._threads.run(lambda: self._publish(group))
        except BaseException as error:  # whoever waits must get an answer, whatever it is
            for wish in group:
                wish.answer = wish.answer if wish.answer is not None else error
            raise
        finally:
            for wish in group[1:]:
                trio.lowlevel.reschedule(wish.task)
            waiting = self._waiting[storage]
            if waiting:
                trio.lowlevel.reschedule(waiting.popleft().task)
            else:
                del self._waiting[storage]

    def _publish(self, group: list[_Wish]) -> None:
        ready: list[tuple[_Wish, Publication]] = []
        for wish in group:
            try:
                part = wish.held.prepare(wish.expected)
                if part is None:
                    wish.answer = False
                else:
                    ready.append((wish, Publication(part, wish.final, wish.replace)))
            except Exception as error:  # noqa: BLE001 # whatever it is, it is told to who wished it, and keeps nobody else
                wish.answer = error
        told = self._disk.publish([publication for _, publication in ready])
        for (wish, _), why in zip(ready, told, strict=True):
            wish.answer = why or True
