"""A log over any recorder of the eventsourcing library: in memory, SQLite, PostgreSQL, or an extension's.

A recorder refuses a version that is there already, and nothing else: a stream may skip versions there, and one
duplicate fails everything that was inserted with it. So versions are read before, requests that do not continue their
streams are answered `Conflict` and left out, and the rest goes in as one insert. When somebody else was faster in
between, all are judged again on what the streams hold now: he costs one request its place, and one append stays one
commit.

The library retries an insert whose connection broke, and then meets its own first try as a duplicate; so before
anything is called a conflict or a failure, the log is asked whether it holds just these bytes already. Whoever follows
a log polls `head` and `read`: not every recorder has subscriptions, and positions may have gaps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable
from uuid import UUID

from eventsourcing.domain import EventSourcingError
from eventsourcing.persistence import ApplicationRecorder, IntegrityError, Notification, StoredEvent

from lading.domain.errors import InvalidSetting, LadingError, StoreUnavailable
from lading.domain.ports import Conflict, Entry, Recorded

MOST_ROUNDS = 16
PAGE = 1000


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
            return [recorded(n) for n in self._page(after, limit)] if limit > 0 else []

    def stream(self, stream: UUID, after: int = 0) -> Sequence[Recorded]:
        """Return the events of one stream whose version is greater than `after`, in order of version."""
        with self._asking():
            return [recorded(n) for n in self._select_stream(stream, after)]

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
            for found in map(recorded, self._select_stream(stream, version - 1))
        }
        positions = [held.get(tuple(entry)) for entry in entries]
        return None if None in positions else [position for position in positions if position is not None]

    def _last_versions(self, streams: Iterable[UUID]) -> dict[UUID, int]:
        if isinstance(self._recorder, Indexed):
            return dict(self._recorder.last_versions(list(streams)))
        last = {stream: self._recorder.select_events(stream, desc=True, limit=1) for stream in streams}
        return {stream: found[0].originator_version for stream, found in last.items() if found}

    def _select_stream(self, stream: UUID, after: int) -> Sequence[Notification]:
        if isinstance(self._recorder, Indexed):
            return self._recorder.select_stream(stream, after)
        wanted = len(self._recorder.select_events(stream, gt=after))
        found: list[Notification] = []
        position = 0
        while len(found) < wanted and (page := self._page(position, PAGE)):
            position = page[-1].id
            found += [n for n in page if _uuid(n.originator_id) == stream and n.originator_version > after]
        return sorted(found, key=lambda n: n.originator_version)

    def _page(self, after: int, limit: int) -> Sequence[Notification]:
        return self._recorder.select_notifications(after, limit, inclusive_of_start=False)


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


def recorded(notification: Notification) -> Recorded:
    """Return a recorder's notification as the log's record."""
    n = notification
    return Recorded(n.id, _uuid(n.originator_id), n.originator_version, n.topic, bytes(n.state))


def _uuid(originator: UUID | str) -> UUID:
    return originator if isinstance(originator, UUID) else UUID(originator)
