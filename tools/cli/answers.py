r"""What goes to stdout: one line, or one JSON object, for each thing that was asked for.

A path need not be UTF-8, and what is printed is: each byte of it that is not is shown as `\xfd`, here and nowhere else.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

import click

from lading.tools.cli.frame import Frame

Row = Mapping[str, Any]
_NO_TEXT = re.compile("[\udc80-\udcff]")
"""What Python holds a byte as that is not UTF-8."""


def plain(text: object) -> str:
    """Return text that steers no terminal: what is not printable becomes a question mark, line ends become spaces."""
    words = str(text)
    if words.isprintable():
        return words
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "?" for c in words)


def tinted(text: str, colour: str) -> str:
    """Return text in a colour for stdout; as it is where that is no terminal, or where somebody wants none."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return click.style(text, fg=colour)


def answer(frame: Frame, row: Row, text: str) -> None:
    """Print `row` as JSON, or `text`, as the frame wants it."""
    if frame.json:
        write_json(row)
    else:
        print(shown(text))


def write_json(row: Row) -> None:
    """Print one JSON object."""
    import orjson

    try:
        line = orjson.dumps(row)
    except TypeError:  # a path that is not UTF-8, or a number of more than 64 bits
        line = json.dumps(shown(row), ensure_ascii=False, separators=(",", ":")).encode()
    sys.stdout.buffer.write(line + b"\n")


def shown(value: Any) -> Any:
    """Return text, or a value of JSON with all the text in it, in such a form that it can be printed as UTF-8."""
    match value:
        case str():
            words = _NO_TEXT.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", value)
            return words.encode(errors="backslashreplace").decode()
        case Mapping():
            return {shown(name): shown(inner) for name, inner in value.items()}
        case list() | tuple():
            return [shown(inner) for inner in value]
        case _:
            return value


def note(frame: Frame, text: str) -> None:
    """Say something beside the answer, on stderr and to people only."""
    if not frame.json:
        print(text, file=sys.stderr, flush=True)
