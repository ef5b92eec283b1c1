"""Tables: what is exported of the log and of the views, as columns with a type and rows in a settled order.

A row is a tuple in the order of its columns. Times are microseconds since 1970 (UTC), an absent value is None. Nothing
in a row depends on the moment at which it is read: rates, estimates and sentences are left out, so that the same log
gives the same rows at the same position for ever, and an export can be checked years later.

`position` says of each row which event made it what it is: that of the event itself, else the last one of the download.
So what has changed behind a position can be told from what has not, and a reader of several exports of one view keeps
of each id the row with the greatest position.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from lading.domain import urls
from lading.domain.download import Download
from lading.domain.errors import StoreNewer, ViewsDamaged
from lading.domain.events import EVENTS as KINDS
from lading.domain.events import Started
from lading.domain.ports import Reader
from lading.domain.upcasting import UPCASTERS
from lading.projections import failures, history, progress, statistics
from lading.projections.batch import RowCodec
from lading.projections.keys import read_number, read_word

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

KNOWN = frozenset({*KINDS, *UPCASTERS})
"""The topics that there are, and those that there were."""


class Kind(enum.StrEnum):
    """What a column holds. A word is text of which there are few different ones; JSON is its text, as bytes."""

    INT = "int"
    TEXT = "text"
    WORD = "word"
    TEXTS = "texts"
    TIME = "time"
    FLAG = "flag"
    JSON = "json"


class Column(NamedTuple):
    """A column: its name and what it holds."""

    name: str
    kind: Kind


class Look(Protocol):
    """A consistent look at the views, and what the log tells of the streams in them."""

    @property
    def reader(self) -> Reader: ...  # noqa: D102
    @property
    def codec(self) -> RowCodec: ...  # noqa: D102
    @property
    def position(self) -> int:
        """How far the views have come."""
        ...

    def positions(self, stream: UUID, after: int = 0) -> Sequence[tuple[int, str]]:
        """Return position and topic of the events of a stream behind a version."""
        ...


Row = tuple[Any, ...]


class Table(NamedTuple):
    """A table: its name, its columns, and what walks its rows; `schema` goes up when these change."""

    name: str
    columns: Sequence[Column]
    walk: Callable[[Look], Iterator[Row]]
    schema: int = 1


def _columns(**kinds: Kind) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name, kind in kinds.items())


OF_LOG = _columns(
    position=Kind.INT, recorded_at=Kind.TIME, id=Kind.TEXT, version=Kind.INT, event=Kind.WORD, topic=Kind.WORD,
    event_id=Kind.TEXT, actor=Kind.WORD, host=Kind.WORD, correlation=Kind.TEXT, causation=Kind.TEXT, data=Kind.JSON,
)  # fmt: skip
"""The log itself. Topic and data are as they were recorded, whatever later versions make of old shapes. `recorded_at`
is what `lading log` calls `at`, which is a keyword in some dialects of SQL."""

EVENTS_SCHEMA = 1

_ENDED = _columns(
    position=Kind.INT, id=Kind.TEXT, url=Kind.TEXT, host=Kind.WORD, tags=Kind.TEXTS, started_at=Kind.TIME,
    ended_at=Kind.TIME, bytes=Kind.INT, success=Kind.FLAG, error=Kind.TEXT, cause=Kind.WORD, digest=Kind.TEXT,
    assurance=Kind.WORD, path=Kind.TEXT, transport=Kind.WORD, attempts=Kind.INT, state=Kind.WORD,
)  # fmt: skip
_DOWNLOADS = _columns(
    position=Kind.INT, id=Kind.TEXT, key=Kind.TEXT, url=Kind.TEXT, host=Kind.WORD, state=Kind.WORD, received=Kind.INT,
    total=Kind.INT, path=Kind.TEXT, priority=Kind.INT, tags=Kind.TEXTS, attempts=Kind.INT, error=Kind.TEXT,
    cause=Kind.WORD, blocked=Kind.WORD, not_before=Kind.TIME, bundle=Kind.TEXT, added_at=Kind.TIME,
    updated_at=Kind.TIME,
)  # fmt: skip
_FIGURES = _columns(position=Kind.INT, name=Kind.WORD, label=Kind.WORD, value=Kind.INT)


def _us(at_ns: int | None) -> int | None:
    return None if at_ns is None else at_ns // 1000


def instant_us(text: str | None) -> int | None:
    """Return an instant, as views show it, in microseconds."""
    return None if text is None else (dt.datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


@functools.lru_cache(maxsize=1024)
def event_name(topic: str) -> str:
    """Return the name of the events of a topic, `RetryScheduled`; a topic says it in each of its versions.

    Raises:
        StoreNewer: no version up to this one has such a topic.
    """
    if topic not in KNOWN:
        raise StoreNewer(f"the log holds events of the kind {topic!r}, which this version does not know")
    return "".join(word.capitalize() for word in topic.split(".")[1].split("-"))


def _pick(columns: Sequence[Column], row: Mapping[str, Any]) -> Row:
    return tuple(row[column.name] for column in columns)


def _last(look: Look, download: Download) -> int:
    """Return the position of the event that made a download what it is."""
    found = look.positions(download.id, download.version - 1)
    if not found:
        raise ViewsDamaged(f"the log lacks version {download.version} of {download.id}", stream=download.id)
    return found[0][0]


def _history(look: Look) -> Iterator[Row]:
    for key, _ in look.reader.scan(history.ENDING):
        download = _get(look, UUID(bytes=bytes(key[-16:])))
        row = history.row(download)
        row |= {
            "position": _last(look, download),
            "host": urls.host(download.order.url),
            "cause": None if row["error"] is None else download.cause,
            "started_at": _us(download.started_at_ns),
            "ended_at": _us(download.ended_at_ns),
        }
        yield _pick(_ENDED, row)


def _attempts(look: Look) -> Iterator[Row]:
    """Walk all attempts, download by download, the first first; `position` is that of the last event of each."""
    previous: bytes | None = None
    for key, _ in look.reader.scan(history.ATTEMPT):
        stream = bytes(key[len(history.ATTEMPT) :][:16])
        if stream == previous:
            continue
        previous = stream
        id = UUID(bytes=stream)
        last = _ends(look, id)
        for row in reversed(list(history.attempts(look.reader, id, look.codec))):
            error = row["error"]
            row |= {
                "position": last[row["attempts"] - 1],
                "host": urls.host(row["url"]),
                "cause": None if error is None else error.partition(": ")[0],
                "started_at": instant_us(row["started_at"]),
                "ended_at": instant_us(row["ended_at"]),
            }
            yield _pick(_ENDED, row)


def _ends(look: Look, id: UUID) -> list[int]:
    """Return of each attempt the position of the last event that had anything to do with it."""
    found: list[int] = []
    for position, topic in look.positions(id):
        if position > look.position:
            break
        name = event_name(topic)
        if name == Started.__name__:
            found.append(position)
        elif found and name in history.KINDS_OF_ATTEMPTS:
            found[-1] = position
    return found


def _progress(look: Look) -> Iterator[Row]:
    for id in progress.ids(look.reader):
        yield _download(look, _get(look, id))


def _queue(look: Look) -> Iterator[Row]:
    for id in progress.ids(look.reader):
        download = _get(look, id)
        if not download.ended:
            yield _download(look, download)


def _failures(look: Look) -> Iterator[Row]:
    for id in failures.failed(look.reader):
        yield _download(look, _get(look, id))


def _download(look: Look, download: Download) -> Row:
    row = progress.listing(download, download.updated_at_ns)
    row |= {
        "position": _last(look, download),
        "host": urls.host(download.order.url),
        "cause": None if row["error"] is None else download.cause,
        "blocked": download.blocked,
        "not_before": _us(download.not_before_ns),
        "added_at": _us(download.added_at_ns),
        "updated_at": _us(download.updated_at_ns),
    }
    return _pick(_DOWNLOADS, row)


def _figures(look: Look) -> Iterator[Row]:
    """Walk counters and gauges; all of them, as they stand at the position of the views."""
    for prefix in (statistics.COUNTER, statistics.GAUGE):
        for key, value in look.reader.scan(prefix):
            rest = bytes(key[len(prefix) :])
            name = read_word(rest)
            label = read_word(rest[1 + rest[0] :]) if prefix == statistics.COUNTER else ""
            yield look.position, name, label or None, read_number(value)


def _get(look: Look, id: UUID) -> Download:
    download = progress.get(look.reader, id, look.codec)
    if download is None:
        raise ViewsDamaged(f"the views lack the download {id}", stream=id)
    return download


VIEWS: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table("history", _ENDED, _history),
        Table("attempts", _ENDED, _attempts),
        Table("queue", _DOWNLOADS, _queue),
        Table("progress", _DOWNLOADS, _progress),
        Table("failures", _DOWNLOADS, _failures),
        Table("statistics", _FIGURES, _figures),
    )
}
"""The views that have rows, by name: how downloads ended and the latest end last; every attempt of each; what has not
ended yet; every download; what is failed now; and the counters."""
NAMES = ("events", *VIEWS)
