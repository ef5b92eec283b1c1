"""A log over any recorder of the eventsourcing library: in memory, SQLite, PostgreSQL, or an extension's.

A recorder refuses a version that is there already, and nothing else: a stream may skip versions there, and one
duplicate fails everything that was inserted with it. So versions are read before, requests that do not continue their
streams are answered `Conflict` and left out, and the rest goes in as one insert. When somebody else was faster in
between, all are judged again on what the streams hold now: he costs one request its place, and one append stays one
commit.

The library retries an insert whose connection broke, and then meets its own first try as a duplicate; so before
anything is called a conflict or a failure, the log is asked whether it holds just these bytes already. Whoever follows
a log polls `head` and `read`: not every recorder has subscriptions, and positions may have gaps.

Most databases hold what they are given, of whatever type, and anybody may give them something. So a page of rows is
believed only after a look at it as a whole, and where it is not what was written, the first such row is searched for.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from eventsourcing.domain import EventSourcingError
from eventsourcing.persistence import ApplicationRecorder, IntegrityError, Notification, StoredEvent

from lading.domain.errors import InvalidSetting, LadingError, LogDamaged, StoreUnavailable
from lading.domain.ports import Conflict, Entry, Recorded

MOST_ROUNDS = 16
PAGE = 1000
_KINDS = {"version": int, "topic": str, "state": bytes}
"""Of what types those fields of a record are that nobody makes so."""
_SOUND = tuple({kind} for kind in _KINDS.values())
_MISREAD = (TypeError, ValueError, ArithmeticError, AttributeError, LookupError)
"""What is raised by whoever takes a field for what it is not."""
_made = functools.partial(tuple.__new__, Recorded)


@runtime_checkable
class Indexed(Protocol):
    """A recorder that can answer, from an index, two questions that the library's interface leaves open."""

    def last_versions(self, streams: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the last version of each of these streams that has one."""
        ...

    def select_stream(self, stream: UUID, after: int) -> Sequence[Notification]:
        """Return the events of a stream beyond version `after`, in order, with their positions."""
        ...


def explain_plainly(error: Exception) -> LadingError | None:
    """Say what any recorder's error means to the user, None when it is not one of the library's."""
    if not isinstance(error, EventSourcingError | OSError):
        return None
    return StoreUnavailable(
        f"the log cannot be used: {type(error).__name__}: {str(error).partition(chr(10))[0]}",
        hint="see whether its database runs, is reachable and has room",
    )


class RecorderLog:
    """Implements `lading.domain.ports.Log`.

    Args:
        recorder: where events are kept. One that is `Indexed` answers `stream` at once; with others it is searched.
        explain: turns what the recorder raises into an error of ours; None leaves it as it is.
        close: lets go of the recorder's database.
        lasting: whether what is kept outlives the process.

    Raises:
        InvalidSetting: a PostgreSQL recorder with `POSTGRES_ENABLE_DB_FUNCTIONS`, whose inserts take no table lock: a
            reader would pass over events that commit late.
    """

    def __init__(
        self,
        recorder: ApplicationRecorder,
        *,
        explain: Callable[[Exception], LadingError | None] = explain_plainly,
        close: Callable[[], None] = lambda: None,
        lasting: bool = True,
    ) -> None:
        if getattr(getattr(recorder, "datastore", None), "enable_db_functions", False):
            raise InvalidSetting(
                "a log cannot be kept with POSTGRES_ENABLE_DB_FUNCTIONS: its inserts do not keep the order of commits",
                hint="unset it; the default is right",
            )
        self._recorder = recorder
        self._explain = explain
        self._close = close
        self.lasting = lasting
        self._closed = False
        self._pen = threading.Lock()

    def append(self, requests: Sequence[Sequence[Entry]]) -> Sequence[tuple[int, ...] | Conflict]:
        """Store each request whole or not at all, in order, in one commit; see `Log.append`."""
        with self._pen, self._asking():
            for _ in range(MOST_ROUNDS):
                verdicts = judge(requests, self._last_versions({e.stream for request in requests for e in request}))
                entries = [e for request, no in zip(requests, verdicts, strict=True) if no is None for e in request]
                positions = self._insert(entries)
                if positions is not None:
                    rest = iter(positions)
                    return [
                        verdict or tuple(next(rest) for _ in request)
                        for request, verdict in zip(requests, verdicts, strict=True)
                    ]
        raise StoreUnavailable("the log is written by others all the time", hint="try again")

    def read(self, after: int = 0, limit: int = PAGE) -> Sequence[Recorded]:
        """Return at most `limit` events whose position is greater than `after`, in order of position."""
        with self._asking():
            return self._read(after, limit) if limit > 0 else []

    def stream(self, stream: UUID, after: int = 0) -> Sequence[Recorded]:
        """Return the events of one stream whose version is greater than `after`, in order of version."""
        with self._asking():
            return self._select_stream(stream, after)

    def head(self) -> int:
        """Return the position of the last event, 0 when there is none."""
        with self._asking():
            return self._recorder.max_notification_id() or 0

    def close(self) -> None:
        """Let go of the log; a second call does nothing."""
        with self._pen:
            if not self._closed:
                self._closed = True
                self._close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        if self._closed:
            raise StoreUnavailable("the log is closed", hint="open it again")
        try:
            yield
        except LadingError:
            raise
        except Exception as error:
            explained = self._explain(error)
            if explained is None:
                raise
            raise explained from error

    def _insert(self, entries: Sequence[Entry]) -> Sequence[int] | None:
        """Insert all or nothing; None when a rival has taken one of these versions."""
        if not entries:
            return ()
        try:
            positions = self._recorder.insert_events([StoredEvent(*entry) for entry in entries])
        except IntegrityError:
            return self._find(entries)
        except Exception as error:  # noqa: BLE001 # whatever a recorder raises leaves open what it stored
            return self._settle(entries, error)
        assert positions is not None
        assert len(positions) == len(entries)
        return positions

    def _settle(self, entries: Sequence[Entry], error: Exception) -> Sequence[int]:
        """Return where the entries are, should the insert that failed have taken place; else raise why it failed."""
        try:
            found = self._find(entries)
        except Exception as again:  # noqa: BLE001 # likewise
            raise StoreUnavailable(
                f"an insert failed, and whether it took place is open: {self._explain(again) or again}",
                hint="once its database answers, the log shows what it holds",
            ) from error
        if found is None:
            raise error
        return found

    def _find(self, entries: Sequence[Entry]) -> Sequence[int] | None:
        """Return where the log holds just these entries, None when it does not hold all of them."""
        firsts: dict[UUID, int] = {}
        for entry in entries:
            firsts.setdefault(entry.stream, entry.version)
        held = {
            tuple(found)[1:]: found.position
            for stream, version in firsts.items()
            for found in self._select_stream(stream, version - 1)
        }
        positions = [held.get(tuple(entry)) for entry in entries]
        return None if None in positions else [position for position in positions if position is not None]

    def _last_versions(self, streams: Iterable[UUID]) -> dict[UUID, int]:
        if isinstance(self._recorder, Indexed):
            last = dict(self._recorder.last_versions(list(streams)))
        else:
            ends = {stream: self._recorder.select_events(stream, desc=True, limit=1) for stream in streams}
            last = {stream: found[0].originator_version for stream, found in ends.items() if found}
        for stream, version in last.items():
            if type(version) is not int or version < 1:
                raise LogDamaged(f"the last version of the stream {stream} is none: {_shown(version)}")
        return last

    def _select_stream(self, stream: UUID, after: int) -> list[Recorded]:
        if isinstance(self._recorder, Indexed):
            try:
                return records(self._recorder.select_stream(stream, after))
            except _MISREAD as error:
                raise LogDamaged(f"the stream {stream} cannot be read: {type(error).__name__}") from error
        wanted = len(self._recorder.select_events(stream, gt=after))
        found: list[Recorded] = []
        position = 0
        while len(found) < wanted and (page := self._read(position, PAGE)):
            position = page[-1].position
            found += [record for record in page if record.stream == stream and record.version > after]
        return sorted(found, key=lambda record: record.version)

    def _read(self, after: int, limit: int) -> list[Recorded]:
        try:
            return records(self._page(after, limit))
        except LogDamaged as damage:
            if damage.position is not None:
                raise
            raise self._located(after, limit, damage) from damage
        except Exception as error:
            explained = self._explain(error)
            if not isinstance(error, _MISREAD) and not isinstance(explained, LogDamaged):
                raise
            raise self._located(after, limit, explained or error) from error

    def _page(self, after: int, limit: int, upto: int | None = None) -> Sequence[Notification]:
        return self._recorder.select_notifications(after, limit, upto, inclusive_of_start=False)

    def _located(self, after: int, limit: int, error: Exception) -> Exception:
        """Return the error with the position of the first row that raises it; as it is where no row does."""
        sound, bad = after, self._recorder.max_notification_id() or 0
        if bad <= after or not self._is_readable(after, limit, after):
            return error
        while bad - sound > 1:
            middle = (sound + bad) // 2
            if self._is_readable(after, limit, middle):
                sound = middle
            else:
                bad = middle
        why = error.message if isinstance(error, LadingError) else type(error).__name__
        return LogDamaged(f"record {bad} cannot be read: {why}", position=bad)

    def _is_readable(self, after: int, limit: int, upto: int) -> bool:
        try:
            records(self._page(after, limit, upto))
        except Exception:  # noqa: BLE001 # whatever a recorder raises of a row
            return False
        return True


def judge(requests: Sequence[Sequence[Entry]], last: dict[UUID, int]) -> list[Conflict | None]:
    """Tell for each request, in order, whether it continues its streams; `last` is brought up to date on the way."""
    verdicts: list[Conflict | None] = []
    for request in requests:
        ahead: dict[UUID, int] = {}
        verdict = None
        for entry in request:
            found = ahead.get(entry.stream, last.get(entry.stream, 0))
            if entry.version != found + 1:
                verdict = Conflict(stream=entry.stream, expected=entry.version - 1, found=found)
                break
            ahead[entry.stream] = entry.version
        if verdict is None:
            last |= ahead
        verdicts.append(verdict)
    return verdicts


def records(found: Sequence[Notification]) -> list[Recorded]:
    """Return a recorder's notifications as the log's records.

    Raises:
        LogDamaged: one is not as any was written.
    """
    made: list[Recorded] = [
        _made(
            (
                n.id,
                stream if type(stream := n.originator_id) is UUID else UUID(str(stream)),
                n.originator_version,
                n.topic,
                state if type(state := n.state) is bytes else _bytes(state),
            )
        )
        for n in found
    ]
    if made:
        _, _, versions, topics, states = zip(*made, strict=True)
        kinds = set(map(type, versions)), set(map(type, topics)), set(map(type, states))
        if kinds != _SOUND or min(versions) < 1 or "" in topics:
            raise _damage(made)
    return made


def _damage(made: Sequence[Recorded]) -> LogDamaged:
    """Return what is wrong with the first record that is not as any was written."""
    for record in made:
        for name, kind in _KINDS.items():
            value: Any = getattr(record, name)
            is_none = value < 1 if type(value) is int else value == ""
            if is_none or type(value) is not kind:
                return LogDamaged(
                    f"record {record.position} is not as any was written: its {name} is {_shown(value)}",
                    position=record.position,
                )
    raise AssertionError(made)


def _bytes(state: object) -> object:
    """Return a state as bytes if it is a buffer; what it is instead else."""
    return bytes(state) if isinstance(state, bytearray | memoryview) else state


def _shown(value: object) -> str:
    """Return a number or nothing as it is, of all else the type: it may be anything."""
    return "missing" if value is None or value == "" else str(value) if type(value) is int else type(value).__name__
