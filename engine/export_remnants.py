"""Exports of a log that was repaired since: what of a file the log still has, and what only the file has.

The first `kept` events are the same ones in both, at the same positions, and the file is held to them. Of events it has
to have just these up to there. Of a view as it stood later, the rows whose last event is among them have to be rows of
the view as it stood there, in its order; the log has others besides, which had changed by then. Attempts are the
exception: a row of theirs also tells what befell the download later. What lies behind was lost by the repair. It is
counted, and digested where the format allows it, so that it is known to be what the file says of itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from lading.adapters import parquet
from lading.adapters.plain_files import open_plain
from lading.domain.errors import IntegrityError
from lading.export_faults import Difference, Fault, as_logged
from lading.export_files import Provenance, renderer
from lading.extracting import PAGE, Extract
from lading.projections.renderings import json_lines
from lading.projections.tables import Column
from lading.reading import Reading

_DIGESTED = frozenset({"jsonl", "parquet"})
"""The formats whose rows can be had as JSON lines, which are what is digested, without the log."""
_MIXED = "attempts"


class _Row(NamedTuple):
    """A row of a file: the position that it names, and its bytes, for Parquet those of a JSON line."""

    position: int
    line: bytes


def hold_remnant(reading: Reading, path: Path, says: Provenance, kept: int) -> Iterator[Difference]:
    """Tell what only a file has, which covers more than the first `kept` events, and hold it against these.

    Raises:
        LogAtFault: the log cannot be read.
        IntegrityError, ValueError: the file cannot be.
    """
    first = max(kept + 1, says.first)
    unheld = "; of what it says of attempts before that, nothing could be checked" if says.view == _MIXED else ""
    yield Difference(
        path,
        f"it covers positions {first} to {says.last} of this log as it was before it was repaired, and the repair "
        f"lost them{unheld}",
        first,
        Fault.LOST,
    )
    with as_logged(reading, says.view, says.first - 1, kept) as of:
        if of.schema != says.schema:
            raise IntegrityError(f"{path} has columns of another version, and cannot be held against the log")
        rows = _Rows(path, says, of.columns)
        walked = iter(rows)
        yield from _unlike(path, walked, of, says, kept)
        for _ in walked:
            continue
        yield from rows.words()


def _unlike(path: Path, rows: Iterator[_Row], of: Extract, says: Provenance, kept: int) -> Iterator[Difference]:
    """Yield where the rows that the log still has are others in a file; it stops at the first."""
    logged, exact = _logged(of, says), of.view == "events"
    for number, row in enumerate(rows, start=1):
        if row.position > kept or of.view == _MIXED:
            continue
        if exact and next(logged, None) != row.line:
            yield Difference(path, f"the file differs in row {number}, that of position {row.position}", row.position)
            return
        if not exact and not any(line == row.line for line in logged):
            said = f"row {number} of the file, that of position {row.position}, is none that the log has"
            yield Difference(path, said, row.position)
            return
    if exact and next(logged, None) is not None:
        yield Difference(path, "the file lacks rows that the log has")


def _logged(of: Extract, says: Provenance) -> Iterator[bytes]:
    """Walk the rows that the log has, as the file would have them."""
    text = None if says.format == "parquet" else renderer(says.format, of.columns, says.log)
    for page in of.pages():
        yield from page.lines if text is None else text.lines(page)


class _Rows:
    """The rows of a file; what they come to can be told when all have been walked."""

    def __init__(self, path: Path, says: Provenance, columns: Sequence[Column]) -> None:
        self._path = path
        self._says = says
        self._columns = columns
        self._digest = hashlib.sha256()
        self._count = 0

    def __iter__(self) -> Iterator[_Row]:
        for row in self._parquet() if self._says.format == "parquet" else self._text():
            self._count += 1
            self._digest.update(row.line)
            yield row

    def words(self) -> Iterator[Difference]:
        """Yield where the file is not what it says of itself."""
        says, digest = self._says, self._digest.hexdigest()
        if says.count != self._count:
            yield Difference(self._path, f"it has {self._count} rows and says that it has {says.count}")
        elif says.format in _DIGESTED and says.sha256 != digest:
            yield Difference(self._path, f"its rows have the digest {digest}, and it says {says.sha256}")

    def _parquet(self) -> Iterator[_Row]:
        with parquet.ParquetReader(str(self._path), self._columns) as file:
            while (batch := file.take(PAGE)).num_rows:
                found = file.rows(batch)
                for row, line in zip(found, json_lines(self._columns, found), strict=True):
                    yield _Row(row[0], line)

    def _text(self) -> Iterator[_Row]:
        head = renderer(self._says.format, self._columns, self._says.log).head()
        with open_plain(self._path) as file:
            if file.read(len(head)) != head:
                raise ValueError("head")
            held = b""
            for line in file:
                held += line
                if self._says.format != "csv":
                    yield _Row(int(orjson.loads(held)["position"]), held)
                elif held.count(b'"') % 2:  # a cell goes on behind the end of its line
                    continue
                else:
                    yield _Row(int(held.partition(b",")[0]), held)
                held = b""
            if held:
                raise ValueError("end")
