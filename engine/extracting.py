"""Tables of a home as pages: what exports, checks of exports and SQL all read, each with memory for one page.

Events are taken apart without being decoded: the envelope by its fixed fields, the payload kept as the JSON text that
it is. That costs a few microseconds an event, and what is exported is what was recorded. Rows of views are made at one
position: that of the views as they are, or an earlier one, for which the log is folded once more up to there.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import orjson

from lading.adapters import codec
from lading.adapters.lmdb.residency import give_back
from lading.collector import resting
from lading.current import stand
from lading.domain.errors import LogDamaged, UsageError
from lading.domain.ports import Reader, Recorded
from lading.projections.batch import RowCodec
from lading.projections.instants import iso
from lading.projections.renderings import json_lines
from lading.projections.tables import EVENTS_SCHEMA, NAMES, OF_LOG, VIEWS, Column, Row, event_name
from lading.reading import Reading
from lading.views import ROWS

PAGE = 5_000
EASE_PAGES = 10
"""After so many pages of events what was read of the log's map is given back."""
_AT = 1
"""The column of an event's time."""


class Page(NamedTuple):
    """Some rows of a table: a sequence of values for each column, and the same rows as JSON lines."""

    values: Sequence[Sequence[Any]]
    lines: Sequence[bytes]

    def rows(self) -> Iterator[Row]:
        """Walk the rows."""
        return zip(*self.values, strict=True)

    def cut(self, start: int, end: int) -> Page:
        """Return some of the rows."""
        return Page([held[start:end] for held in self.values], self.lines[start:end])


@attrs.frozen
class Extract:
    """A table of a home: its rows whose position is greater than `after`, as it stood at the position `upto`.

    Attributes:
        view: the name of the table.
        columns: what its rows have.
        schema: the version of these columns.
        after, upto: the positions that it covers.
        pages: walks it.
    """

    view: str
    columns: Sequence[Column]
    schema: int
    after: int
    upto: int
    pages: Callable[[], Iterator[Page]]


@contextmanager
def extract(reading: Reading, view: str, *, after: int = 0, upto: int | None = None) -> Iterator[Extract]:
    """Open a table of a home at a position, that of now by default; the extract is good within the context only.

    Raises:
        UsageError: there is no such table, or the log has not come so far.
    """
    if view not in NAMES:
        raise UsageError(f"there is no view {view!r}", hint=f"one of {', '.join(NAMES)}")
    head = reading.log.head()
    if upto is not None and upto > head:
        raise UsageError(f"the log has not come to position {upto}", hint=f"its last event has position {head}")
    if view == "events":
        last = head if upto is None else upto
        pages = functools.partial(_events, reading, after, last)
        yield Extract(view, OF_LOG, EVENTS_SCHEMA, after, last, pages)
        return
    reading.catch_up()
    with ExitStack() as opened:
        reader = opened.enter_context(reading.views.read())
        at, _ = stand(reader)
        if upto is not None and upto < at:
            opened.close()
            reader, at = opened.enter_context(reading.views.as_of(upto)), upto
        look = _Look(reading, reader, at)
        table = VIEWS[view]
        yield Extract(view, table.columns, table.schema, after, at, functools.partial(_rows, look, view, after))


class _Look:
    """What `lading.projections.tables` asks of a home."""

    def __init__(self, reading: Reading, reader: Reader, position: int) -> None:
        self._reading = reading
        self.reader = reader
        self.position = position
        self.codec: RowCodec = ROWS

    def positions(self, stream: UUID, after: int = 0) -> list[tuple[int, str]]:
        return [(found.position, found.topic) for found in self._reading.log.stream(stream, after)]


def _rows(look: _Look, view: str, after: int) -> Iterator[Page]:
    table = VIEWS[view]
    changed = (row for row in table.walk(look) if row[0] > after)
    while rows := list(itertools.islice(changed, PAGE)):
        give_back()
        yield Page(list(zip(*rows, strict=True)), json_lines(table.columns, rows))


def _events(reading: Reading, after: int, upto: int) -> Iterator[Page]:
    read = 0
    while after < upto:
        with resting():
            found = reading.log.read(after, PAGE)
            if found and found[-1].position > upto:
                found = [recorded for recorded in found if recorded.position <= upto]
            if not found:
                return
            after = found[-1].position
            page = events_page(found)
            del found
        read += 1
        if read % EASE_PAGES == 0:
            give_back()
        yield page


def events_page(found: Iterable[Recorded]) -> Page:
    """Return recorded events as rows of the table `events`.

    Raises:
        StoreNewer: a topic or an envelope of a later version.
        LogDamaged: not an envelope.
    """
    values: list[Row] = []
    lines: list[bytes] = []
    add, add_line, take_apart = values.append, lines.append, codec.take_apart
    seconds: dict[int, str] = {}
    streams: dict[UUID, str] = {}
    for position, stream, version, topic, state in found:
        at_ns, event, words, data = take_apart(position, state)
        try:
            (actor, host, correlation, causation), caused = _context(words)
        except (ValueError, TypeError, AttributeError) as error:
            raise LogDamaged(f"event {position} cannot be read: its context is none", position=position) from error
        id = streams.get(stream)
        if id is None:
            id = streams[stream] = str(stream)
        digits = event.hex()
        event_id = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        name, named = _name(topic)
        at_us = at_ns // 1000
        second = at_us // 1_000_000
        instant = seconds.get(second)
        if instant is None:
            instant = seconds[second] = (iso(second * 10**9) or "")[:20]
        add((position, at_us, id, version, name, topic, event_id, actor, host, correlation, causation, data))
        head = (
            f'{{"position":{position},"recorded_at":"{instant}{at_us % 1_000_000:06}Z","id":"{id}",'
            f'"version":{version},{named},"event_id":"{event_id}",{caused},"data":'
        )
        add_line(b"%b%b}\n" % (head.encode(), data))
    return Page(list(zip(*values, strict=True)), lines)


@functools.lru_cache(maxsize=1024)
def _name(topic: str) -> tuple[str, str]:
    name = event_name(topic)
    return name, f'"event":"{name}","topic":"{topic}"'


@functools.lru_cache(maxsize=4096)
def _context(words: bytes) -> tuple[tuple[str, str, str | None, str | None], str]:
    """Return who caused events and why, as values and as JSON."""
    held: Any = orjson.loads(words) if words else {}
    caused = {
        "actor": held.get("actor", ""),
        "host": held.get("host", ""),
        **{name: str(UUID(hex=held[name])) if name in held else None for name in ("correlation", "causation")},
    }
    return tuple(caused.values()), orjson.dumps(caused).decode()[1:-1]


def days(page: Page, clock_us: int) -> Iterator[tuple[int, Page, int]]:
    """Cut a page of events by the day (UTC) to which the log had come; yield the day, its rows, and the clock then.

    Clocks step back, the days of a log do not: it is the day of the latest time up to then that counts.
    """
    times = page.values[_AT]
    start = 0
    while start < len(times):
        clock_us = max(clock_us, times[start])
        day = clock_us // DAY_US
        end_us = (day + 1) * DAY_US
        end = next((at for at in range(start, len(times)) if times[at] >= end_us), len(times))
        clock_us = max(clock_us, *times[start:end]) if end - start > 1 else clock_us
        yield day, page.cut(start, end) if end - start < len(times) else page, clock_us
        start = end


DAY_US = 86_400 * 1_000_000
