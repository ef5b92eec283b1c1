"""One file of an export: rows in a format, with what it says of itself.

The formats are JSON lines, CSV and Parquet, and for events CloudEvents. What a file says of itself is the same in each:
the view, the positions that it covers, how many rows, the digest of these as JSON lines, the log that they are of, and
the checkpoint that vouches for that. Parquet keeps it in its own metadata. The others have no place for it that every
reader would pass over, so it stands beside them, in `.NAME.lading.json`. It is written first, under one more name and
with the number of the file that it is of, and takes its place when that file has been published: so whenever a kill
comes, the file that is there has its description, an old one the old and a new one the new.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import attrs
import orjson

from lading.adapters import parquet
from lading.adapters.disk.publishing import expect_replaceable
from lading.adapters.durable import sync_folder
from lading.adapters.plain_files import read_plain
from lading.domain.errors import DiskFull, IntegrityError, StoreLocked, UsageError
from lading.drafts import FULL, Draft
from lading.extracting import Extract, Page
from lading.projections import renderings
from lading.projections.tables import Column
from lading.version import VERSION

FORMATS = ("jsonl", "csv", "parquet", "cloudevents")
SUFFIXES = {"jsonl": "jsonl", "csv": "csv", "parquet": "parquet", "cloudevents": "cloudevents.jsonl"}
FORMAT = 1
_MODE = 0o666
"""Less what the umask takes: exports are for others too."""
_MOST = int(dt.datetime(9999, 12, 31, tzinfo=dt.UTC).timestamp()) * 1_000_000
"""The last day that there is, in microseconds; no position is greater either."""

_TAKEN = "--force replaces it, or name another file with --to"
_OTHER_PLACE = "name another place with --to"


_text = attrs.validators.instance_of(str)


def _count(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ValueError(f"{field.name} is no count")


@attrs.frozen(kw_only=True)
class Provenance:
    """What an export says of itself; `first` and `last` are the positions that it covers, both included.

    Attributes:
        sha256: of its rows as JSON lines, whatever its own format is.
        log: the id of the log, or of the home of one that has none.
        clock_us: the latest time of events up to its last one, by which days are told; 0 for views.
        checkpoint: a signed checkpoint of the log that covers `last`; None where nobody signed.
    """

    view: str = attrs.field(validator=_text)
    format: str = attrs.field(validator=_text)
    first: int = attrs.field(validator=_count)
    last: int = attrs.field(validator=_count)
    count: int = attrs.field(validator=_count)
    sha256: str = attrs.field(validator=_text)
    log: str = attrs.field(validator=_text)
    schema: int = attrs.field(default=1, validator=_count)
    clock_us: int = attrs.field(default=0, validator=_count)
    checkpoint: str | None = attrs.field(default=None, validator=attrs.validators.optional(_text))
    written_by: str = attrs.field(default=VERSION, validator=_text)
    version: int = attrs.field(default=FORMAT, validator=_count)


def beside(path: Path) -> Path:
    """Return where it is kept what a file of text says of itself."""
    return path.with_name(f".{path.name}.lading.json")


def _next(path: Path) -> Path:
    """Return where it is kept what a file of text will say of itself once it is published."""
    return path.with_name(f".{path.name}.lading.next")


def _words_beside(path: Path) -> Any:
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # there is none, or it is not whole
        words: Any = orjson.loads(read_plain(_next(path)))
        if words["inode"] == path.stat().st_ino:
            return words
    return orjson.loads(read_plain(beside(path)))


def provenance(path: Path, form: str) -> Provenance:
    """Return what a file says of itself.

    Raises:
        IntegrityError: it says nothing, or it cannot be read.
    """
    try:
        words = parquet.read_metadata(str(path)) if form == "parquet" else _words_beside(path)
        names = {field.name for field in attrs.fields(Provenance)}
        if words["version"] > FORMAT:
            raise IntegrityError(f"{path} was exported by a later version of Lading", hint="upgrade Lading")
        return Provenance(**{name: value for name, value in words.items() if name in names})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise IntegrityError(
            f"{path} does not say what it holds: {type(error).__name__}",
            hint=f"only what `lading export` wrote can be checked, with {beside(path).name} beside it if it is text",
        ) from error


class Renderer(Protocol):
    """Rows of a table in a format of text."""

    def head(self) -> bytes:
        """Return what stands before all rows."""
        ...

    def lines(self, page: Page) -> Sequence[bytes]:
        """Return the rows of a page, each with its line end."""
        ...


class _Json:
    def head(self) -> bytes:
        return b""

    def lines(self, page: Page) -> Sequence[bytes]:
        return page.lines


class _Csv:
    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def head(self) -> bytes:
        return renderings.csv_head(self._columns)

    def lines(self, page: Page) -> Sequence[bytes]:
        return renderings.csv_lines(self._columns, page.rows())


class _CloudEvents:
    def __init__(self, log: str) -> None:
        self._source = f"urn:lading:log:{log}"

    def head(self) -> bytes:
        return b""

    def lines(self, page: Page) -> Sequence[bytes]:
        return list(renderings.cloud_events(page.rows(), self._source))


def renderer(form: str, columns: Sequence[Column], log: str) -> Renderer:
    """Return what writes rows in a format of text."""
    match form:
        case "jsonl":
            return _Json()
        case "csv":
            return _Csv(columns)
        case _:
            return _CloudEvents(log)


class _TextWriter:
    def __init__(self, file: BinaryIO, renderer: Renderer) -> None:
        self._file = file
        self._renderer = renderer
        file.write(renderer.head())

    def write(self, page: Page) -> None:
        self._file.writelines(self._renderer.lines(page))

    def close(self, metadata: Mapping[str, Any]) -> None:
        """Have nothing to add: what describes the file stands beside it."""

    def abandon(self) -> None:
        """Have nothing to let go of."""


class _ParquetPages:
    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._writer = parquet.ParquetWriter(file, columns)
        self.close = self._writer.close
        self.abandon = self._writer.abandon

    def write(self, page: Page) -> None:
        self._writer.write(page.values)


class ExportFile:
    """One file that is being written, as a draft; use it as a context, in which `publish` gives it its name.

    Args:
        path: where it is to be.
        of: the table.
        form: one of `FORMATS`.
        log: the id of the log.
        replace: whether it may take the place of a file that is there.

    Raises:
        DestinationTaken, UsageError: it cannot be there.
    """

    def __init__(self, path: Path, of: Extract, form: str, log: str, *, replace: bool = False) -> None:
        self._of = of
        self._format = form
        self._log = log
        self._digest = hashlib.sha256()
        self.count = 0
        with refusals(path):
            self._draft = Draft(path, replace=replace, mode=_MODE, taken=_TAKEN)
        try:
            self._writer: _TextWriter | _ParquetPages = (
                _ParquetPages(self._draft.file, of.columns)
                if form == "parquet"
                else _TextWriter(self._draft.file, renderer(form, of.columns, log))
            )
        except BaseException:
            self._draft.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.abandon()
        self._draft.__exit__(kind, error, trace)

    @property
    def path(self) -> Path:
        """Where it will be, or is."""
        return self._draft.path

    def write(self, page: Page) -> None:
        """Add rows.

        Raises:
            DiskFull, UsageError: it cannot be written.
        """
        self._digest.update(b"".join(page.lines))
        self.count += len(page.lines)
        with refusals(self.path):
            self._writer.write(page)

    def rename(self, name: str) -> None:
        """Choose another name for it to appear under."""
        self._draft.path = self._draft.path.with_name(name)

    def publish(self, first: int, last: int, *, clock_us: int = 0, checkpoint: str | None = None) -> Provenance:
        """End the file, which covers these positions, and let it appear.

        Raises:
            DestinationTaken: something has appeared at its place meanwhile, or what lies beside it is no file.
            DiskFull, UsageError: it cannot be written.
        """
        says = Provenance(
            view=self._of.view,
            format=self._format,
            schema=self._of.schema,
            first=first,
            last=last,
            count=self.count,
            sha256=self._digest.hexdigest(),
            log=self._log,
            clock_us=clock_us,
            checkpoint=checkpoint,
        )
        words = attrs.asdict(says)
        with refusals(self.path):
            self._writer.close(words)
        with refusals(self.path):
            if self._format != "parquet":
                expect_replaceable(str(beside(self.path)), hint=_OTHER_PLACE)
                with Draft(_next(self.path), replace=True, mode=_MODE) as draft:
                    words["inode"] = self._draft.inode
                    draft.file.write(orjson.dumps(words, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
                    draft.publish()
            self._draft.publish()
            if self._format != "parquet":
                os.replace(_next(self.path), beside(self.path))
                sync_folder(self.path.parent)
        return says


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Say what the file system refuses in errors of ours."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull(f"there is no room for {path}", hint="free some space and do it again") from error
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint=_OTHER_PLACE) from error


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Be the only one who adds to a folder, which is made when it is missing.

    Raises:
        StoreLocked: somebody else does.
        UsageError: it cannot be made or opened.
    """
    with refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreLocked(f"another export adds to {folder}", hint="wait until it has ended") from None
        yield
    finally:
        os.close(descriptor)
