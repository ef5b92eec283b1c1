"""The queries of README.md: each block of SQL under its heading, asked of a home as `lading sql` would ask it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lading import sql
from lading.home import open_home
from lading.opening import open_reading

README = Path(__file__).with_name("README.md")
_QUERY = re.compile(r"^## (?P<title>.+?)\n(?:(?!^## )[\s\S])*?^```sql\n(?P<text>[\s\S]+?)^```$", re.MULTILINE)


class Query(NamedTuple):
    """A query of the page: the heading that it stands under, and its SQL."""

    title: str
    text: str


def queries() -> list[Query]:
    """Return the queries of the page, in its order."""
    return [Query(found["title"], found["text"]) for found in _QUERY.finditer(README.read_text(encoding="utf-8"))]


def answer(home: Path, query: Query) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    """Ask a home, and return the names of the columns and the rows.

    Raises:
        UsageError: DuckDB cannot answer that.
    """
    reading = open_reading(open_home(home, new_id=None))
    try:
        reading.catch_up()
        names: Sequence[str] = ()
        rows: list[tuple[Any, ...]] = []
        for names, some in sql.ask(reading, query.text):  # noqa: B007 # they are the same each time
            rows += some
        return names, rows
    finally:
        reading.close()
