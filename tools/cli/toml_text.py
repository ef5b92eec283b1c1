"""One setting of a TOML file changed, and all else left as people wrote it: comments, order, spaces.

A setting is named as TOML names it, `features.direct_io` or `host."example.org".connections`. Where a file is written
in a way that this does not understand, it is found out by reading the result, and the file stays as it is.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from typing import Any

_HEADER = re.compile(r"^[ \t]*\[[^\[\]\n]+\][ \t]*(#.*)?$")
_ANY_HEADER = re.compile(r"^[ \t]*\[")


def path(name: str) -> tuple[str, ...] | None:
    """Return the tables and the key that a name goes through, None when it is no name."""
    try:
        at: Any = tomllib.loads(f"{name} = 0")
    except tomllib.TOMLDecodeError:
        return None
    keys: list[str] = []
    while isinstance(at, dict) and len(at) == 1:
        (key,) = at
        keys.append(key)
        at = at[key]
    return tuple(keys) if at == 0 and "\n" not in name else None


def changed(text: str, name: Sequence[str], value: Any) -> str | None:
    """Return the text with a setting changed, or taken out when the value is None; None where that cannot be done."""
    wanted = tomllib.loads(text)
    table, existed = wanted, True
    for key in name[:-1]:
        existed = existed and key in table
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            return None
    table.pop(name[-1], None)
    if value is not None:
        table[name[-1]] = value
    elif not existed:
        return text
    return _if(_edited(text, tuple(name), value), wanted)


def without(text: str, name: Sequence[str]) -> str | None:
    """Return the text without a table, header and all; None where that cannot be done."""
    wanted = tomllib.loads(text)
    outer: Any = wanted
    for key in name[:-1]:
        outer = outer.get(key) if isinstance(outer, dict) else None
    if not isinstance(outer, dict) or name[-1] not in outer:
        return text
    del outer[name[-1]]
    lines = text.splitlines(keepends=True)
    span = _section(lines, list(name))
    if span is None:
        return _if(_edited(text, tuple(name), None), wanted)
    start, end = span
    return _if("".join([*lines[: start - 1], *lines[_kept(lines, start, end) :]]), wanted)


def _if(after: str, wanted: Any) -> str | None:
    """Return a text if it says what is wanted, but for tables in which nothing stands."""
    try:
        return after if _full(tomllib.loads(after)) == _full(wanted) else None
    except tomllib.TOMLDecodeError:
        return None


def _full(table: Any) -> Any:
    if not isinstance(table, dict):
        return table
    return {key: inner for key, inner in ((k, _full(v)) for k, v in table.items()) if inner != {}}


def _kept(lines: Sequence[str], start: int, end: int) -> int:
    """Return from which line on what follows the last setting of a table stays: comments before the next one."""
    while end < len(lines) and end > start and lines[end - 1].lstrip().startswith("#"):
        end -= 1
    return end


def shown(value: Any) -> str:
    """Return a value as TOML has it."""
    return json.dumps(value)


def _edited(text: str, name: tuple[str, ...], value: Any) -> str:
    *table, key = name
    line = [] if value is None else [f"{_key(key)} = {shown(value)}\n"]
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    span = _section(lines, table)
    if span is None:
        header = [f"[{'.'.join(map(_key, table))}]\n"]
        return "".join([*lines, *(["\n"] if lines else []), *header, *line]) if line else text
    start, end = span
    own = re.compile(rf"^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*=")
    at = next((number for number in range(start, end) if own.match(lines[number])), None)
    if at is not None:
        return "".join([*lines[:at], *line, *lines[at + 1 :]])
    end = _last(lines, start, end)
    return "".join([*lines[:end], *line, *lines[end:]])


def _last(lines: Sequence[str], start: int, end: int) -> int:
    """Return where the last setting of a table is followed by no more than what belongs to the next table."""
    while end < len(lines) and end > start and lines[end - 1].lstrip().startswith("#"):
        end -= 1
    while end > start and not lines[end - 1].strip():
        end -= 1
    return end


def _section(lines: Sequence[str], table: Sequence[str]) -> tuple[int, int] | None:
    """Return from which line to which a table goes, None when it has no header of its own."""
    headers = [number for number, line in enumerate(lines) if _ANY_HEADER.match(line)]
    start = next((number + 1 for number in headers if _names(lines[number]) == list(table)), None) if table else 0
    if start is None:
        return None
    return start, next((number for number in headers if number >= start), len(lines))


def _names(line: str) -> list[str] | None:
    if not _HEADER.match(line):
        return None
    found = path(line.strip().partition("]")[0].lstrip("[").strip())
    return None if found is None else list(found)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else shown(key)
