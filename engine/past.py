"""Questions to the past of a log: where it stood at a time, what changed between two positions, what was seen of a URL.

Each is answered by a scan in pages, which opens no more envelopes than it must, and the streams that it points at. What
there is too much of for memory, because a log has millions of downloads, goes through a scratch store that is gone with
the answer. So nothing of this costs the events that are recorded anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from uuid import UUID

import orjson

from lading.adapters import codec
from lading.domain.download import Download
from lading.domain.events import EVENTS
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.ports import Log, Recorded, Store
from lading.domain.sightings import Wanted, sightings
from lading.projections import drift
from lading.projections.differences import Difference
from lading.projections.fold import OF_DOWNLOADS
from lading.projections.keys import number, read_number

PAGE = 5_000
ROWS_AT_ONCE = 1_000
_STREAM, _ROW = b"s", b"r"
_OF_OTHERS = frozenset(topic for topic, kind in EVENTS.items() if kind not in OF_DOWNLOADS)

Scratch = Callable[[], AbstractContextManager[Store]]


def position_at(log: Log, at_ns: int) -> int:
    """Return the last position up to which no event is later than a time (UTC, ns); 0 when the first one is.

    A clock may step back; the events that it tells anew come after the latest that there was, and not before it.
    """
    reached = 0
    for page in _pages(log):
        for recorded in page:
            if codec.time_of(recorded) > at_ns:
                return reached
            reached = recorded.position
    return reached


def diff(log: Log, scratch: Scratch, before: int, after: int) -> Iterator[Difference]:
    """Walk what changed of each download between two positions, in the order in which their ids were made.

    Only the streams that have events in between are read, so it costs what lies between and not what came before.
    """
    low, high = sorted((before, after))
    with scratch() as store:
        for page in _pages(log, low, high):
            touched = Counter(recorded.stream.bytes for recorded in page if recorded.topic not in _OF_OTHERS)
            with store.write() as txn:
                for stream, count in touched.items():
                    held = txn.get(stream)
                    txn.put(stream, number(count + (0 if held is None else read_number(held))))
        with store.read() as reader:
            for key, events in reader.scan(b""):
                sides = _at(log, UUID(bytes=bytes(key)), low, high)
                yield Difference(*(sides if before <= after else sides[::-1]), read_number(events))


def sighted(log: Log, scratch: Scratch, wanted: Wanted) -> Iterator[drift.Row]:
    """Walk what was seen of a URL, in order of time, each with what had changed by then.

    Events name URLs and handles in plain words; only streams in which the wanted one is found are opened.
    """
    words = wanted.url if wanted.handle is None else wanted.handle
    needle = orjson.dumps(words)
    with scratch() as store:
        for page in _pages(log):
            naming = {recorded.stream.bytes for recorded in page if needle in recorded.state}
            if naming:
                with store.write() as txn:
                    txn.change({_STREAM + stream: b"" for stream in naming})
        _file(log, store, wanted)
        with store.read() as reader:
            yield from drift.compared(orjson.loads(value) for _, value in reader.scan(_ROW))


def _file(log: Log, store: Store, wanted: Wanted) -> None:
    """Put the sightings of all streams that were found into the store, by position."""
    last = _STREAM
    while True:
        with store.read() as reader:
            found = [bytes(key) for key, _ in _some(reader.scan(_STREAM, start=last + b"\0"), ROWS_AT_ONCE)]
        if not found:
            return
        last = found[-1]
        for key in found:
            stream = UUID(bytes=key[len(_STREAM) :])
            facts = (codec.open_envelope(recorded) for recorded in log.stream(stream))
            rows = {
                _ROW + number(sighting.fact.position): orjson.dumps(drift.row(sighting))
                for sighting in sightings(stream, facts, wanted)
            }
            if rows:
                with store.write() as txn:
                    txn.change(rows)


def _some(rows: Iterable[tuple[bytes, bytes]], count: int) -> Iterator[tuple[bytes, bytes]]:
    return (row for row, _ in zip(rows, range(count), strict=False))


def _at(log: Log, stream: UUID, low: int, high: int) -> tuple[Download | None, Download | None]:
    """Return a download as it stood at two positions."""
    state: Download | None = None
    first: Download | None = None
    for recorded in log.stream(stream):
        if recorded.position > high:
            break
        fact: Fact = codec.open_envelope(recorded)
        state = evolve(state, fact.event, stream=stream, at_ns=fact.at_ns)
        if fact.position <= low:
            first = state
    return first, state


def _pages(log: Log, after: int = 0, upto: int | None = None) -> Iterator[list[Recorded]]:
    """Walk the events behind a position, up to another, in pages."""
    while page := log.read(after, PAGE):
        kept = [recorded for recorded in page if upto is None or recorded.position <= upto]
        if kept:
            yield kept
        after = page[-1].position
        if upto is not None and after >= upto:
            return
