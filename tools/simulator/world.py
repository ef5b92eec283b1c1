"""The world of an incident, for an engine that decides anew: its disk, machine, clock and chance, and who is who in it.

So that no incident is too large, the world may be made smaller: each byte then stands for `scale` bytes, and rates are
smaller with them. Contents are zeros.
"""

from __future__ import annotations

import hashlib
import zlib
from urllib.parse import urlsplit
from uuid import UUID
from weakref import WeakKeyDictionary

import attrs
import trio

from lading.adapters import codec
from lading.domain import events as e
from lading.domain.ports import Log
from lading.domain.requests import IfExists, Order, Source
from lading.domain.requirements import Conditions
from lading.testing.chance import SeededChance
from lading.testing.clock import VirtualClock
from lading.testing.disk import ENDLESS, MemoryDisk
from lading.tools.simulator.record import Item, Record, Trial

MOST_BYTES = 16 * 1024 * 1024
"""What all contents of a world come to, at most."""
NAMED = "download "
"""What the task of an attempt is called, before the download's id."""
LOOKS_S = 30.0
"""Who sleeps for so long looks whether something has changed, and is woken when something has."""


class Clock(VirtualClock):
    """Virtual time that begins at a second of a day; who only looks from time to time is woken by news."""

    def __init__(self, second: int) -> None:
        super().__init__(second * 10**9)
        self._news = trio.Event()
        self._looked: WeakKeyDictionary[trio.lowlevel.Task, trio.Event] = WeakKeyDictionary()

    def tell(self) -> None:
        """Wake those who look from time to time: something has changed."""
        news, self._news = self._news, trio.Event()
        news.set()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time; what was told since one looked last is looked for at once."""
        if seconds < LOOKS_S:
            await trio.sleep(seconds)
            return
        task = trio.lowlevel.current_task()
        with trio.move_on_after(seconds):
            await self._looked.get(task, self._news).wait()
        self._looked[task] = self._news


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
            if_exists=IfExists.OVERWRITE if order.if_exists is IfExists.OVERWRITE else IfExists.RENAME,
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
