"""How rows of tables are written down as text: JSON lines, CSV, and events as CloudEvents 1.0.

The JSON lines of a table are its canonical form: an object a row, its fields in the order of the columns, no spaces, a
line feed behind each. The digest of an export is the SHA-256 of these lines, in whatever format it was written, so
`sha256sum` of a file of JSON lines prints it.

In CSV an absent value is an empty cell, empty text is `""`, and what has a comma, a quote or a line end in it is
quoted as RFC 4180 has it; tags are a JSON list. Text that a spreadsheet would take for a formula (it begins with = + -
@, a tab or a line end, and so may a file's name that a stranger chose) gets an apostrophe in front, and so does text
that begins with one: whoever takes one leading apostrophe off a text has what was exported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson

from lading.projections.instants import iso
from lading.projections.tables import Column, Kind, Row

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_SPECIAL = frozenset(',"\r\n')


def json_lines(columns: Sequence[Column], rows: Iterable[Row]) -> list[bytes]:
    """Return rows as JSON lines."""
    names = [column.name for column in columns]
    times = [at for at, column in enumerate(columns) if column.kind is Kind.TIME]
    fragments = [at for at, column in enumerate(columns) if column.kind is Kind.JSON]
    lines = []
    for row in rows:
        values: list[Any] = list(row)
        for at in times:
            values[at] = time(values[at])
        for at in fragments:
            values[at] = None if values[at] is None else orjson.Fragment(values[at])
        lines.append(orjson.dumps(dict(zip(names, values, strict=True)), option=orjson.OPT_APPEND_NEWLINE))
    return lines


def time(at_us: int | None) -> str | None:
    """Return a time in microseconds as text."""
    return None if at_us is None else iso(at_us * 1000)


def csv_head(columns: Sequence[Column]) -> bytes:
    """Return the first line of a CSV file: the names of the columns."""
    return (",".join(column.name for column in columns) + "\n").encode()


def csv_lines(columns: Sequence[Column], rows: Iterable[Row]) -> list[bytes]:
    """Return rows as records of CSV."""
    cells = [_CELLS[column.kind] for column in columns]
    return [(",".join(map(_call, cells, row)) + "\n").encode() for row in rows]


def _call(cell: Callable[[Any], str], value: Any) -> str:
    return "" if value is None else cell(value)


def _text(value: str) -> str:
    return quoted(f"'{value}" if value.startswith(_FORMULA) else value)


def quoted(value: str) -> str:
    """Return text as a cell of CSV: in quotes if it needs them, or is empty and yet there."""
    return f'"{value.replace(chr(34), chr(34) * 2)}"' if not value or not _SPECIAL.isdisjoint(value) else value


_CELLS: dict[Kind, Callable[[Any], str]] = {
    Kind.INT: str,
    Kind.TEXT: _text,
    Kind.WORD: _text,
    Kind.TEXTS: lambda values: quoted(json.dumps(values, ensure_ascii=False, separators=(",", ":"))),
    Kind.TIME: lambda at_us: iso(at_us * 1000) or "",
    Kind.FLAG: lambda flag: "true" if flag else "false",
    Kind.JSON: lambda data: quoted(data.decode()),
}


def cloud_events(rows: Iterable[Row], source: str) -> Iterator[bytes]:
    """Yield rows of the table `events` as structured CloudEvents 1.0, a line each.

    `position` is an extension, and text: the integers of CloudEvents have 32 bits. `correlationid` and `causationid`
    are those of the specification's extension for correlation; what has no value is left out, as the specification
    wants it.
    """
    for position, at_us, id, version, _, topic, event_id, actor, host, correlation, causation, data in rows:
        attributes = {
            "specversion": "1.0",
            "id": event_id,
            "source": source,
            "type": topic,
            "subject": id,
            "time": time(at_us),
            "datacontenttype": "application/json",
            "position": str(position),
            "streamversion": str(version),
        }
        more = {"actor": actor, "host": host, "correlationid": correlation, "causationid": causation}
        attributes |= {name: value for name, value in more.items() if value}
        attributes["data"] = orjson.Fragment(data)
        yield orjson.dumps(attributes, option=orjson.OPT_APPEND_NEWLINE)
