"""Lists of URLs: one a line, blank lines and comments left out, read as they come and never held whole.

A list may be endless, slow or not a list at all, so memory is bounded by the length of one chunk, and whatever has
arrived is handed on at once: `tail -f urls | lading add -i -` queues each URL when it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

CHUNK_BYTES = 128 * 1024
LONGEST_LINE_BYTES = 256 * 1024


class Line(NamedTuple):
    """One line of a list: its number from 1, and its URL; None when it is no text or too long to be one."""

    number: int
    url: str | None


def open_list(name: str) -> BinaryIO:
    """Open a list by its path; `-` is standard input.

    Raises:
        UsageError: it cannot be read.
    """
    from lading.domain.errors import UsageError

    if name == "-":
        return open(0, "rb", buffering=0, closefd=False)
    try:
        return Path(name).open("rb", buffering=0)
    except OSError as error:
        raise UsageError(f"the list {name} cannot be read: {error.strerror}", hint="-i takes a file, or -") from error


def read_list(file: BinaryIO) -> Iterator[list[Line]]:
    """Yield the lines that mean something, as many at a time as one read brought; some may bring none."""
    number, rest, too_long = 0, b"", False
    while chunk := file.read(CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        lines: list[Line] = []
        for raw in whole:
            number += 1
            lines += _line(number, None if too_long else raw)
            too_long = False
        if len(rest) > LONGEST_LINE_BYTES:
            rest, too_long = b"", True
        yield lines
    if rest or too_long:
        yield _line(number + 1, None if too_long else rest)


def _line(number: int, raw: bytes | None) -> list[Line]:
    if raw is None or len(raw) > LONGEST_LINE_BYTES:
        return [Line(number, None)]
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except UnicodeDecodeError:
        return [Line(number, None)]
    return [Line(number, text)] if text and not text.startswith("#") else []
