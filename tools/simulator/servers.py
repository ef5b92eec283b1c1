"""The servers of an incident: each attempt meets what the attempt of that number met then.

All is counted from the attempt's own start: the answer comes after so long, its bytes as fast, and it fails as it did.
Where the record ends, or never came to that, something has to be assumed, which is counted: an attempt that was cut
short would have gone on at its pace, and one beyond the last meets what the last one met. How fast bytes came is not a
matter of how many came beside them. A content that was not what its digest said has a one at its end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import trio

from lading.domain import events as e
from lading.domain import requirements
from lading.domain.errors import DiskFull, TransferError
from lading.domain.faults import Cause
from lading.domain.ports import Call
from lading.domain.replies import Head
from lading.tools.simulator.record import Item, Trial
from lading.tools.simulator.world import Cast, Clock

STEPS, LEAST_STEP = 16, 16 * 1024
"""A body comes in about so many pieces, or in pieces so large."""


class Transport:
    """Answers as the servers of the incident did."""

    name = "http"

    def __init__(self, cast: Cast, items: Mapping[int, Item], clock: Clock) -> None:
        self._cast = cast
        self._items = items
        self._clock = clock

    @asynccontextmanager
    async def exchange(self, call: Call) -> AsyncIterator[Answer]:
        """Ask, and give the answer."""
        item = self._items[int(urlsplit(call.url).path.split("/")[1])]
        attempt, held = self._cast.attempt(self._cast.own[item.id])
        trial = self._cast.trial(item, attempt)
        course = Course(self._cast, item, trial, attempt, self._clock)
        await course.answered()
        yield Answer(course, call, held)

    async def aclose(self) -> None:
        """Close nothing."""
        await trio.lowlevel.checkpoint()


class Course:
    """What an attempt meets, from now on."""

    def __init__(self, cast: Cast, item: Item, trial: Trial | None, attempt: int, clock: Clock) -> None:
        self._cast = cast
        self._clock = clock
        self._began_s = clock.monotonic()
        self.item = item
        self.trial = trial
        self.attempt = attempt
        self.size = cast.size(item)
        self._times = [at_ns / 1e9 for at_ns, _ in trial.points] if trial is not None else []
        self._gains = [gained for _, gained in trial.points] if trial is not None else []
        if trial is not None and self.is_bad and item.total is not None:  # it was all there, or nobody had judged it
            self._times.append(trial.ended_ns / 1e9)
            self._gains.append(max(self._gains[-1] if self._gains else 0, item.total - trial.held))

    @property
    def failure(self) -> Exception | None:
        """What the attempt ends with, None if that was not the world's doing."""
        trial = self.trial
        match None if trial is None else trial.ended:
            case e.RetryScheduled() | e.Failed() if self.is_bad:
                return None
            case e.RetryScheduled(cause=cause, whole_host=whole_host):
                wait_ns = trial.wait_ns if trial is not None and whole_host else None
                return TransferError("as it was", cause=cause, retry_after_s=None if wait_ns is None else wait_ns / 1e9)
            case e.Failed(cause=cause):
                return TransferError("as it was", cause=cause)
            case e.Blocked(reason="secret"):
                return TransferError("as it was", cause=Cause.SECRET)
            case e.Blocked(reason=requirements.DISK):
                return DiskFull("as it was")
            case _:
                return None

    @property
    def is_bad(self) -> bool:
        """Whether what arrives is not what the digest says; of a size that is not known, nothing can be sent."""
        is_wrong = getattr(None if self.trial is None else self.trial.ended, "cause", None) == Cause.DIGEST
        return is_wrong and self.size is not None

    async def answered(self) -> None:
        """Wait until the server answers, if it does."""
        trial = self.trial
        if trial is None:  # a download that never ran is as fast as the others
            self._cast.assumed.add((self.item.number, self.attempt))
            return
        if trial.answered_ns is None and not trial.points and self.failure is not None:
            await self.until(trial.ended_ns / 1e9)
            raise self.failure
        await self.until((trial.answered_ns or 0) / 1e9)

    async def until(self, seconds: float) -> None:
        """Wait until so long after the beginning."""
        await trio.sleep(max(0.0, self._began_s + seconds - self._clock.monotonic()))

    def arrives_s(self, gained: int) -> float | None:
        """Return when so many bytes have come in, in seconds after the beginning; None: they never do."""
        real = gained * self._cast.scale
        place = bisect_left(self._gains, real)
        if place < len(self._gains):
            low_s, low = (self._times[place - 1], self._gains[place - 1]) if place else (self._first_s, 0)
            high_s, high = self._times[place], self._gains[place]
            return low_s + (high_s - low_s) * ((real - low) / (high - low) if high > low else 1.0)
        if self.failure is not None:
            return None
        return self._goes_on_s(real)

    @property
    def _first_s(self) -> float:
        return 0.0 if self.trial is None or self.trial.answered_ns is None else self.trial.answered_ns / 1e9

    def _goes_on_s(self, real: int) -> float | None:
        """Return when bytes have come in that the record does not tell of."""
        gained, at_s = (self._gains[-1], self._times[-1]) if self._gains else (0, self._first_s)
        ended = None if self.trial is None else self.trial.ended
        if isinstance(ended, e.Completed | e.RetryScheduled | e.Failed) and real - gained < 2 * self._cast.scale:
            return at_s  # a smaller world rounds
        self._cast.assumed.add((self.item.number, self.attempt))
        if self.item.total is None:
            return None
        spent_s = at_s - self._first_s
        pace = gained / spent_s if gained and spent_s > 0 else self._cast.pace
        return at_s + (real - gained) / max(pace, 1.0)

    @property
    def reach(self) -> int | None:
        """How many bytes come in before the attempt fails, None if it does not."""
        return None if self.failure is None or self.trial is None else self.trial.gained // self._cast.scale

    async def ends(self) -> None:
        """Wait until the end of the body, or fail there."""
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            await self.fails()
        elif self.trial is not None and isinstance(self.trial.ended, e.Completed) and self._times:
            await self.until(self._times[-1])

    async def fails(self) -> None:
        """Wait for the end, and fail as it did."""
        failure = self.failure
        if failure is None or self.trial is None:
            await trio.sleep_forever()
        else:
            await self.until(self.trial.ended_ns / 1e9)
            raise failure


