"""The world of an incident, for an engine that decides anew: its network, disk, machine, clock and chance.

An attempt meets what the attempt of that number met then, counted from its own start: its answer after so long, bytes
as fast, the same failure. Where the record ends, or never came to that, something has to be assumed, which is counted: an
attempt that was cut short would have gone on at its pace, one beyond the last meets what the last one met. How fast
bytes came is not a matter of how many came beside them: the world gives each as much as it gave.

So that no incident is too large, the world may be made smaller: each byte then stands for `scale` bytes, all rates with
them. Contents are zeros; one that was not what its digest said then has a one at its end.
"""

from __future__ import annotations

import hashlib
import zlib
from bisect import bisect_left
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import UUID

import attrs
import trio

from lading.adapters import codec
from lading.domain import events as e
from lading.domain import requirements
from lading.domain.errors import DiskFull, TransferError
from lading.domain.faults import Cause
from lading.domain.ports import Call, Log
from lading.domain.replies import Head
from lading.domain.requests import IfExists, Order, Source
from lading.domain.requirements import Conditions
from lading.testing.chance import SeededChance
from lading.testing.clock import VirtualClock
from lading.testing.disk import ENDLESS, MemoryDisk
from lading.tools.simulator.record import Item, Record, Trial

MOST_BYTES = 16 * 1024 * 1024
"""What all contents of a world come to, at most."""
STEPS, LEAST_STEP = 16, 16 * 1024
"""A body comes in about so many pieces, or in pieces so large."""
NAMED = "download "
"""What the task of an attempt is called, before the download's id."""
LOOKS_S = 30.0
"""Who sleeps for so long looks whether something has changed, and is woken when something has."""


class Clock(VirtualClock):
    """Virtual time that begins at a minute of a day; who only looks from time to time is woken by news."""

    def __init__(self, minute: int) -> None:
        super().__init__(minute * 60 * 10**9)
        self._news = trio.Event()

    def tell(self) -> None:
        """Wake those who look from time to time: something has changed."""
        news, self._news = self._news, trio.Event()
        news.set()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        if seconds < LOOKS_S:
            await trio.sleep(seconds)
            return
        with trio.move_on_after(seconds):
            await self._news.wait()


@attrs.define
class Machine:
    """The machine as it was: whether it was online and on a metered network, and short of memory."""

    online: bool = True
    metered: bool = False
    memory: bool = False

    def look(self, *, metered: bool) -> Conditions:
        """Look at the machine."""
        return Conditions(
            online=self.online, metered=self.metered if metered else None, memory_percent=99.9 if self.memory else 0.0
        )


