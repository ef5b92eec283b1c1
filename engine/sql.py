"""SQL over a home: the tables that a query names are copied into a database of the moment, which is then asked.

Nothing of it outlives the query. Only the tables that are named are copied, as they stand at this moment, in pages.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lading.adapters import duck, parquet
from lading.domain.errors import UsageError
from lading.extracting import Extract, extract
from lading.projections.tables import NAMES
from lading.reading import Reading

MEMORY_BYTES = 512 * 1024 * 1024


def named(query: str) -> list[str]:
    """Return the tables that a query may mean: their names are in it as words."""
    words = {word.lower() for word in re.findall(r"\w+", query)}
    return [name for name in NAMES if name in words]


def ask(
    reading: Reading, query: str, *, files: bool = False, memory_bytes: int = MEMORY_BYTES
) -> Iterator[tuple[Sequence[str], list[tuple[Any, ...]]]]:
    """Yield the names of the columns of the answer, with some rows at a time.

    Args:
        reading: the home, caught up.
        query: one statement of SQL, in DuckDB's dialect.
        files: whether it may read and write files.
        memory_bytes: what DuckDB may use.

    Raises:
        UsageError: it cannot be answered, or DuckDB is not installed.
    """
    duck.require()
    with tempfile.TemporaryDirectory(prefix="lading-sql-") as folder:
        database = duck.Duck(Path(folder), memory_bytes=memory_bytes)
        _fill(database, reading, named(query))
        yield from database.ask(query, files=files)


def _fill(database: duck.Duck, reading: Reading, names: Sequence[str]) -> None:
    """Copy tables; events last, and as far as the first of the views has come, so that they fit together."""
    own: list[Exception] = []
    with ExitStack() as opened:
        found: list[Extract] = []
        for name in sorted(names, key="events".__eq__):
            upto = found[0].upto if name == "events" and found else None
            found.append(opened.enter_context(extract(reading, name, upto=upto)))
        try:
            database.fill({of.view: (parquet.plain_schema(of.columns), _batches(of, own)) for of in found})
        except UsageError:
            if own:  # what was raised here comes back through DuckDB as one of its errors
                raise own[0] from None
            raise


def _batches(of: Extract, own: list[Exception]) -> Iterator[Any]:
    try:
        for page in of.pages():
            yield parquet.batch(of.columns, page.values)
    except Exception as error:
        own.append(error)
        raise
