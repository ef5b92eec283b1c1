"""A backup: one file that holds what a home cannot make anew, taken beside an engine that goes on working.

    settings.toml    as it is; left out when it holds what may be secret, and secrets were not asked for
    checkpoints/…    what was signed of the log, as far as anything was
    keys/….pub       what checks that; with secrets also what signs
    events           the events of the log, in order, as `lading.packing` lays them
    hooks/NAME       how far each hook has been told, in ordinals
    vault/key        with secrets only: the home's key
    vault/secrets    with secrets only: the rows of the vault

Views, cache, locks and files that were downloaded are not in it. The log only grows, so its beginning up to a position
that was read once is consistent however much is appended meanwhile; no lock is taken. What must not be ahead of the log
is copied before that position is read (checkpoints, cursors), what must not be behind it afterwards (secrets).

Events are kept by their content and their order, not as the pages of one store: so nothing damaged or deleted is
copied along, and any kind of log can be made of them. The file is read back, bit for bit, before it gets its name.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import attrs
import orjson

from lading import packing
from lading.adapters import codec
from lading.adapters.lmdb.store import LMDBStore
from lading.adapters.parcel import Packer, Parcel, is_name
from lading.adapters.vault import Strongroom
from lading.auditing import Audit, Claim
from lading.cursors import FOLDER as HOOKS
from lading.cursors import FileCursors
from lading.domain.errors import BackupDamaged, LadingError, LogDamaged, NoteDamaged, StoreNewer
from lading.domain.ledger import HASH_BYTES
from lading.domain.notes import Checkpoint, Note
from lading.domain.ports import Entry, Log, Recorded
from lading.drafts import put_file
from lading.home import Home
from lading.opening import name_for_signing, open_own_log
from lading.projections.edge import Edge
from lading.settings import TABLES
from lading.tables import secrets_of
from lading.version import VERSION
from lading.vouching import FOLDER as CHECKPOINTS
from lading.vouching import KEYS, origin

FORMAT = 1
PAGE = 1000
READ_BYTES = 1024 * 1024
EVENTS, SETTINGS, KEY, SECRETS = "events", "settings.toml", "vault/key", "vault/secrets"
COPIED = (CHECKPOINTS, KEYS)
"""Folders of a home of which the files are copied as they are, before the log is looked at."""
PUBLIC = {KEYS: ".pub"}
"""Of these folders only files whose names end so are copied, unless secrets are asked for."""


@attrs.frozen(kw_only=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        format: of the backup.
        made_by, created_at: by which program and when (UTC).
        home, log: their ids; a log that has none has an empty one.
        events: how many there are; position: of the last of them, in the log that they were read from.
        vault: whether secrets are in it.
        left_out: what the home has and the backup does not, of what is not made anew.
        root: of the ledger over these events, in hex; None in backups of versions that told none.
        signed: by which name checkpoints are kept of this log, None where nobody signs, or it was not told.
    """

    format: int
    made_by: str
    created_at: str
    home: str
    log: str
    events: int
    position: int
    vault: bool
    left_out: tuple[str, ...] = ()
    root: str | None = None
    signed: str | None = None


def back_up(
    home: Home, log_url: str | None, path: Path, *, with_vault: bool, replace: bool, now_ns: int
) -> tuple[Manifest, int]:
    """Write a backup of a home to `path`; return what it says of itself, and its bytes.

    Raises:
        DestinationTaken: there is such a file, and it is not to be replaced.
        DiskFull, StoreUnavailable: it cannot be written, or the home cannot be read; nothing is left of it.
        LogDamaged: the log cannot be copied; nothing is left of the backup.
    """
    log = open_own_log(home, log_url)
    made: list[Manifest] = []
    try:
        backup = _Backup(home, log, name_for_signing(home, log, log_url), with_vault=with_vault, now_ns=now_ns)
        put_file(
            path,
            lambda file: made.append(backup.write(file)),
            check=lambda draft: _compare(draft, made[0]),
            replace=replace,
            taken="name another file, or say --force",
        )
    finally:
        log.close()
    return made[0], path.stat().st_size


def _compare(draft: Path, written: Manifest) -> None:
    with Parcel(draft) as parcel:
        if examine(parcel) != written:
            raise BackupDamaged(f"{draft} does not hold what was written", hint="look into the system's log")


