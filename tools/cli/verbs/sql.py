"""`lading sql`: questions to a home in SQL."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from lading.tools.cli import units
from lading.tools.cli.frame import Frame, verb


@verb()
@click.argument("query", required=False)
@click.option("--tables", is_flag=True, help="Show the tables and their columns instead.")
@click.option("--files", is_flag=True, help="Let the query read and write files.")
@click.option("--memory", type=units.SIZE, metavar="SIZE", help="What DuckDB may use; more spills. [default: 512M]")
def command(frame: Frame, query: str | None, memory: int | None, *, tables: bool, files: bool) -> None:
    """Ask a home in SQL, by DuckDB; `-` reads the query from stdin.

    The tables are events, history, attempts, queue, progress, failures and statistics, as they are at this moment. The
    query can change nothing, and reads no file unless --files says so. Times are in UTC.
    """
    from lading.domain.errors import UsageError

    if tables:
        _show_tables(frame)
        return
    text = sys.stdin.read() if query == "-" else query
    if not (text or "").strip():
        raise UsageError("there is no query", hint='such as: lading sql "SELECT count(*) FROM events"')
    from lading import sql
    from lading.tools.cli.homes import looking

    with looking(frame, caught_up=False) as reading:
        answer = sql.ask(reading, text or "", files=files, memory_bytes=memory or sql.MEMORY_BYTES)
        _show(frame, answer)


def _show(frame: Frame, answer: Iterator[tuple[Sequence[str], list[tuple[Any, ...]]]]) -> None:
    from lading.tools.cli import tables
    from lading.tools.cli.answers import note, write_json

    names, _ = next(answer, ((), []))
    rows = (row for _, page in answer for row in page)
    if frame.json:
        for row in rows:
            write_json(dict(zip(names, map(_plain, row), strict=True)))
    elif not tables.show(
        [tables.Column(name, least=8) for name in names], ([_cell(value) for value in row] for row in rows)
    ):
        note(frame, "no rows")


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: instants as everywhere else, and what has no form there as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case decimal.Decimal():
            return int(value) if value.as_tuple().exponent == 0 else float(value)
        case dt.datetime():
            text = value.isoformat(timespec="microseconds")
            return text.replace("+00:00", "Z")
        case (int(months), int(days), int(nanoseconds)) if hasattr(value, "nanoseconds"):  # an interval
            seconds = days * 86_400 + nanoseconds / 1e9
            return f"{months} months {seconds} s" if months else seconds
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            return value.hex() if isinstance(value, bytes) else str(value)


def _cell(value: Any) -> str:
    plain = _plain(value)
    match plain:
        case None:
            return units.UNKNOWN
        case bool():
            return "true" if plain else "false"
        case float():
            return f"{plain:.6g}" if abs(plain) < 1e6 else f"{plain:.0f}"
        case list():
            return ", ".join(map(_cell, plain))
        case _:
            return units.moment(plain) if isinstance(value, dt.datetime) else str(plain)


def _show_tables(frame: Frame) -> None:
    from lading.projections.tables import OF_LOG, VIEWS
    from lading.tools.cli import tables
    from lading.tools.cli.answers import write_json

    of = {"events": OF_LOG, **{name: table.columns for name, table in VIEWS.items()}}
    rows = [(table, column.name, column.kind.value) for table, columns in of.items() for column in columns]
    if frame.json:
        for table, name, kind in rows:
            write_json({"table": table, "column": name, "type": kind})
    else:
        tables.show([tables.Column("TABLE"), tables.Column("COLUMN"), tables.Column("TYPE")], rows)
