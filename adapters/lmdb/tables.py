"""The tables of one log within an environment, and how events are put into them.

    log     position → record                    what happened, in order
    idx     stream ‖ version → position          where a stream's events are
    topic   number → name                        so that a record names its topic in four bytes
    snap    stream ‖ version → record            snapshots, which have no position
    trk     name → position                      how far a follower has come

All numbers are big-endian, so that byte order is their order. Several logs can share an environment, each under a
prefix. The next position is the last key and one, found in the transaction that uses it, so one that is undone
burns nothing.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import attrs

from lading.adapters.lmdb.environment import Environment
from lading.adapters.lmdb.record import (
    Event,
    Row,
    UnknownTopic,
    choose,
    decode,
    encode,
    number,
    pack_number,
    topic_code,
)
from lading.adapters.lmdb.settlement import write_surely
from lading.domain.errors import LogDamaged

if TYPE_CHECKING:
    from lmdb import Cursor, Transaction

T = TypeVar("T")

VERSION_MAX = 2**64 - 1
_TOPIC = itemgetter(2)
SCAN_PAGE = 4096


class VersionTaken(Exception):
    """A stream has an event of this version already; nothing of the transaction may be committed."""


class Topics:
    """The names of topics by number and back, as far as this process has seen them; the table is only added to."""

    def __init__(self, environment: Environment, table: bytes) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._environment = environment
        self._table = table
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Learn the topics that other processes have added."""
        self._environment.read(self._catch_up)

    def number_all(self, txn: Transaction[bytes], names: Iterable[str]) -> dict[str, int]:
        """Return the numbers of these topics, giving numbers to new ones; call it once in a write transaction.

        What is new is remembered only when it is next read, so that a transaction that is undone leaves no trace
        here.
        """
        missing = set(names) - self._numbers.keys()
        if not missing:
            return self._numbers
        self._catch_up(txn)
        numbers = dict(self._numbers)
        table = self._environment.tables[self._table]
        for name in sorted(missing - numbers.keys()):
            numbers[name] = len(numbers)
            if not txn.put(pack_number(numbers[name]), name.encode(), append=True, db=table):
                raise LogDamaged("the table of topics is out of order")
        return numbers

    def codes(self, txn: Transaction[bytes], names: Iterable[str]) -> frozenset[bytes]:
        """Return the numbers of those of these topics that were ever recorded, as records carry them."""
        names = list(names)
        if any(name not in self._numbers for name in names):
            self._catch_up(txn)
        return frozenset(topic_code(self._numbers[name]) for name in names if name in self._numbers)

    def _catch_up(self, txn: Transaction[bytes]) -> None:
        with self._lock:
            cursor = txn.cursor(self._environment.tables[self._table])
            if not cursor.set_range(pack_number(len(self.names))):
                return
            for key, value in cursor:
                if number(key) != len(self.names):
                    raise LogDamaged(f"the table of topics lacks the number {len(self.names)}")
                name = value.decode()
                self._numbers[name] = len(self.names)
                self.names.append(name)


@attrs.frozen
class Span:
    """Versions of one stream, in one direction; `limit` None for all."""

    prefix: bytes
    first: int = 0
    last: int = VERSION_MAX
    descending: bool = False
    limit: int | None = None

    def items(self, cursor: Cursor[bytes]) -> list[tuple[bytes, bytes]]:
        """Return the keys and values of this span under the cursor of an index."""
        if self.last < 0 or self.first > self.last:
            return []
        low = self.prefix + pack_number(max(self.first, 0))
        high = self.prefix + pack_number(self.last)
        if self.descending:
            # A set_range that fails leaves the cursor nowhere, and iterating would then begin at the first key.
            found = (cursor.key() == high or cursor.prev()) if cursor.set_range(high) else cursor.last()
            walk = takewhile(lambda item: item[0] >= low, cursor.iterprev())
        else:
            found = cursor.set_range(low)
            walk = takewhile(lambda item: item[0] <= high, cursor.iternext())
        return list(islice(walk, self.limit)) if found else []


class Page(NamedTuple):
    """Records from one look at the log: up to which position it looked, and whether nothing lies beyond."""

    items: list[tuple[bytes, bytes]]
    scanned: int
    is_last: bool


