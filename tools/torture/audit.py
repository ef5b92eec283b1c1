"""The audit: what must hold of a home and a folder whenever an engine has died, and what more once one has recovered.

It looks at a copy of the home, so that looking changes nothing for the next engine, and at the folder itself. It folds
the log by its own loop over `evolve` and holds against that what the disk has, what the views say, what was told
through the pipe, and what the log held at the audit before.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import attrs

from lading import auditing
from lading.adapters import codec
from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.lmdb.store import LMDBStore
from lading.adapters.lmdb.verify import Verification
from lading.domain import events as e
from lading.domain import holdings
from lading.domain.download import Download
from lading.domain.errors import IntegrityError, StoreError
from lading.domain.evolving import evolve
from lading.domain.facts import Fact
from lading.domain.ports import Recorded
from lading.domain.states import ENDED, RUNNING, STOPPING, TRANSITIONS, State
from lading.notary import Notary
from lading.placing import kept_part
from lading.projections import progress
from lading.tools.torture.steps import ANCHOR, FINAL, PART, thing_of
from lading.views import ROWS, Views

OF_DOWNLOADS = frozenset(kind for row in TRANSITIONS.values() for kind in row)
UNDER_WAY = RUNNING | STOPPING
PAGE = 1000


@attrs.frozen(kw_only=True)
class Acknowledged:
    """What a victim said after it was durable: a download stood at `version`, in a state of this digest."""

    verb: str
    id: UUID
    version: int
    state: str


@attrs.frozen(kw_only=True)
class Look:
    """What an audit saw: the records of the log, and each download as they make it at each of its versions."""

    records: tuple[Recorded, ...] = ()
    facts: tuple[Fact, ...] = ()
    versions: Mapping[UUID, Sequence[Download]] = attrs.field(factory=dict)

    @property
    def downloads(self) -> list[Download]:
        """Every download as it stands."""
        return [versions[-1] for versions in self.versions.values()]

    @property
    def under_way(self) -> list[Download]:
        """The downloads that an engine ran, or was to stop."""
        return [download for download in self.downloads if download.state in UNDER_WAY]

    def events(self, id: UUID) -> Iterator[e.Event]:
        """Walk the events of a stream."""
        return (fact.event for fact in self.facts if fact.stream == id)


class Audit:
    """Looks at one home and one folder, again and again, and remembers what must not be lost.

    Args:
        home: Where the home lies.
        downloads: Where the files lie.
        known: Digests of all that may lie under a final name; grows with what is asked for.
        secret: What may stand nowhere in the home but sealed.
    """

    def __init__(self, home: Path, downloads: Path, known: set[str], secret: str) -> None:
        self._home = home
        self._downloads = downloads
        self._known = known
        self._secret = secret.encode()
        self._digests: dict[tuple[int, int, int, int], str] = {}
        self.last = Look()

    def violations(self, acknowledged: Iterable[Acknowledged]) -> list[str]:
        """Return what does not hold, in words; nobody may be working meanwhile."""
        with tempfile.TemporaryDirectory(prefix="lading-audit-") as folder:
            copy = Path(folder) / "home"
            if self._home.exists():
                shutil.copytree(self._home, copy)
            try:
                found = self._of_home(copy, acknowledged)
            except (IntegrityError, StoreError) as error:
                return [f"the home cannot be read: {error}"]
        return [*found, *self._of_files()]

    def _of_home(self, home: Path, acknowledged: Iterable[Acknowledged]) -> list[str]:
        log = LMDBLog(home / "log", trust_file_system=True)
        try:
            before, self.last = self.last, _look(log)
            return [
                *_kept(before, self.last),
                *self._acknowledged(acknowledged),
                *(f"verify: {f.message}" for f in Verification(log.environment, strict=True).findings()),
                *self._views(log, home),
                *(["a secret stands in the log"] if any(self._secret in r.state for r in self.last.records) else []),
            ]
        finally:
            log.close()

    def _acknowledged(self, acknowledged: Iterable[Acknowledged]) -> Iterator[str]:
        for ack in acknowledged:
            versions = self.last.versions.get(ack.id, ())
            if len(versions) < ack.version:
                yield f"{ack.verb} of {ack.id} was acknowledged at version {ack.version}; the log has {len(versions)}"
            elif hashlib.sha256(codec.dump_download(versions[ack.version - 1])).hexdigest() != ack.state:
                yield f"{ack.verb} of {ack.id} was acknowledged; version {ack.version} in the log is another state"

    def _views(self, log: LMDBLog, home: Path) -> Iterator[str]:
        def store(folder: Path) -> LMDBStore:
            return LMDBStore(folder, metasync=False, trust_file_system=True)

        views = Views(log, store, home, log_id=str(log.log_id))
        try:
            while not views.catch_up().reached:
                continue
            yield from (f"the views differ from a fresh replay at {key!r}" for key in views.verify())
            with views.read() as reader:
                held = {id: progress.get(reader, id, ROWS) for id in progress.ids(reader)}
            folded = {download.id: download for download in self.last.downloads}
            if held != folded:
                yield f"the views have {len(held)} downloads, the log {len(folded)}; they differ"
            outside = {ANCHOR: self._home.with_name(f"{self._home.name}.{ANCHOR}")}
            notary = Notary(home, str(log.log_id), views, anchored=outside)
            notary.examine()
            with views.read() as reader:
                tree = auditing.Audit(log, auditing.claims(notary), reader)
                yield from (f"the ledger: {found.message}" for found in tree.discrepancies())
        finally:
            views.close()

    # -- the disk --------------------------------------------------------------------------------------------------

    def files(self, *things: str) -> list[Path]:
        """Return the files in the folder that are such things, in order."""
        found = (Path(at) / name for at, _, names in os.walk(self._downloads) for name in names)
        home, downloads = os.fspath(self._home), os.fspath(self._downloads)
        return sorted(path for path in found if thing_of(os.fspath(path), home, downloads) in things)

    def place(self, path: str | None) -> Path:
        """Return where a path of the log lies."""
        assert path is not None, "a download that has started has its paths"
        return self._downloads / path

    def _of_files(self) -> Iterator[str]:
        for path in self.files(FINAL):
            if self.digest(path) not in self._known:
                yield f"{path.name} lies under a final name and is nothing that was ever served"
        parts = {download.part for versions in self.last.versions.values() for download in versions}
        for path in self.files(PART):
            if os.fspath(path.relative_to(self._downloads)) not in parts:
                yield f"{path.name} is no part that the log knows"
        for download in self.last.downloads:
            yield from self._completed(download) if download.state is State.COMPLETED else self._durable(download)

    def _completed(self, download: Download) -> Iterator[str]:
        path = self.place(download.path)
        if not path.is_file():
            yield f"{path.name} is completed, and not there"
        elif self.digest(path) != download.digest:
            yield f"{path.name} is completed, and its digest is another one"

    def _durable(self, download: Download) -> Iterator[str]:
        """Hold what the log vouches for against the disk (law 2)."""
        pieces = holdings.standing(self.last.events(download.id))
        if sum(piece.size for piece in pieces) != download.received:
            yield f"{download.path} has {download.received} durable bytes, and its pieces others"
        part = self._part(download) if pieces else None
        for piece in pieces:
            assert part is not None
            data = _read(part, piece.start, piece.size)
            if not piece.fits(data):
                claim = f"the log vouches for bytes {piece.start} to {piece.end} of {part.name}"
                yield f"{claim}; the disk has {len(data)} others"

    def _part(self, download: Download) -> Path:
        """Return where the part lies: what is given up may have been put aside already, and that is said after it."""
        part, given_up = self.place(download.part), download.state in _GIVEN_UP | ENDED
        return part if part.exists() or not given_up else self.place(kept_part(download.part or ""))

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file; remembered for as long as it stays the same file."""
        status = path.stat()
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in self._digests:
            with path.open("rb") as file:
                self._digests[key] = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        return self._digests[key]


