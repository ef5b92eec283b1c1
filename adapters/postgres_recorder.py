"""The library's recorder over PostgreSQL, opened as a log must be: durable, bounded in its waits, discreet.

The connection is libpq's business: the URL is read by libpq, so that its parameters (`sslmode`, `host` for a socket),
its environment and its password file work as everywhere. One parameter is ours: `schema`. Inserts take the library's
table lock, which makes the order of positions the order of commits; positions have gaps where an insert was rolled
back. No password gets into a message.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing.domain import EventSourcingError
from eventsourcing.persistence import InterfaceError, Notification, OperationalError, PersistenceError
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from eventsourcing.utils import retry
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from lading.domain.errors import DiskFull, InvalidSetting, LadingError, LogDamaged, StoreUnavailable

TABLE = "lading_events"
CONNECT_TIMEOUT_S = 5
LOCK_TIMEOUT_S = 10
MOST_CONNECTIONS = 5
MOST_TRIES = 3
BOUNDS = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 40_000,
}
"""What libpq is told unless the URL says otherwise, so that a dead network is noticed (seconds; milliseconds last)."""

_HERE = "localhost"
_ALSO_HERE = frozenset({"127.0.0.1", "::1", "/var/run/postgresql", "/run/postgresql", "/tmp"})  # noqa: S108 # sockets
_DAMAGED = re.compile("XX00[12]")
_HINTS = (
    (re.compile("3F000"), "create the schema first, or correct the log's URL"),
    (re.compile("42501|25006"), "the user needs the right to create and write a table there"),
    (re.compile("55P03"), f"another program has kept the table locked for {LOCK_TIMEOUT_S} s; end it, then try again"),
)
_REACH = "see whether the server runs, is reachable, and has that user, password and database"
_retried: Callable[[Any], Any] = retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)


class PostgresRecorder(PostgresApplicationRecorder):
    """Keeps events in one table; implements `Indexed` of `lading.adapters.recorder_log`."""

    @_retried
    def last_versions(self, streams: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the last version of each of these streams that has one."""
        statement = SQL(
            "SELECT originator_id, MAX(originator_version) AS last FROM {}.{} "
            "WHERE originator_id = ANY(%s) GROUP BY originator_id"
        ).format(Identifier(self.datastore.schema), Identifier(self.events_table_name))
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement, (list(streams),), prepare=True)
            return {row["originator_id"]: row["last"] for row in cursor.fetchall()}

    @_retried
    def select_stream(self, stream: UUID, after: int) -> Sequence[Notification]:
        """Return the events of a stream beyond version `after`, in order, with their positions."""
        statement = SQL(
            "SELECT * FROM {}.{} WHERE originator_id = %s AND originator_version > %s ORDER BY originator_version"
        ).format(Identifier(self.datastore.schema), Identifier(self.events_table_name))
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement, (stream, after), prepare=True)
            return [
                Notification(
                    stream, row["originator_version"], row["topic"], bytes(row["state"]), row["notification_id"]
                )
                for row in cursor.fetchall()
            ]


def open_recorder(url: str) -> PostgresRecorder:
    """Connect to the database that `url` names, and make the log's table when it is missing.

    Raises:
        InvalidSetting: not a URL that libpq can read, or one that asks for database functions.
        StoreUnavailable: the server does not answer, does not let us in, or does not flush its commits.
    """
    parameters, schema = _parse(url)
    try:
        _probe(parameters)
        datastore = PostgresDatastore(
            dbname="",
            host="",
            port="",
            user="",
            password="",
            connect_timeout=CONNECT_TIMEOUT_S,
            max_overflow=MOST_CONNECTIONS - 1,
            lock_timeout=LOCK_TIMEOUT_S,
            schema=schema,
        )
        datastore.pool.kwargs = {**parameters, "row_factory": dict_row}
        try:
            return _prepared(datastore)
        except BaseException:
            datastore.close()
            raise
    except (EventSourcingError, psycopg.Error) as error:
        raise explain(error, password=str(parameters.get("password") or "")) or error from None