class EventTables:
    """The tables of one log, under their names in the environment."""

    def __init__(self, environment: Environment, prefix: str = "") -> None:
        self.environment = environment
        self.log, self.idx, self.topic, self.snap, self.trk = (
            (f"{prefix}.{name}" if prefix else name).encode() for name in ("log", "idx", "topic", "snap", "trk")
        )
        self.topics = Topics(environment, self.topic)
        self._is_open = False

    def open(self, *, create: bool = True) -> None:
        """See to it that the tables are there.

        Raises:
            StoreUnavailable: one is missing, and `create` is not set.
        """
        self.environment.open_tables((self.log, self.idx, self.topic, self.snap, self.trk), create=create)
        self._is_open = True

    def read(self, work: Callable[[Transaction[bytes]], T]) -> T:
        """Return what `work` finds in a read transaction; see `Environment.read`."""
        if not self._is_open:
            self.open(create=False)
        return self.environment.read(work)

    def write(self, work: Callable[[Transaction[bytes]], None], landed: Callable[[Transaction[bytes]], bool]) -> None:
        """Run `work` in a write transaction, durable on return; see `settlement.write_surely`."""
        if not self._is_open:
            self.open(create=False)
        write_surely(self.environment, work, landed)

    def rows(self, items: Sequence[tuple[bytes, bytes]]) -> list[Row]:
        """Return decoded records; see `record.decode`."""
        try:
            return decode(items, self.topics.names)
        except UnknownTopic:
            self.topics.refresh()
            return decode(items, self.topics.names)

    def cursor(self, txn: Transaction[bytes], name: bytes) -> Cursor[bytes]:
        """Return a cursor over one of the tables."""
        return txn.cursor(self.environment.tables[name])

    def last_position(self, txn: Transaction[bytes]) -> int:
        """Return the position of the last event, 0 when there is none."""
        cursor = self.cursor(txn, self.log)
        return number(cursor.key()) if cursor.last() else 0

    def records_from(self, txn: Transaction[bytes], start: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Return up to `limit` packed positions and records of the log, from the packed position `start` on."""
        cursor = self.cursor(txn, self.log)
        return list(islice(cursor, limit)) if cursor.set_range(start) else []

    def page(self, txn: Transaction[bytes], after: int, limit: int, stop: int | None, topics: Sequence[str]) -> Page:
        """Return up to `limit` records after a position and up to `stop`, of `topics` if any are named.

        With topics, one page looks through at most `SCAN_PAGE` records, so that no transaction lasts long.
        """
        count = SCAN_PAGE if topics else limit
        items = self.records_from(txn, pack_number(after + 1), count)
        is_last = len(items) < count
        if stop is not None and items and items[-1][0] > pack_number(stop):
            del items[bisect_right(items, pack_number(stop), key=itemgetter(0)) :]
            is_last = True
        scanned = number(items[-1][0]) if items else after
        if topics:
            items = choose(items, self.topics.codes(txn, topics))
            if len(items) > limit:
                del items[limit:]
                scanned, is_last = number(items[-1][0]), False
        return Page(items, scanned, is_last)

    def events_of(self, txn: Transaction[bytes], span: Span) -> list[tuple[bytes, bytes]]:
        """Return the packed positions and records of a span of a stream's events.

        Raises:
            LogDamaged: the index names a position that the log does not have.
        """
        positions = [position for _, position in span.items(self.cursor(txn, self.idx))]
        records: list[tuple[bytes, bytes]] = self.cursor(txn, self.log).getmulti(positions)
        if len(records) != len(positions):
            raise LogDamaged(f"the index under {span.prefix.hex()} names a position that the log does not have")
        return records

    def snapshots_of(self, txn: Transaction[bytes], span: Span) -> list[tuple[bytes, bytes]]:
        """Return the keys and records of a span of a stream's snapshots."""
        return span.items(self.cursor(txn, self.snap))

    def put_events(self, txn: Transaction[bytes], events: Sequence[Event]) -> range:
        """Put events at the end of the log and return their positions; call it once in a transaction.

        Raises:
            VersionTaken: one of them is there already, or twice among these.
            LogDamaged: the log takes no record at its end.
        """
        keys, records = encode(events, self.topics.number_all(txn, map(_TOPIC, events)))
        first = self.last_position(txn) + 1
        positions = range(first, first + len(records))
        packed = list(map(pack_number, positions))
        put_new(self.cursor(txn, self.idx), keys, packed)
        _, added = self.cursor(txn, self.log).putmulti(zip(packed, records, strict=True), append=True)
        if added != len(records):
            raise LogDamaged(f"the log takes no record at position {first + added}: its order is damaged")
        return positions

    def put_snapshots(self, txn: Transaction[bytes], events: Sequence[Event]) -> None:
        """Put events that have no position; call it once in a transaction.

        Raises:
            VersionTaken: one of them is there already, or twice among these.
        """
        put_new(self.cursor(txn, self.snap), *encode(events, self.topics.number_all(txn, map(_TOPIC, events))))


def put_new(cursor: Cursor[bytes], keys: list[bytes], values: list[bytes]) -> None:
    """Put values under keys that are all new.

    Raises:
        VersionTaken: one of the keys is there already.
    """
    _, added = cursor.putmulti(zip(keys, values, strict=True), overwrite=False)
    if added != len(keys):
        raise VersionTaken


def last_version(index: Cursor[bytes], prefix: bytes) -> int | None:
    """Return the last version under a stream's prefix, None when there is none."""
    last = Span(prefix, descending=True, limit=1).items(index)
    return number(last[0][0][-8:]) if last else None
