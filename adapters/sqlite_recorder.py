"""The library's recorder over SQLite, opened as a log must be: private, durable, and honest about what went wrong.

SQLite syncs what it writes, but not the name of a file that it made; so the file is made here, with mode 0600, and its
folder flushed. Its write-ahead log flushes each commit only at `synchronous` FULL or above, which is not the default of
every build; there the log is refused rather than kept half-durably. A database file that is deleted or replaced while
it is open goes on taking commits that nobody will find again; each insert looks for that first.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing.domain import EventSourcingError
from eventsourcing.persistence import Notification, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from lading.domain.errors import DiskFull, LadingError, LogDamaged, StoreUnavailable

LOCK_TIMEOUT_S = 15
FULL_SYNC = 2
MOST_PARAMETERS = 500
_NOT_TEXT = "Could not decode to UTF-8"
"""How Python's module begins its own error, which has no code."""


class SQLiteRecorder(SQLiteApplicationRecorder):
    """Keeps events in one SQLite file; implements `Indexed` of `lading.adapters.recorder_log`."""

    def __init__(self, datastore: SQLiteDatastore, path: Path) -> None:
        super().__init__(datastore)
        self._path = path
        self._identity = _identity(path)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Insert all or nothing, durably, and return the positions.

        Raises:
            StoreUnavailable: the file is not the one that was opened.
        """
        if _identity(self._path) != self._identity:
            raise StoreUnavailable(
                f"{self._path} was deleted or replaced while it was open; nothing written to it would be found again",
                hint="start again, so that it is opened afresh",
            )
        return super().insert_events(stored_events, **kwargs)

    def last_versions(self, streams: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the last version of each of these streams that has one."""
        last: dict[UUID, int] = {}
        with self.datastore.transaction(commit=False) as cursor:
            for start in range(0, len(streams), MOST_PARAMETERS):
                names = [stream.hex for stream in streams[start : start + MOST_PARAMETERS]]
                cursor.execute(
                    f"SELECT originator_id, MAX(originator_version) FROM {self.events_table_name} "  # noqa: S608 # ours
                    f"WHERE originator_id IN ({','.join('?' * len(names))}) GROUP BY originator_id",
                    names,
                )
                last |= {UUID(name): version for name, version in cursor.fetchall()}
        return last

    def select_stream(self, stream: UUID, after: int) -> Sequence[Notification]:
        """Return the events of a stream beyond version `after`, in order, with their positions."""
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(
                f"SELECT originator_version, topic, state, rowid FROM {self.events_table_name} "  # noqa: S608 # ours
                "WHERE originator_id=? AND originator_version>? ORDER BY originator_version",
                (stream.hex, after),
            )
            return [Notification(stream, *row) for row in cursor.fetchall()]


def open_recorder(path: Path) -> SQLiteRecorder:
    """Open the SQLite file at `path`, made when it is missing; its folder must be there.

    Raises:
        StoreUnavailable: the file cannot be made or used, or this build of SQLite would not flush each commit.
        LogDamaged: it is not an SQLite file, or a damaged one.
        DiskFull: there is no room for it.
    """
    try:
        _make(path)
        datastore = SQLiteDatastore(str(path), lock_timeout=LOCK_TIMEOUT_S)
        try:
            recorder = SQLiteRecorder(datastore, path)
            recorder.create_table()
            with datastore.transaction(commit=False) as cursor:
                cursor.execute("PRAGMA synchronous")
                level = cursor.fetchone()[0]
        except BaseException:
            datastore.close()
            raise
    except (EventSourcingError, sqlite3.Error, OSError) as error:
        raise explain(error) or error from error
    if level < FULL_SYNC:
        datastore.close()
        raise StoreUnavailable(
            f"this build of SQLite does not flush each commit (synchronous={level})", hint="keep the log in lmdb:"
        )
    return recorder


def explain(error: Exception) -> LadingError | None:
    """Say what an error of SQLite or of its recorder means to the user; None when it is neither."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, sqlite3.Error):
        cause = cause.__cause__
    if cause is None:
        if not isinstance(error, EventSourcingError | OSError):
            return None
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        return StoreUnavailable(f"the SQLite log cannot be used: {reason}", hint="check its folder, owner and mode")
    if str(cause).startswith(_NOT_TEXT):
        return LogDamaged("a text in it is not UTF-8")
    match getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return DiskFull("no room for the SQLite log: nothing was stored")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return LogDamaged(f"the SQLite log is damaged: {cause}")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreUnavailable(
                f"another program has kept the SQLite log locked for {LOCK_TIMEOUT_S} s", hint="end it, then try again"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            hint = "check the owner and mode of the file and of its folder"
        case sqlite3.SQLITE_IOERR:
            hint = "look into the system's log: the disk reported an error"
        case _:
            hint = "see whether the file is a log of Lading: it is SQLite, with a table stored_events"
    return StoreUnavailable(f"the SQLite log cannot be used: {cause}", hint=hint)


def _make(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