class Answer:
    """A body of zeros that comes in as fast as the course says; beyond a failure nothing comes."""

    def __init__(self, course: Course, call: Call, held: int) -> None:
        self._course = course
        item, trial, size = course.item, course.trial, course.size
        is_afresh = trial is not None and trial.afresh
        is_range = call.range is not None and size is not None and not is_afresh
        self._at = call.start if is_range else 0
        self._end = min(size, call.end) if is_range and size is not None and call.end is not None else size
        self._held = held if is_range else 0
        headers = {"etag": f'"{course.attempt if is_afresh else 0}"'} if item.provable else {}
        if item.sized and size is not None:
            headers["content-length"] = str((self._end or 0) - self._at)
        if is_range:
            headers["content-range"] = f"bytes {self._at}-{(self._end or 0) - 1}/{size}"
        self.head = Head(status=206 if is_range else 200, headers=headers, url=call.url, framed=item.framed)

    async def receive_into(self, buffer: memoryview) -> int:
        """Give the next bytes when they are there."""
        if self._end is not None and self._at >= self._end:
            await self._course.ends()
            return 0
        count = self._count(len(buffer))
        due_s = None if not count else self._course.arrives_s(max(0, self._at + count - self._held))
        if due_s is None:
            await self._course.fails()
        else:
            await self._course.until(due_s)
        buffer[:count] = bytes(count)
        self._at += count
        if self._at == self._course.size and self._course.is_bad:
            buffer[count - 1] = 1
        return count

    def _count(self, most: int) -> int:
        """Return how many bytes come next: never past the end, nor past what came before a failure."""
        size = self._course.size or 0
        count = min(most, max(LEAST_STEP, size // STEPS))
        if self._end is not None:
            count = min(count, self._end - self._at)
        reach = self._course.reach
        return count if reach is None else min(count, max(0, self._held + reach - self._at))