def explain(error: Exception, *, password: str = "") -> LadingError | None:
    """Say what an error of PostgreSQL or of its recorder means to the user; None when it is neither."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, psycopg.Error):
        cause = cause.__cause__
    if cause is None and not isinstance(error, EventSourcingError):
        return None
    state = (isinstance(cause, psycopg.Error) and cause.sqlstate) or ""
    text = str(cause or error).strip().partition("\n")[0]
    if password:
        text = text.replace(password, "…")
    if state == "53100":
        return DiskFull("no room for the PostgreSQL log: nothing was stored")
    if _DAMAGED.match(state):
        return LogDamaged(f"the PostgreSQL log is damaged: {text}")
    hint = next((hint for pattern, hint in _HINTS if pattern.match(state)), _REACH)
    return StoreUnavailable(f"the PostgreSQL log cannot be used: {text}", hint=hint)


def explainer(recorder: PostgresRecorder) -> Callable[[Exception], LadingError | None]:
    """Return `explain` as it is to be used with an open recorder."""
    kwargs = recorder.datastore.pool.kwargs
    assert isinstance(kwargs, dict)
    return functools.partial(explain, password=str(kwargs.get("password") or ""))


def _parse(url: str) -> tuple[dict[str, Any], str]:
    schema = ""
    address, mark, query = url.partition("?")
    kept = []
    for pair in query.split("&") if mark else []:
        name, _, value = pair.partition("=")
        if name == "schema":
            schema = value
        elif "ENABLE_DB_FUNCTIONS" in name.upper():
            raise InvalidSetting(
                "a log cannot be kept with database functions: their inserts do not keep the order of commits",
                hint="leave that parameter out",
            )
        elif pair:
            kept.append(pair)
    unreadable = InvalidSetting(
        "not a PostgreSQL URL that can be read",
        hint="postgresql://USER:PASSWORD@HOST:PORT/DATABASE; percent-encode : / @ # ? % in names and password",
    )
    try:
        parameters = conninfo_to_dict("?".join((address, "&".join(kept))) if kept else address)
    except psycopg.Error:
        raise unreadable from None
    ports = str(parameters.get("port") or "")
    if ports.replace(",", "").strip("0123456789") or "@" in f"{parameters.get('dbname')}{parameters.get('host')}":
        raise unreadable
    return {**BOUNDS, **parameters}, schema


def place_of(url: str) -> str:
    """Return host, port, database and schema that a URL means, each by one name, and nothing else of it."""
    given, schema = _parse(url)
    defaults = {each.keyword.decode(): (each.val or b"").decode() for each in Conninfo.get_defaults()}
    told = {name: str(given.get(name) or defaults.get(name) or "") for name in ("host", "hostaddr", "port", "user")}
    database = given.get("dbname") or defaults.get("dbname") or told["user"]
    host = (told["host"] or told["hostaddr"] or _HERE).rstrip("/")
    host = _HERE if host in _ALSO_HERE else host if host.startswith("/") else host.lower()
    return "\n".join((host, told["port"] or "5432", str(database), schema.strip() or "public"))


def _probe(parameters: Mapping[str, Any]) -> None:
    """Connect once, outside the pool, whose own failures do not say why; and see that commits are flushed."""
    with psycopg.connect(**parameters, autocommit=True) as connection:
        for name in ("fsync", "synchronous_commit"):
            row = connection.execute(SQL("SHOW {}").format(Identifier(name))).fetchone()
            if row is not None and row[0] == "off":
                raise StoreUnavailable(
                    f"the PostgreSQL server has {name} switched off: it would acknowledge what a crash can lose",
                    hint=f"switch {name} on, for the server or for this user",
                )


def _prepared(datastore: PostgresDatastore) -> PostgresRecorder:
    """Return the recorder, its table made if need be: several programs may be about to make it at once."""
    recorder = PostgresRecorder(datastore, events_table_name=TABLE)
    for left in reversed(range(MOST_TRIES)):
        with datastore.get_connection() as connection:
            found = connection.execute("SELECT to_regclass(%s) AS name", (f'"{datastore.schema}".{TABLE}',)).fetchone()
        if found is not None and found["name"] is not None:
            break
        try:
            recorder.create_table()
        except PersistenceError:
            if not left:
                raise
    return recorder