def recovered(before: Look, after: Look, audit: Audit) -> Iterator[str]:
    """Yield what an undisturbed recovery, between two looks, left undone or told wrongly."""
    new = after.facts[len(before.facts) :]
    told = [fact.event for fact in new if isinstance(fact.event, e.Recovered)]
    if not any(isinstance(fact.event, e.EngineOpened) for fact in new):
        yield "an engine opened the home, and the log does not tell"
    yield from (f"{d.path} is still {d.state} after the recovery" for d in after.under_way)
    interrupted = before.under_way
    if interrupted and not told:
        yield f"{len(interrupted)} downloads were under way, and no Recovered tells of them"
    for event in told:
        ended = {d.id for d in after.downloads if d.state is State.COMPLETED}
        published = sum(d.id in ended for d in interrupted)
        vouched = sum(d.received for d in interrupted if d.id not in ended and d.state not in _GIVEN_UP)
        found, was = (event.interrupted, event.published, event.bytes_vouched), (len(interrupted), published, vouched)
        if found != was:
            yield f"Recovered tells of {found} interrupted, published and bytes vouched for; it was {was}"
    for download in after.downloads:
        if download.state is State.COMPLETED and audit.place(download.part).exists():
            yield f"{download.path} is completed, and its part is still there after the recovery"


_GIVEN_UP = frozenset({State.CANCELLING, State.REMOVING})


def _look(log: LMDBLog) -> Look:
    records: list[Recorded] = []
    while page := log.read(records[-1].position if records else 0, PAGE):
        records += page
    facts = tuple(map(codec.open_envelope, records))
    versions: dict[UUID, list[Download]] = {}
    for fact in facts:
        if type(fact.event) in OF_DOWNLOADS:
            known = versions.setdefault(fact.stream, [])
            known.append(evolve(known[-1] if known else None, fact.event, stream=fact.stream, at_ns=fact.at_ns))
    return Look(records=tuple(records), facts=facts, versions=versions)


def _kept(before: Look, after: Look) -> Iterator[str]:
    if after.records[: len(before.records)] != before.records:
        yield f"the log no longer begins with the {len(before.records)} events that it had"


def _read(path: Path, start: int, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(count)
    except FileNotFoundError:
        return b""
