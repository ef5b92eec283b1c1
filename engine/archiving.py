"""Archiving: closed history goes into files, and leaves queue and history, while the log keeps every event of it.

    FOLDER/history-DAY-ID.jsonl    at most a thousand downloads with their attempts; DAY is when the first of them ended
    FOLDER/history-DAY-ID.parquet  the same rows, typed as exports are

A file is durable before `HistoryArchived` says of it, in one event, which downloads it holds, at which version each,
and its digest; only then do the views let go of them, as a fold of that event. A file's content is a function of the
downloads alone and its ID one of its content, so a run that was killed between the two finds its file again and goes
on. If one of them has moved since, what it left is an orphan: no event speaks of it, and each run names it.

Two runs at once tell the same archive once, since its stream is named after its content; where they cut differently, a
download may be in two files, and has left the views once.

Proofs that the events of a download are in the ledger belong beside its row: `proof`, null until there is a ledger.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import attrs
import orjson

from lading.adapters import parquet
from lading.domain import archiving
from lading.domain import events as e
from lading.domain.download import Download
from lading.domain.errors import BackupDamaged, InvalidSetting
from lading.domain.ports import Conflict
from lading.drafts import clear, explain, put_file
from lading.projections import history
from lading.projections.tables import Column, Kind, instant_us
from lading.reading import Reading
from lading.services import Services
from lading.views import ROWS

FORMAT = 1
_FILE = re.compile(r"history-\d{8}-([0-9a-f]{32})\.[a-z]+")

Row = dict[str, Any]
Tell = Callable[[Row], None]


@attrs.frozen(kw_only=True)
class Lot:
    """What one file is made of: downloads, their rows and those of their attempts; and where the next lot begins."""

    downloads: tuple[Download, ...]
    rows: tuple[Row, ...]
    after: bytes | None
    left: int


@attrs.define(kw_only=True)
class Archived:
    """How many downloads went into how many files, of how many bytes, and how many that had ended were left."""

    downloads: int = 0
    files: int = 0
    bytes: int = 0
    left: int = 0


class Archiver:
    """Archives the closed history of one home."""

    def __init__(self, services: Services, reading: Reading) -> None:
        self._s = services
        self._reading = reading

    async def archive(self, folder: Path, older_than_s: float, form: str, tell: Tell) -> Archived:
        """Archive what ended so long ago and is closed, file by file; `tell` is given each, and each orphan.

        Raises:
            InvalidSetting: there is no such format.
            DiskFull, StoreUnavailable: a file cannot be made; nothing has left the views that is in no file.
        """
        if form not in ENCODERS:
            raise InvalidSetting(f"archives have no format {form!r}", hint=f"known are {', '.join(ENCODERS)}")
        if form == "parquet":
            parquet.require()
        run, before_ns = self._s.threads.run, self._s.clock.now_ns() - int(older_than_s * 1e9)
        await run(self._reading.catch_up)
        for orphan in await run(lambda: list(self._orphans(folder))):
            tell(orphan)
        act = attrs.evolve(self._s.context, correlation=self._s.chance.uuid(self._s.clock.now_ns()))
        done, after = Archived(), None
        while True:
            lot = await run(partial(self.gather, before_ns, after))
            done.left += lot.left
            if not lot.downloads:
                break
            path, event = await run(partial(write, folder, lot, form, before_ns))
            entry = self._s.journal.entry(archiving.stream_of(event.digest), 1, event, self._s.clock.now_ns(), act)
            (answer,) = await self._s.journal.append([[entry]])
            if not isinstance(answer, Conflict):
                done.downloads += len(event.downloads)
                done.files += 1
                done.bytes += event.size
                tell(_told("archive", path, event))
            await run(self._reading.catch_up)
            after = lot.after
        return done

    def gather(self, before_ns: int, after: bytes | None) -> Lot:
        """Return what the next file is made of; blocks."""
        downloads: list[Download] = []
        rows: list[Row] = []
        left = 0
        with self._reading.views.read() as reader:
            for key, download in history.closed(reader, before_ns, ROWS, after=after):
                after = key
                if not archiving.is_closed(download):
                    left += 1
                    continue
                downloads.append(download)
                rows += _rows(download, history.attempts(reader, download.id, ROWS))
                if len(downloads) == archiving.MOST_DOWNLOADS or len(rows) >= archiving.MOST_ROWS:
                    break
        return Lot(downloads=tuple(downloads), rows=tuple(rows), after=after, left=left)

    def _orphans(self, folder: Path) -> Iterator[Row]:
        """Yield the files in a folder that are named as archives are, and of which the log says nothing.

        What somebody who was killed had not finished is removed.
        """
        try:
            clear(folder, "history-*")
            found = sorted(folder.iterdir()) if folder.is_dir() else []
        except OSError as error:
            raise explain(error, folder) from error
        for path in found:
            name = _FILE.fullmatch(path.name)
            if name is not None and not self._reading.log.stream(UUID(hex=name[1])):
                yield _told("orphan", path, None)


def _told(kind: str, path: Path, event: e.HistoryArchived | None) -> Row:
    return {
        "kind": kind,
        "path": str(path),
        "downloads": None if event is None else len(event.downloads),
        "bytes": None if event is None else event.size,
        "digest": None if event is None else event.digest,
    }


def _rows(download: Download, tries: Iterator[Row]) -> Iterator[Row]:
    yield {"kind": "download", **history.row(download), "version": download.version, "proof": None}
    for attempt in tries:
        yield {"kind": "attempt", **attempt}


def write(folder: Path, lot: Lot, form: str, before_ns: int) -> tuple[Path, e.HistoryArchived]:
    """Make the file of a lot, durably, unless it is there already; return its path, and what is to be said of it."""
    data = ENCODERS[form](lot.rows)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    day = dt.datetime.fromtimestamp((lot.downloads[0].ended_at_ns or 0) // 10**9, dt.UTC)
    path = folder / f"history-{day:%Y%m%d}-{archiving.stream_of(digest).hex}.{form}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (path.is_file() and path.read_bytes() == data):
            put_file(path, partial(_fill, data), check=partial(_compare, data), replace=True)
    except OSError as error:
        raise explain(error, path) from error
    return path, e.HistoryArchived(
        file=path.name,
        digest=digest,
        size=len(data),
        format=form,
        before_ns=before_ns,
        downloads=tuple(download.id for download in lot.downloads),
        versions=tuple(download.version for download in lot.downloads),
    )


def _fill(data: bytes, file: BinaryIO) -> None:
    file.write(data)


def _compare(data: bytes, draft: Path) -> None:
    if draft.read_bytes() != data:
        raise BackupDamaged(f"{draft} does not hold what was written", hint="look into the system's log")


def _jsonl(rows: Sequence[Row]) -> bytes:
    head = {"kind": "archive", "format": FORMAT}
    return b"".join(orjson.dumps(row) + b"\n" for row in (head, *rows))


def _parquet(rows: Sequence[Row]) -> bytes:
    file = io.BytesIO()
    writer = parquet.ParquetWriter(file, COLUMNS)
    try:
        writer.write([[_value(column, row) for row in rows] for column in COLUMNS])
        writer.close({"kind": "archive", "format": FORMAT})
    except BaseException:
        writer.abandon()
        raise
    return file.getvalue()


def _value(column: Column, row: Row) -> Any:
    value = row.get(column.name)
    return instant_us(value) if column.kind is Kind.TIME else value


COLUMNS = tuple(
    Column(name, kind)
    for name, kind in {
        "kind": Kind.WORD, "id": Kind.TEXT, "url": Kind.TEXT, "tags": Kind.TEXTS, "started_at": Kind.TIME,
        "ended_at": Kind.TIME, "bytes": Kind.INT, "success": Kind.FLAG, "error": Kind.TEXT, "digest": Kind.TEXT,
        "assurance": Kind.WORD, "path": Kind.TEXT, "transport": Kind.WORD, "attempts": Kind.INT, "state": Kind.WORD,
        "version": Kind.INT, "proof": Kind.JSON,
    }.items()
)  # fmt: skip
"""Of an archive in Parquet: those of exported history that are known of a row here, and what an archive adds."""

ENCODERS: Mapping[str, Callable[[Sequence[Row]], bytes]] = {"jsonl": _jsonl, "parquet": _parquet}
"""What makes the content of a file, by format, which is also how its name ends; the same rows give the same bytes."""


class Archiving:
    """The side of an engine that archives."""

    archiver: Archiver

    async def archive(
        self,
        folder: str | Path,
        *,
        older_than_s: float = 0.0,
        form: str = "jsonl",
        tell: Tell = lambda _: None,
    ) -> dict[str, int]:
        """Move what ended so long ago, and is closed, out of queue and history, into files in `folder`.

        The log keeps every event of it, and what happens to such a download later brings it back. A download of which
        anything is still kept on the disk (a part, a file that was put aside) stays. Returned is how many downloads
        went into how many files, of how many bytes, and how many that had ended were left.

        Raises:
            InvalidSetting: there is no such format.
            DiskFull, StoreUnavailable: a file cannot be made; nothing has left the views that is in no file.
        """
        return attrs.asdict(await self.archiver.archive(Path(folder), older_than_s, form, tell))
