"""Whether what is stored is what was stored: log, views against a fresh fold, files against their digests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from lading.adapters import codec
from lading.domain import digests
from lading.domain.digests import Digest
from lading.domain.download import Download
from lading.domain.errors import LogDamaged
from lading.domain.states import State
from lading.domain.upkeep import Presence, Verdict
from lading.projections import destinations, progress
from lading.reading import Reading
from lading.tools.cli import homes
from lading.tools.cli.frame import Frame
from lading.tools.cli.telling import Words
from lading.views import ROWS

PAGE = 1000
READ_BYTES = 4 * 1024 * 1024
_VIEWS = {
    b"p": "progress", b"r": "roster", b"q": "queue", b"h": "history", b"f": "failures", b"d": "destinations",
    b"l": "litter", b"u": "upkeep", b"c": "hold", b"a": "acts", b"b": "bundles", b"s": "statistics",
}  # fmt: skip


class Finding(NamedTuple):
    """One thing that is not as it was stored; `kind` is log, view or file."""

    kind: str
    message: str
    id: str | None = None
    path: str | None = None
    position: int | None = None


class Check:
    """One pass over a home; `findings` makes it, and the counts tell what was looked at.

    Args:
        frame: the home.
        views: whether to hold the views against a fresh fold.
        files: whether to hold the files of completed downloads against their digests.
        downloads: where the download folder of the home's own program is, if it has one.
    """

    def __init__(self, frame: Frame, *, views: bool, files: bool, downloads: Path | None) -> None:
        self._frame = frame
        self._with_views = views
        self._with_files = files
        self._roots: Mapping[str, Path] = {"/": Path("/")} | ({"downloads": downloads} if downloads else {})
        self.words = Words()
        self.damage = 0
        self.events: int | None = None
        self.views: bool | None = None
        self.files: int | None = None
        self.unchecked = 0

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong. On a damaged log nothing else is tried: reading it may end the process.

        Raises:
            StoreUnavailable: the home cannot be opened.
        """
        for finding in self._findings():
            self.damage += 1
            yield finding

    def _findings(self) -> Iterator[Finding]:
        folder = homes.lmdb_folder(self._frame, homes.existing(self._frame))
        if folder is not None:
            yield from _lmdb_log(folder)
            if self.damage:
                return
        with homes.looking(self._frame, caught_up=False) as reading:
            if folder is None:
                yield from _any_log(reading)
                if self.damage:
                    return
            self.events = reading.log.head()
            if self._with_views:
                yield from self._check_views(reading)
            if self._with_files:
                reading.catch_up()
                yield from self._check_files(reading)

    def _check_views(self, reading: Reading) -> Iterator[Finding]:
        sound = True
        for key in reading.views.verify():
            sound = False
            view = _VIEWS.get(key[:1], "unknown")
            yield Finding("view", f"the view {view} differs from a fresh fold at the key {key.hex()}")
        self.views = sound

    def _check_files(self, reading: Reading) -> Iterator[Finding]:
        self.files = 0
        for download, current in _completed(reading):
            base = self._roots.get(download.order.root)
            if base is None:
                self.unchecked += 1
            elif current:
                self.files += 1
                path = base / (download.path or "")
                presence, message = _judge(path, download)
                self.words.take(download, Verdict(presence=presence, reason=message.removeprefix(f"{path} ")))
                if message:
                    yield Finding("file", message, id=str(download.id), path=str(path))

    def row(self) -> dict[str, Any]:
        """Return what was looked at and whether it was sound."""
        return {
            "kind": "summary",
            "ok": self.damage == 0,
            "findings": self.damage,
            "events": self.events,
            "views": self.views,
            "files": self.files,
            "unchecked": self.unchecked,
        }


def _lmdb_log(folder: Path) -> Iterator[Finding]:
    from lading.adapters.lmdb.verify import examine

    for found in examine(folder, strict=True):
        yield Finding("log", f"{found.kind}: {found.message}", position=found.position)


def _any_log(reading: Reading) -> Iterator[Finding]:
    """Read every event of a log; a database has checksums of its own or none."""
    after = 0
    while page := reading.log.read(after, PAGE):
        after = page[-1].position
        for recorded in page:
            try:
                codec.open_envelope(recorded)
            except LogDamaged as damage:
                yield Finding("log", damage.message, id=str(recorded.stream), position=recorded.position)


def _completed(reading: Reading) -> Iterator[tuple[Download, bool]]:
    """Walk completed downloads, each with whether its file is the last that was published under its path.

    Each look at the views is short, however long the files take.
    """
    after: UUID | None = None
    while True:
        with reading.views.read() as reader:
            page = list(progress.ids(reader, after=after, limit=PAGE))
            found = [progress.get(reader, id, ROWS) for id in page]
            done = [(d, _is_last(reader, d)) for d in found if d is not None and d.state is State.COMPLETED]
        if not page:
            return
        after = page[-1]
        yield from done


def _is_last(reader: Any, download: Download) -> bool:
    for id in destinations.claims(reader, download.order.root, download.path or ""):
        claimant = progress.get(reader, id, ROWS)
        if claimant is not None and claimant.state is State.COMPLETED:
            return id == download.id
    return True


def _judge(path: Path, download: Download) -> tuple[Presence, str]:
    """Return whether the file at `path` is what was published, and what is wrong with it."""
    expected = Digest.parse(download.digest or "")
    try:
        size = os.stat(path).st_size
        if size != download.total:
            return Presence.NOT_VALID, f"{path} has {size} bytes, and {download.total} were published"
        found = _digest(path, expected.algorithm)
    except FileNotFoundError:
        return Presence.ABSENT, f"{path} is missing"
    except OSError as error:
        return Presence.UNKNOWN, f"{path} cannot be read: {error.strerror}"
    if found == expected.hex:
        return Presence.VALID, ""
    return Presence.NOT_VALID, f"{path} has changed: {expected.algorithm}:{found} is not {expected}"


def _digest(path: Path, algorithm: str) -> str:
    running = digests.hasher(algorithm)
    buffer = memoryview(bytearray(READ_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            running.update(buffer[:count])
    return running.hexdigest()
