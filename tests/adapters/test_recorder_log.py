"""A log over recorders: rivals, broken connections and full disks cost nobody what was acknowledged."""

from __future__ import annotations

import sqlite3
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError, StoredEvent

from lading.adapters import sqlite_recorder
from lading.adapters.memory_recorder import MemoryRecorder
from lading.adapters.recorder_log import MOST_ROUNDS, RecorderLog
from lading.domain.errors import DiskFull, InvalidSetting, LadingError, LogDamaged, StoreUnavailable
from lading.domain.ports import Conflict, Entry
from lading.logs import open_log

pytestmark = pytest.mark.row("C.4")

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)


def entry(stream: UUID, version: int, state: bytes = b"ours") -> Entry:
    return Entry(stream, version, "t", state)


class Troubled(MemoryRecorder):
    """A recorder to which something happens at an insert: `before` it, or `after` it was stored."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def insert_events(self, stored_events, **kwargs):
        self.before()
        positions = super().insert_events(stored_events, **kwargs)
        self.after()
        return positions

    def rival(self, *events: StoredEvent) -> None:
        super().insert_events(events)


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.fixture
def troubled() -> Troubled:
    return Troubled()


@pytest.fixture
def log(troubled) -> RecorderLog:
    return RecorderLog(troubled)


class TestRivals:
    """Somebody else writes between the look at the versions and the insert."""

    def test_a_rival_costs_one_request_its_place_and_the_others_nothing(self, troubled, log) -> None:
        """The request that lost answers Conflict, the rest of the batch is stored in one insert."""
        inserts = []

        def rival_once() -> None:
            if not inserts:
                troubled.rival(StoredEvent(B, 1, "t", b"theirs"))
            inserts.append(1)

        troubled.before = rival_once
        answers = log.append([[entry(A, 1)], [entry(B, 1), entry(C, 1)], [entry(C, 1, b"last")]])
        assert answers == [(2,), Conflict(B, 0, 1), (3,)]
        assert [(e.stream, e.state) for e in log.read()] == [(B, b"theirs"), (A, b"ours"), (C, b"last")]
        assert len(inserts) == 2

    def test_endless_rivals_are_given_up_on(self, troubled, log) -> None:
        """Nothing waits for ever: after a bounded number of rounds the log says that others keep writing."""
        versions = iter(range(1, 1000))

        def rival_always() -> None:
            version = next(versions)
            troubled.rival(StoredEvent(A, version, "t", b"theirs"))
            raise IntegrityError

        troubled.before = rival_always
        with pytest.raises(StoreUnavailable) as caught:
            log.append([[entry(B, 1)]])
        assert caught.value.hint
        assert next(versions) == MOST_ROUNDS + 1

    @pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
    def test_two_writers_of_one_stream_never_skip_or_share_a_version(self, kind, tmp_path, request) -> None:
        """Two logs over one database, each after the same versions: each version is won by exactly one."""
        url = "sqlite:log.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
        logs = [open_log(url, tmp_path) for _ in range(2)]
        won: list[list[int]] = [[], []]

        def write(number: int) -> None:
            for version in range(1, 61):
                own = entry(uuid4(), 1)
                race, kept = logs[number].append([[entry(A, version, b"%d" % number)], [own]])
                assert not isinstance(kept, Conflict)
                if not isinstance(race, Conflict):
                    won[number].append(version)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stream = logs[0].stream(A)
        events = logs[0].read(0, 1000)
        for log in logs:
            log.close()
        assert sorted(won[0] + won[1]) == [event.version for event in stream] == list(range(1, 61))
        assert all(event.version in won[int(event.state)] for event in stream)
        assert len(events) == 60 + 120


class TestDoubt:
    """An insert fails, and only a look tells whether it took place."""

    @pytest.mark.law(1)
    @pytest.mark.parametrize("error", [OperationalError("connection lost"), IntegrityError("duplicate")])
    def test_what_was_stored_is_acknowledged_though_the_insert_failed(self, troubled, log, error) -> None:
        """A lost connection after the commit, or the library's own retry meeting its first try, is no failure."""
        troubled.after = failing(error)
        assert log.append([[entry(A, 1), entry(B, 1)], [entry(A, 2)]]) == [(1, 2), (3,)]
        troubled.after = lambda: None
        assert log.append([[entry(A, 2)]]) == [Conflict(A, 1, 2)]

    @pytest.mark.law(1)
    def test_what_was_not_stored_is_not_acknowledged(self, troubled, log) -> None:
        """The insert failed before it took place: an error, nothing stored, and the same append succeeds later."""
        troubled.before = failing(OperationalError("no route"))
        with pytest.raises(StoreUnavailable, match="no route") as caught:
            log.append([[entry(A, 1)]])
        assert caught.value.hint
        assert log.head() == 0
        troubled.before = lambda: None
        assert log.append([[entry(A, 1)]]) == [(1,)]

    def test_a_rival_with_the_same_version_is_not_taken_for_us(self, troubled, log) -> None:
        """Only the very bytes count as ours."""
        troubled.before = lambda: (
            troubled.rival(StoredEvent(A, 1, "t", b"theirs")) if not troubled.max_notification_id() else None
        )
        assert log.append([[entry(A, 1)]]) == [Conflict(A, 0, 1)]

    def test_doubt_that_cannot_be_settled_is_said(self, troubled, log, monkeypatch) -> None:
        """The log fails and cannot be asked either: the error says that it is open what was stored."""
        troubled.after = failing(OperationalError("connection lost"))
        monkeypatch.setattr(troubled, "select_stream", lambda *_: failing(OperationalError("still lost"))())
        with pytest.raises(StoreUnavailable, match=r"open.*still lost"):
            log.append([[entry(A, 1)]])


