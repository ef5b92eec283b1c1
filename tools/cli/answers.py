"""What goes to stdout: one line, or one JSON object, for each thing that was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from lading.tools.cli.frame import Frame

Row = Mapping[str, Any]


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
        print(text)


def write_json(row: Row) -> None:
    """Print one JSON object."""
    import orjson

    sys.stdout.buffer.write(orjson.dumps(row) + b"\n")


def note(frame: Frame, text: str) -> None:
    """Say something beside the answer, on stderr and to people only."""
    if not frame.json:
        print(text, file=sys.stderr, flush=True)