class _Backup:
    def __init__(self, home: Home, log: Log, signed: str | None, *, with_vault: bool, now_ns: int) -> None:
        self._home = home
        self._log = log
        self._signed = signed
        self._with_vault = with_vault
        self._now_ns = now_ns
        self._left_out: list[str] = []
        self._events = 0
        self._edge = Edge()
        self._marks: dict[int, int] = {}

    def write(self, file: BinaryIO) -> Manifest:
        packer = Packer(file)
        self._put_files(packer)
        cursors = self._cursors()
        self._marks = {words["position"]: 0 for words in cursors.values()}
        head = self._log.head()
        packer.add(EVENTS, packing.pack(self._packed(head)))
        for name, words in cursors.items():
            at = self._marks[words["position"]]
            packer.add(f"{HOOKS}/{name}", [orjson.dumps({**words, "position": at})])
        self._put_vault(packer)
        manifest = Manifest(
            format=FORMAT,
            made_by=f"lading {VERSION}",
            created_at=dt.datetime.fromtimestamp(self._now_ns // 10**9, dt.UTC).isoformat(),
            home=self._home.id.hex,
            log=str(getattr(self._log, "log_id", "")),
            events=self._events,
            position=head,
            vault=self._with_vault,
            left_out=tuple(self._left_out),
            root=self._edge.root.hex(),
            signed=self._signed,
        )
        packer.close(attrs.asdict(manifest))
        return manifest

    def _put_files(self, packer: Packer) -> None:
        settings = self._home.settings_path
        if settings.exists():
            data = settings.read_bytes()
            if self._with_vault or not _may_hold_secrets(data):
                packer.add(SETTINGS, [data])
            else:
                self._left_out.append(SETTINGS)
        for name in COPIED:
            place = self._home.path / name
            for path in sorted(place.iterdir()) if place.is_dir() else []:
                inner = f"{name}/{path.name}"
                if not is_name(inner) or path.is_symlink() or not path.is_file():
                    continue
                if self._with_vault or path.name.endswith(PUBLIC.get(name, "")):
                    packer.add(inner, _read(path))
                else:
                    self._left_out.append(inner)

    def _cursors(self) -> dict[str, dict[str, Any]]:
        folder, cursors = self._home.path / HOOKS, FileCursors(self._home.path)
        found: dict[str, dict[str, Any]] = {}
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.name.startswith("."):
                continue
            try:
                cursor = cursors.load(path.name)
            except LadingError:
                cursor = None
            if cursor is None:
                self._left_out.append(f"{HOOKS}/{path.name}")
            else:
                found[path.name] = attrs.asdict(cursor)
        return found

    def _packed(self, upto: int) -> Iterator[bytes]:
        """Yield the log up to a position, counting, and note which ordinals the cursors' positions have."""
        marks = sorted(self._marks)
        for recorded in self._edge.over(_walk(self._log, upto)):
            while marks and marks[0] < recorded.position:
                self._marks[marks.pop(0)] = self._events
            self._events += 1
            yield packing.pack_event(recorded)
        for mark in marks:
            self._marks[mark] = self._events

    def _put_vault(self, packer: Packer) -> None:
        key = self._home.vault_path / "key"
        if not key.exists():
            return
        if not self._with_vault:
            self._left_out.append("vault")
            return
        packer.add(KEY, [key.read_bytes()])
        packer.add(SECRETS, packing.pack(_secrets(self._home.vault_path)))


def _walk(log: Log, upto: int) -> Iterator[Recorded]:
    """Yield the events of a log up to a position; of one whose positions have no gaps, see that none is missing."""
    after, count, is_dense = 0, 0, hasattr(log, "log_id")
    while after < upto:
        page = log.read(after, PAGE)
        if not page:
            raise LogDamaged(f"the log ends at position {after}, before its last, {upto}")
        for recorded in page:
            if recorded.position > upto:
                return
            count += 1
            if is_dense and recorded.position != count:
                raise LogDamaged(f"the log lacks position {count}")
            yield recorded
        after = page[-1].position


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            yield chunk


def _secrets(folder: Path) -> Iterator[bytes]:
    """Walk the rows of a vault, which nobody writes anew meanwhile."""
    room = Strongroom(folder, LMDBStore)
    try:
        with room.inside() as store, store.read() as reader:
            for key, value in reader.scan(b""):
                yield packing.pack_secret(bytes(key), bytes(value))
    finally:
        room.close()


def _may_hold_secrets(data: bytes) -> bool:
    """Tell whether settings hold what may be secret; those that cannot be read may."""
    try:
        words = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return True
    return any(secrets_of(table, words.get(name)) for name, table in TABLES.items())


# -- reading one back --------------------------------------------------------------------------------------------------


def manifest_of(parcel: Parcel) -> Manifest:
    """Return what a backup says of itself.

    Raises:
        StoreNewer: a newer Lading made it.
        BackupDamaged: it is no backup of ours.
    """
    words: Mapping[str, Any] = parcel.words
    form = words.get("format")
    if type(form) is int and form > FORMAT:
        raise StoreNewer(f"the backup has format {form}; this version of Lading reads up to {FORMAT}")
    known = {field.name: words.get(field.name) for field in attrs.fields(Manifest)}
    try:
        found = Manifest(**{**known, "left_out": tuple(known["left_out"] or ())})  # type: ignore[arg-type] # kinds are checked below
        UUID(hex=found.home)
        if found.log:
            UUID(found.log)
        if found.root is not None and len(bytes.fromhex(found.root)) != HASH_BYTES:
            raise ValueError("its root is none")
        if found.signed is not None and not is_name(f"{CHECKPOINTS}/" + found.signed):
            raise ValueError("its checkpoints have a name that none has")
        kinds = [type(value) for value in (form, found.events, found.position, found.vault)]
        if kinds != [int, int, int, bool] or EVENTS not in parcel.members:
            raise ValueError("it lacks something")
    except (TypeError, ValueError, AttributeError) as error:
        raise BackupDamaged("this is no backup of Lading: its manifest does not say what it should") from error
    return found


def entries(parcel: Parcel) -> Iterator[Entry]:
    """Yield the events of a backup, in order.

    Raises:
        BackupDamaged: they are not what was written.
    """
    return map(packing.unpack_event, packing.unpack(parcel.chunks(EVENTS)))


def examine(parcel: Parcel, *, openly: bool = False) -> Manifest:
    """Read a backup through, and return what it rightly says of itself.

    Args:
        parcel: the backup, whose digests were found right when it was opened.
        openly: open each event too, as a fold would.

    Raises:
        BackupDamaged: it does not hold that.
        StoreNewer: a newer Lading made it, or wrote one of its events.
    """
    manifest = manifest_of(parcel)
    audit = Audit(_Packed(parcel, openly=openly), _signed(parcel, manifest))
    for found in audit.discrepancies():
        raise BackupDamaged(
            f"the events in the backup are not those that were signed: {found.message}",
            hint="`lading verify` looks at the home that it is of",
        )
    if audit.events != manifest.events:
        raise BackupDamaged(f"the backup holds {audit.events} events and speaks of {manifest.events}")
    if manifest.root not in {None, audit.root.hex()}:
        raise BackupDamaged("the events in the backup are not those of whose ledger it speaks")
    if SECRETS in parcel.members:
        for item in packing.unpack(parcel.chunks(SECRETS)):
            packing.unpack_secret(item)
    return manifest


class _Packed:
    """The events of a backup, which are read once and in order; `openly` as `examine` has it."""

    def __init__(self, parcel: Parcel, *, openly: bool) -> None:
        self._left = (Recorded(number, *entry) for number, entry in enumerate(entries(parcel), start=1))
        self._openly = openly

    def read(self, _: int = 0, limit: int = PAGE) -> Sequence[Recorded]:
        """Return the next events, at most `limit`."""
        page = list(islice(self._left, limit))
        for recorded in page if self._openly else ():
            try:
                codec.open_envelope(recorded)
            except LogDamaged as damage:
                raise BackupDamaged(f"in the backup, {damage.message}") from damage
        return page


def _signed(parcel: Parcel, manifest: Manifest) -> Iterator[Claim]:
    """Yield the checkpoints that a backup has of its log, up to one that cannot be read: that holds it to nothing."""
    name = manifest.signed or manifest.log
    book = f"{CHECKPOINTS}/{name}"
    with contextlib.suppress(NoteDamaged, orjson.JSONDecodeError, TypeError):
        for number, line in enumerate(b"".join(parcel.chunks(book)).splitlines() if book in parcel.members else (), 1):
            found = Checkpoint.parse(Note.parse(orjson.loads(line)).text)
            if found.origin == origin(name):
                yield Claim(f"checkpoint {number} of this home", found)