class Disk(MemoryDisk):
    """A disk with as much room as there was: for everything, or for the folder of one download."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.rooms: dict[str, int] = {}

    def left(self) -> int:
        """Return the room: nothing that is written here fails for the lack of it."""
        return ENDLESS

    def free(self, folder: str) -> int:
        """Return the bytes that are free for what lies in a folder."""
        return 0 if self.full else self.rooms.get(folder.rpartition("/")[2], ENDLESS)


class Chance(SeededChance):
    """Chance as it was: the delay of a retry is the share of the longest one that it was then."""

    def __init__(self, cast: Cast) -> None:
        super().__init__(0)
        self._cast = cast

    def uniform(self, low: float, high: float) -> float:
        """Return the number that was drawn for the attempt whose task asks, or one that follows from its name."""
        name = trio.lowlevel.current_task().name
        item, attempt = self._cast.named(name.removeprefix(NAMED) if name.startswith(NAMED) else "")
        trial = item.trials[attempt - 1] if item is not None and 0 < attempt <= len(item.trials) else None
        if trial is not None and trial.jitter is not None:
            return low + (high - low) * trial.jitter
        number = 0 if item is None else item.number
        return low + (high - low) * (zlib.crc32(f"{number} {attempt}".encode()) / 0xFFFFFFFF)


class Cast:
    """Who is who: downloads by their ids here, and what of an attempt is known so far."""

    def __init__(self, record: Record, log: Log) -> None:
        self._record = record
        self._log = log
        self._ids: dict[UUID, Item] = {}
        self.own: dict[UUID, UUID] = {}
        self.assumed: set[tuple[int, int]] = set()
        sizes = sum(max(0, item.total or 0) for item in record.items.values())
        self.scale = max(1, -(-sizes // MOST_BYTES))
        self.pace = self._usual_pace()

    def enter(self, item: Item, id: UUID) -> None:
        """Give a download its id here."""
        self._ids[id] = item
        self.own[item.id] = id

    def item(self, id: UUID) -> Item | None:
        """Return the download that has an id here."""
        return self._ids.get(id)

    def named(self, text: str) -> tuple[Item | None, int]:
        """Return the download of an id as text, and which attempt runs."""
        try:
            id = UUID(text)
        except ValueError:
            return None, 0
        return self._ids.get(id), self.attempt(id)[0]

    def attempt(self, id: UUID) -> tuple[int, int]:
        """Return the number of a download's last attempt, and what was held when it began, or began anew."""
        is_anew = False
        for recorded in reversed(self._log.stream(id)):
            is_anew = is_anew or recorded.topic == e.Restarted.TOPIC
            if recorded.topic == e.Started.TOPIC:
                started = codec.open_envelope(recorded).event
                assert isinstance(started, e.Started)
                return started.attempt, 0 if is_anew else started.resumed_from
        return 0, 0

    def trial(self, item: Item, attempt: int) -> Trial | None:
        """Return what an attempt meets; None: it was never tried, and nothing is known."""
        if not item.trials:
            return None
        if attempt > len(item.trials):
            self.assumed.add((item.number, attempt))
        return item.trials[min(attempt, len(item.trials)) - 1]

    def size(self, item: Item) -> int | None:
        """Return the size of a download here."""
        return None if item.total is None else self.small(max(0, item.total))

    def small(self, count: int) -> int:
        """Return how many bytes so many are here; what is something stays something."""
        return max(1, count // self.scale) if count > 0 else 0

    def order(self, item: Item) -> Order:
        """Return the order by which an engine here fetches a download, each in a folder of its own."""
        size, order = self.size(item), item.order
        digest = f"sha256:{hashlib.sha256(bytes(size)).hexdigest()}" if item.digested and size is not None else None
        sources = tuple(
            Source(url=_address(source.url, item.number, place), tier=source.tier)
            for place, source in enumerate(order.sources)
        )
        return Order(
            sources=sources,
            folder=str(item.number),
            name="file",
            digest=digest,
            priority=order.priority,
            retries=order.retries,
            connections=1,
            limit_rate=None if order.limit_rate is None else self.small(order.limit_rate),
            if_exists=IfExists.OVERWRITE,
            allow_unsized=True,
            bundle=order.bundle,
            cache=False,
        )

    def _usual_pace(self) -> float:
        """Return bytes a second over all attempts."""
        trials = [trial for item in self._record.items.values() for trial in item.trials if trial.points]
        spent_ns = sum(trial.points[-1][0] for trial in trials)
        return sum(trial.gained for trial in trials) / max(spent_ns / 1e9, 1e-3) if trials else 1e6


def _address(url: str, number: int, place: int) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{number}/{place}"


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

    @property
    def failure(self) -> Exception | None:
        """What the attempt ends with, None if that was not the world's doing."""
        trial = self.trial
        match None if trial is None else trial.ended:
            case e.RetryScheduled(cause=cause, whole_host=whole_host) if cause != Cause.DIGEST:
                wait_ns = trial.wait_ns if trial is not None and whole_host else None
                return TransferError("as it was", cause=cause, retry_after_s=None if wait_ns is None else wait_ns / 1e9)
            case e.Failed(cause=cause) if cause != Cause.DIGEST:
                return TransferError("as it was", cause=cause)
            case e.Blocked(reason="secret"):
                return TransferError("as it was", cause=Cause.SECRET)
            case e.Blocked(reason=requirements.DISK):
                return DiskFull("as it was")
            case _:
                return None

    @property
    def is_bad(self) -> bool:
        """Whether what arrives is not what the digest says."""
        return getattr(None if self.trial is None else self.trial.ended, "cause", None) == Cause.DIGEST

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