def test_database_functions_are_refused(troubled) -> None:
    """POSTGRES_ENABLE_DB_FUNCTIONS loses the order of commits, so no log is made over such a recorder."""
    troubled.datastore = SimpleNamespace(enable_db_functions=True)
    with pytest.raises(InvalidSetting, match="POSTGRES_ENABLE_DB_FUNCTIONS"):
        RecorderLog(troubled)


def test_what_is_not_an_error_of_the_store_is_not_dressed_up_as_one(troubled, log) -> None:
    """A mistake in a program stays what it is."""
    troubled.before = failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        log.append([[entry(A, 1)]])


class TestSQLite:
    """One private, durable file."""

    def test_its_files_are_for_their_owner_only(self, tmp_path) -> None:
        """The database and what SQLite puts beside it have mode 0600."""
        log = open_log("sqlite:log.db", tmp_path)
        log.append([[entry(A, 1)]])
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        log.close()
        assert modes.pop("log.db") == 0o600
        assert modes
        assert set(modes.values()) == {0o600}

    @pytest.mark.law(1)
    def test_a_file_that_was_replaced_takes_no_more_events(self, tmp_path) -> None:
        """What is written to a deleted file would be acknowledged and lost."""
        log = open_log("sqlite:log.db", tmp_path)
        (tmp_path / "log.db").rename(tmp_path / "gone.db")
        with pytest.raises(StoreUnavailable, match="deleted or replaced"):
            log.append([[entry(A, 1)]])
        log.close()

    def test_no_room_is_told_as_that_and_loses_nothing(self, tmp_path) -> None:
        """A database that cannot grow answers DiskFull, keeps what it has, and goes on when there is room."""
        recorder = sqlite_recorder.open_recorder(tmp_path / "log.db")
        log = RecorderLog(recorder, explain=sqlite_recorder.explain, close=recorder.datastore.close)
        log.append([[entry(A, 1)]])
        allow_pages(recorder, 8)
        with pytest.raises(DiskFull):
            log.append([[entry(A, 2, bytes(100_000))]])
        assert [event.version for event in log.read()] == [1]
        allow_pages(recorder, 1000)
        assert log.append([[entry(A, 2, bytes(100_000))]]) == [(2,)]
        log.close()

    def test_what_is_not_a_database_is_left_alone(self, tmp_path) -> None:
        """A file of another kind is called damaged, and not written to."""
        file = tmp_path / "log.db"
        file.write_bytes(b"not a database, but somebody's text\n" * 100)
        with pytest.raises(LogDamaged):
            open_log("sqlite:log.db", tmp_path)
        assert file.read_bytes() == b"not a database, but somebody's text\n" * 100

    @pytest.mark.parametrize("path", ["missing/log.db", ".", "file/log.db"])
    def test_a_path_that_cannot_be_used_is_said_with_a_hint(self, tmp_path, path) -> None:
        """A folder that is missing, a folder in the file's place, a file in the folder's place."""
        (tmp_path / "file").touch()
        with pytest.raises(StoreUnavailable) as caught:
            open_log(f"sqlite:{path}", tmp_path)
        assert caught.value.hint

    def test_a_locked_database_is_said_to_be_locked(self, tmp_path) -> None:
        """SQLite's own error becomes one that says who must act."""
        first = sqlite3.connect(tmp_path / "x.db", timeout=0)
        second = sqlite3.connect(tmp_path / "x.db", timeout=0)
        first.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as caught:
            second.execute("BEGIN EXCLUSIVE")
        first.close()
        second.close()
        explained = sqlite_recorder.explain(caught.value)
        assert isinstance(explained, StoreUnavailable)
        assert "locked" in explained.message

    def test_a_build_that_does_not_flush_each_commit_is_refused(self, tmp_path, monkeypatch) -> None:
        """Law 1 is not left to a compile-time default."""
        monkeypatch.setattr(sqlite_recorder, "FULL_SYNC", 4)
        with pytest.raises(StoreUnavailable, match="does not flush"):
            open_log("sqlite:log.db", tmp_path)


