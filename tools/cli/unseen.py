"""What is not to be seen on a command line: URLs and headers that come from stdin or from a file.

The words of a command are in the history of a shell, and whoever lists the processes of a machine reads them. Nothing
of what is read here is quoted in an error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

STDIN = "-"
MARK = "@"
LONGEST_BYTES = 256 * 1024


def address(given: str) -> str:
    """Return a URL that was given, or with `-` the one on the next line of stdin.

    Raises:
        UsageError: there is none.
    """
    from lading.domain.errors import UsageError

    if given != STDIN:
        return given
    line = _text(sys.stdin.buffer.readline(LONGEST_BYTES)).strip()
    if not line:
        raise UsageError("there is no URL on stdin", hint="with - for a URL, it is read from a line of stdin")
    return line


def headers(given: Iterable[str]) -> Iterator[str]:
    """Yield the headers that were given: as they are, or with `@FILE` those in a file, one a line; `@-` is stdin.

    Raises:
        UsageError: a file cannot be read, or is none of headers.
    """
    from lading.domain.errors import UsageError

    for line in given:
        if not line.startswith(MARK):
            yield line
            continue
        name = line.removeprefix(MARK)
        try:
            if name == STDIN:
                data = _read(sys.stdin.buffer)
            else:
                with Path(name).open("rb") as file:
                    data = _read(file)
        except OSError as error:
            raise UsageError(
                f"the headers in {name} cannot be read: {error.strerror}", hint="--header @FILE has one header a line"
            ) from error
        yield from (text for each in _text(data).splitlines() if (text := each.strip()) and not text.startswith("#"))


def _read(file: BinaryIO) -> bytes:
    from lading.domain.errors import UsageError

    data = file.read(LONGEST_BYTES + 1)
    if len(data) > LONGEST_BYTES:
        raise UsageError(f"headers have at most {LONGEST_BYTES:,} bytes", hint="--header @FILE has one header a line")
    return data


def _text(data: bytes) -> str:
    from lading.domain.errors import UsageError

    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("what was read is no text", hint="give it in UTF-8") from None
