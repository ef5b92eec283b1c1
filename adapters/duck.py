"""DuckDB over tables of ours: filled once, then opened again for reading only, and asked.

Between the two the database is closed, because what may be changed while it is open is the user's to change: opened for
reading only, without access to files or the network and with its settings locked, SQL can do nothing but compute. Its
memory is limited; what does not fit spills into the folder that the database lies in, which is the caller's to remove.

duckdb comes with the extra `[analytics]`; nothing here is imported before it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading.adapters import arrow_values
from lading.domain.errors import UsageError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PAGE = 1_000
THREADS = 2
INSTALL = "python -m pip install 'lading[analytics]'"


def require() -> None:
    """Refuse to go on without duckdb.

    Raises:
        UsageError: it is not installed; the hint is the command that installs it.
    """
    try:
        import duckdb  # noqa: F401 # to see whether it is there
        import pyarrow as pa  # noqa: F401 # likewise
    except ImportError:
        raise UsageError("SQL needs packages that are not installed: duckdb, pyarrow", hint=INSTALL) from None


class Duck:
    """A database in a folder of its own.

    Args:
        folder: an empty folder.
        memory_bytes: what DuckDB may use; more spills to the disk.
    """

    def __init__(self, folder: Path, *, memory_bytes: int) -> None:
        require()
        self._path = folder / "lading.duckdb"
        self._spill = folder / "spill"
        self._settings: dict[str, Any] = {
            "memory_limit": f"{memory_bytes}B",
            "threads": THREADS,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        }

    def fill(self, tables: Mapping[str, tuple[pa.Schema, Iterable[pa.RecordBatch]]]) -> None:
        """Make tables of batches, which are read one after another.

        Raises:
            UsageError: DuckDB cannot, for want of memory or room; or what reads the batches has raised something.
        """
        import duckdb
        import pyarrow as pa

        with _told(), duckdb.connect(str(self._path), config=self._settings) as connection:
            self._prepare(connection)
            for name, (schema, batches) in tables.items():
                connection.register("incoming", pa.RecordBatchReader.from_batches(schema, batches))
                connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM incoming')  # noqa: S608 # a name of ours
                connection.unregister("incoming")

    def ask(self, query: str, *, files: bool = False) -> Iterator[tuple[Sequence[str], list[tuple[Any, ...]]]]:
        """Yield the names of the columns with some rows at a time; at least once, if the query has an answer at all.

        No two columns have one name: of those that would, all but the first have a number.

        Args:
            query: what to ask.
            files: whether the query may read and write files.

        Raises:
            UsageError: DuckDB cannot do that; the message is its own.
        """
        import duckdb

        with _told(query), duckdb.connect(str(self._path), read_only=True, config=self._settings) as connection:
            self._prepare(connection)
            if not files:
                connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield from _answer(connection, query)

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET temp_directory = ?", [str(self._spill)])


_HINT = "`lading sql --tables` shows the tables and their columns; --files lets SQL read and write files"


@contextmanager
def _told(query: str = "") -> Iterator[None]:
    """Say what DuckDB cannot do in an error of ours, with its own message."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise UsageError(f"DuckDB: {_without_urls(str(error).strip(), query)}", hint=_HINT) from error


def _without_urls(message: str, query: str) -> str:
    """Return a message without what it quotes, where that may be of a URL in the query, which may have secrets."""
    return re.split("[\"'`\n]", message)[0].strip() + " …" if "://" in query else message


def numbered(names: Sequence[str]) -> list[str]:
    """Return names of columns, each only once, in the way of DuckDB's own tables: a, a_1, a_2.

    A name that stands there as it is keeps its column; numbers that would make it a second time are passed over.
    """
    taken, seen = set(names), set[str]()
    found = []
    for name in names:
        unique = name
        if name in seen:
            unique = next(made for number in count(1) if (made := f"{name}_{number}") not in taken)
            taken.add(unique)
        seen.add(name)
        found.append(unique)
    return found


def _answer(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[Sequence[str], list[tuple[Any, ...]]]]:
    answer: duckdb.DuckDBPyRelation | None = connection.sql(query)
    if answer is None:
        return
    reader = answer.to_arrow_reader(PAGE)
    names = numbered(reader.schema.names)
    yield names, []
    for batch in reader:
        columns = [arrow_values.values(column) for column in batch.columns]
        yield names, list(zip(*columns, strict=True))