def allow_pages(recorder: sqlite_recorder.SQLiteRecorder, pages: int) -> None:
    with recorder.datastore.get_connection(commit=True) as connection:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA max_page_count={pages}")
        cursor.fetchall()


PASSWORD = "pa55word-never-shown"


def shown(error: BaseException) -> str:
    """Everything that printing an error with its causes would show."""
    hint = error.hint if isinstance(error, LadingError) else ""
    return "".join(traceback.format_exception(error)) + hint + repr(error)


@pytest.mark.law(7)
class TestPostgreSQL:
    """A server somewhere, that may be wrong, down, or half-durable."""

    @pytest.mark.parametrize(
        "url",
        [
            f"postgresql://me:{PASSWORD}@127.0.0.1:1/db",
            f"postgresql://me:{PASSWORD}@127.0.0.1:1/db?sslmode=nonsense",
            f"postgresql://me:{PASSWORD}@127.0.0.1:1/db?nonsense=1",
            f"postgresql://me:/{PASSWORD}@127.0.0.1:1/db",
            f"postgresql://me:1/{PASSWORD}@127.0.0.1:1/db",
            f"postgresql://me:%zz{PASSWORD}@127.0.0.1:1/db",
            f"postgresql://me@127.0.0.1:{PASSWORD}/db",
            f"postgresql://me@127.0.0.1:1/db?password={PASSWORD}",
            f"postgresql://[me:{PASSWORD}@127.0.0.1:1/db",
            f"postgres:me:{PASSWORD}@127.0.0.1",
            f"mysql://me:{PASSWORD}@127.0.0.1",
            f"me:{PASSWORD}",
        ],
    )
    def test_no_error_shows_the_password(self, url, tmp_path) -> None:
        """Whatever is wrong with a URL, its password is in no message, hint or cause."""
        with pytest.raises((StoreUnavailable, InvalidSetting)) as caught:
            open_log(url, tmp_path)
        assert PASSWORD not in shown(caught.value)
        assert caught.value.hint

    def test_a_database_that_is_not_there_is_named_and_the_password_is_not(self, postgres_url, tmp_path) -> None:
        """The server's own words are passed on, without the secret."""
        url = postgres_url.replace("lading@/postgres", f"lading:{PASSWORD}@/nowhere")
        if url == postgres_url:
            pytest.skip("a server of unknown users")
        with pytest.raises(StoreUnavailable, match="nowhere") as caught:
            open_log(url, tmp_path)
        assert PASSWORD not in shown(caught.value)
        assert "database" in caught.value.hint

    @pytest.mark.law(1)
    def test_a_server_that_does_not_flush_is_refused(self, postgres_url, tmp_path) -> None:
        """With synchronous_commit off, what is acknowledged can be lost."""
        with pytest.raises(StoreUnavailable, match="synchronous_commit"):
            open_log(f"{postgres_url}&options=-csynchronous_commit%3Doff", tmp_path)

    def test_database_functions_are_refused_in_the_url_too(self, postgres_url, tmp_path) -> None:
        """They cannot be asked for by a parameter either."""
        with pytest.raises(InvalidSetting, match="functions"):
            open_log(f"{postgres_url}&POSTGRES_ENABLE_DB_FUNCTIONS=y", tmp_path)

    def test_a_schema_that_is_not_there_is_said(self, postgres_url, tmp_path) -> None:
        """The hint says to create it."""
        with pytest.raises(StoreUnavailable, match="schema") as caught:
            open_log(f"{postgres_url}x", tmp_path)
        assert "create" in caught.value.hint

    def test_connections_that_the_server_drops_are_made_anew(self, postgres_server, postgres_url, tmp_path) -> None:
        """A server restart between two appends costs neither."""
        psycopg = pytest.importorskip("psycopg")
        name = f"lading-{uuid4().hex}"
        log = open_log(f"{postgres_url}&application_name={name}", tmp_path)
        log.append([[entry(A, 1)]])
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
            assert connection.execute(end, (name,)).fetchall()
        [[position]] = log.append([[entry(A, 2)]])
        assert [event.version for event in log.read()] == [1, 2]
        assert log.head() == position
        log.close()


def test_a_memory_log_needs_no_home() -> None:
    """It keeps nothing outside the process."""
    log = open_log("memory:", Path("/nowhere"))
    assert log.append([[entry(A, 1)]]) == [(1,)]
    assert not Path("/nowhere").exists()
