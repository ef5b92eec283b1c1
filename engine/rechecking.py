"""Checking exports: what the log says of the positions that a file covers, held against what the file says.

The rows are made anew from the log, which for a view means to fold it up to the position of the export, and compared
one by one with those of the file; text is compared byte by byte. Whatever is read comes in pages. A checkpoint that the
file has is to be one that a key of this home has signed, of a ledger that this log has, with all that the file covers.

Before a file is blamed for a row that is another one than the log has, the log is held against what was signed and
folded of it. Of a log that was repaired, exports that were made before count as its own, as far as it has what they do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from lading.adapters import parquet
from lading.adapters.plain_files import open_plain
from lading.auditing import Audit, Claim, claims
from lading.domain.errors import HistoryChanged, IntegrityError, NoteDamaged, UsageError
from lading.domain.notes import Checkpoint, Note
from lading.export_faults import Difference, Fault, LogAtFault, as_logged, asking_log
from lading.export_files import Provenance, provenance, renderer
from lading.export_remnants import hold_remnant
from lading.exporting import check_name, parts
from lading.extracting import Extract, Page
from lading.notary import Notary
from lading.projections.renderings import json_lines
from lading.projections.tables import NAMES
from lading.proving import count_up_to
from lading.reading import Reading
from lading.vouching import origin

MOST = 10
"""So many differences of one file are told."""
_FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}


def recheck(reading: Reading, path: Path, log: str, notary: Notary | None = None) -> Iterator[Difference | Provenance]:
    """Check a file, or each part of a folder; yield how they differ, and what each of them says it is.

    Without a notary nothing is said of checkpoints.

    Raises:
        UsageError: there is nothing of that name, or nothing that was exported.
    """
    if not path.exists():
        raise UsageError(f"there is no export {path}", hint="name a file or a folder that `lading export` wrote")
    if path.is_dir():
        try:
            found = [part.path for part in parts(path)]
        except IntegrityError as error:
            yield Difference(path, error.message)
            return
        if not found:
            raise UsageError(f"there is no export in {path}", hint="name what was given to `lading export --to`")
        for part in found:
            yield from _file(reading, part, log, notary)
    else:
        yield from _file(reading, path, log, notary)


def _file(reading: Reading, path: Path, log: str, notary: Notary | None) -> Iterator[Difference | Provenance]:
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        raise UsageError(f"{path} is not the name of an export", hint="it ends in .jsonl, .csv or .parquet")
    try:
        open_plain(path).close()  # Parquet is opened by its name, and would wait for a pipe
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="name what `lading export` wrote") from error
    try:
        says = provenance(path, form)
        check_name(path, says)
        yield says
        yield from _fairly(reading, notary, _hold(reading, path, says, log, notary))
        if notary is not None and says.checkpoint is not None:
            yield from _vouched(reading, path, says, log, notary)
    except LogAtFault as error:
        yield Difference(path, f"the log could not be read: {error}", fault=Fault.LOG)
    except IntegrityError as error:
        yield Difference(path, error.message)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        yield Difference(path, f"it holds what no export does: {type(error).__name__}")


def _hold(reading: Reading, path: Path, says: Provenance, log: str, notary: Notary | None) -> Iterator[Difference]:
    with asking_log():
        head = reading.log.head()
        kept = head if says.log == log else _kept(notary, says.log)
    if kept is None:
        yield Difference(path, "it is of another log than that of this home", fault=Fault.OTHER)
    elif says.view not in NAMES:
        yield Difference(path, f"it is of the view {says.view}, which this version does not have")
    elif says.last > kept and says.log != log:
        yield from hold_remnant(reading, path, says, kept)
    elif says.last > head:
        told = f"it covers events up to {says.last}, and the log ends at {head}"
        yield Difference(path, told, head + 1, Fault.BEYOND)
    else:
        with as_logged(reading, says.view, says.first - 1, says.last) as of:
            if of.schema != says.schema:
                raise IntegrityError(f"{path} has columns of another version, and cannot be held against the log")
            yield from _rows(path, says, of) if says.format == "parquet" else _text(path, says, of)


def _kept(notary: Notary | None, log_id: str) -> int | None:
    """Return how many events the log has of one that it was before it was repaired, None where it never was that."""
    return None if notary is None else notary.kept().get(origin(log_id))


def _fairly(reading: Reading, notary: Notary | None, found: Iterator[Difference]) -> Iterator[Difference]:
    """Pass differences on, and blame the log for rows that are others than it has where it is not what it was."""
    doubt: str | None = None
    is_asked = False
    for difference in found:
        if difference.fault is Fault.FILE and not is_asked:
            is_asked = True
            try:
                doubt = _doubt(reading, notary)
            except LogAtFault as error:
                doubt = str(error)
            if doubt is not None:
                yield Difference(difference.path, f"the log is not what it was: {doubt}", fault=Fault.LOG)
        yield difference if doubt is None else difference._replace(fault=Fault.LOG)


def _doubt(reading: Reading, notary: Notary | None) -> str | None:
    """Return in what the log is not the one that was signed and folded, None where it is."""
    with asking_log():
        reading.catch_up()
        signed = [] if notary is None else (claim for claim in claims(notary) if isinstance(claim, Claim))
        with reading.views.read() as reader:
            found = next(Audit(reading.log, signed, reader).discrepancies(), None)
    return None if found is None else found.message


def _vouched(reading: Reading, path: Path, says: Provenance, log: str, notary: Notary) -> Iterator[Difference]:
    """Hold the checkpoint of a file of this log, or of one that it was, against the log and what the file covers."""
    with asking_log():
        kept = says.last if says.log == log else _kept(notary, says.log)
    if kept is None:
        return
    try:
        note = Note.parse(says.checkpoint or "")
        size = Checkpoint.parse(note.text).size
    except NoteDamaged as error:
        yield Difference(path, f"its checkpoint is none: {error.message}")
        return
    with asking_log():
        try:
            if says.log == log:
                notary.follows(note, "its checkpoint")
            else:
                notary.descends(note, "its checkpoint", origin(says.log))
        except HistoryChanged as error:
            fault = Fault.LOG if error.vouched is not None and notary.is_believed(note) else Fault.FILE
            yield Difference(path, error.message, fault=fault)
            return
        reading.catch_up()
        with reading.views.read() as reader:
            count = count_up_to(reader, reading.log, min(says.last, kept))
    if size < count:
        yield Difference(path, f"it covers {count:,} events, and its checkpoint vouches for {size:,}")


def _rows(path: Path, says: Provenance, of: Extract) -> Iterator[Difference]:
    """Compare rows, all of them: one that is wrong does not move those behind it. Whole pages are equal at once."""
    digest, count, told = hashlib.sha256(), 0, 0
    with parquet.ParquetReader(str(path), of.columns) as file:
        for page in of.pages():
            found = file.take(len(page.lines))
            if not found.equals(parquet.batch(of.columns, page.values)):
                for number, what, position in _unequal(json_lines(of.columns, file.rows(found)), page):
                    told += 1
                    yield Difference(
                        path, f"the file {what} row {count + number}, that of position {position}", position
                    )
                    if told == MOST:
                        return
            digest.update(b"".join(page.lines))
            count += len(page.lines)
        if file.take(1).num_rows:
            told += 1
            yield Difference(path, f"the file goes on behind row {count}, the last one of the log")
    if not told:
        yield from _words(path, says, count, digest.hexdigest())


def _unequal(held: Sequence[bytes], page: Page) -> Iterator[tuple[int, str, int]]:
    """Walk the rows of a page that are others in a file, or not there: which, what, and at which position."""
    for number, (found, line, position) in enumerate(zip_longest(held, page.lines, page.values[0]), start=1):
        if found != line:
            yield number, "lacks" if found is None else "has another", position


def _text(path: Path, says: Provenance, of: Extract) -> Iterator[Difference]:
    """Compare bytes, and stop at the first row that differs: where those behind it begin cannot be known."""
    text = renderer(says.format, of.columns, says.log)
    digest, count = hashlib.sha256(), 0
    with open_plain(path) as file:
        if not _is_next(file, text.head()):
            yield Difference(path, "the file does not begin as it should")
            return
        for page in of.pages():
            for line, position in zip(text.lines(page), page.values[0], strict=True):
                count += 1
                if not _is_next(file, line):
                    yield Difference(path, f"the file differs in row {count}, that of position {position}", position)
                    return
            digest.update(b"".join(page.lines))
        if file.read(1):
            yield Difference(path, f"the file goes on behind row {count}, its last one")
            return
    yield from _words(path, says, count, digest.hexdigest())


def _is_next(file: BinaryIO, line: bytes) -> bool:
    return file.read(len(line)) == line


def _words(path: Path, says: Provenance, count: int, digest: str) -> Iterator[Difference]:
    """Compare what the file says of itself with what it is."""
    if says.count != count:
        yield Difference(path, f"it has {count} rows and says that it has {says.count}")
    if says.sha256 != digest:
        yield Difference(path, f"its rows have the digest {digest}, and it says {says.sha256}")
