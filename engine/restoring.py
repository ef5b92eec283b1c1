"""Making a home of a backup: beside its place, whole and checked, and then by one rename.

Nothing that exists is touched: the place must be missing or empty. What is there until the rename is a draft without a
marker, which no program takes for a home, and which the next restore clears away. The backup is believed only as far as
it was checked: its digests before anything is unpacked, the order of its events by the log that takes them in, and that
log by its own verification, in a process that may die of it. Views, cache and locks come back by themselves.

A log that lies outside the home cannot be renamed along. One that is empty is filled; one that holds the beginning of
this very backup, event for event, was being filled when somebody was killed, and is gone on with; any other is refused.

Whether a home that comes back is older than what was known of it elsewhere cannot be told from the backup. That is for
an anchor outside the home to say: `lading.accepting.doubts` asks it, by `lading.restoring.restore(…, accept=…)`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID

import attrs
import orjson

from lading import packing
from lading.accepting import Restored, hold
from lading.adapters.durable import sync_folder, write_durably
from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.lmdb.store import LMDBStore
from lading.adapters.lmdb.verify import examine as verify_log
from lading.adapters.parcel import Parcel
from lading.backup import COPIED, EVENTS, KEY, SECRETS, SETTINGS, Manifest, entries, manifest_of
from lading.cursors import FOLDER as HOOKS
from lading.domain.errors import BackupDamaged, StoreUnavailable
from lading.domain.ports import Conflict, Entry, Log
from lading.drafts import staged_folder
from lading.home import MARKER, Home, marker_words, require_text
from lading.logs import DEFAULT, open_log
from lading.opening import name_for_signing

BATCH = 2048
BATCH_BYTES_MAX = 8 * 1024 * 1024
SECRETS_AT_ONCE = 1000
_ELSEWHERE = "name a folder that is not there, or an empty one; a home is never replaced"


def restore(
    file: Path,
    target: Path,
    log_url: str | None,
    *,
    dry_run: bool = False,
    accept: Callable[[Restored], None] = lambda _: None,
) -> Manifest:
    """Make the home `target` of a backup; return what the backup says of itself.

    Args:
        file: the backup.
        target: where the home is to be: missing, or an empty folder.
        log_url: the log to fill, when it is not to lie in the home as by default.
        dry_run: do all of it, and take it away again; a log outside the home is left alone.
        accept: is given what is there when the log is filled, and raises if it is not to be believed.

    Raises:
        BackupDamaged: the backup is not what was written.
        StoreNewer: a newer Lading made it.
        StoreUnavailable: there is something at `target`, or in the log; or they cannot be written.
        DiskFull: there is no room; nothing is left of it.
    """
    target = target.absolute()
    require_text(target)
    if not dry_run and os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
        raise StoreUnavailable(f"there is something at {target}", hint=_ELSEWHERE)
    if log_url is not None and log_url.strip().lower().startswith("memory:"):
        raise StoreUnavailable("a log in memory ends with this program", hint="name one that lasts with --log")
    try:
        parcel = Parcel(file)
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be read: {error.strerror}", hint="check the path") from error
    with parcel, staged_folder(target, keep=not dry_run) as stage:
        manifest = manifest_of(parcel)
        _put_files(parcel, stage)
        url = DEFAULT if dry_run or log_url is None else log_url
        log, folder = _open(url, stage, manifest)
        try:
            at = _pour(parcel, log, manifest, _marks(parcel))
            back = Restored(stage, manifest, log)
            hold(back)
            accept(back)
        finally:
            log.close()
        if folder is not None:
            _verify(folder)
        _put_cursors(parcel, stage, at)
        _put_vault(parcel, stage)
        write_durably(stage / MARKER, _marker(target, manifest, log, url))
    return manifest


def _marker(target: Path, manifest: Manifest, log: Log, url: str) -> bytes:
    """Return the marker of the home, in which the log keeps the name by which it was signed before."""
    id = UUID(hex=manifest.home)
    named = name_for_signing(Home(target, id), log, url)
    names = {named: manifest.signed} if named and manifest.signed and named != manifest.signed else {}
    own = {"log": str(UUID(manifest.log))} if url == DEFAULT and manifest.log else {}
    return marker_words(id, names, **own)


def _put_files(parcel: Parcel, stage: Path) -> None:
    for name in parcel.members:
        if name == SETTINGS or name.partition("/")[0] in COPIED:
            _write(stage / name, parcel.chunks(name))
        elif name not in {EVENTS, KEY, SECRETS} and name.partition("/")[0] != HOOKS:
            raise BackupDamaged(f"the backup holds {name!r}, which none of ours does")


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


# -- the log -----------------------------------------------------------------------------------------------------------


def _open(url: str, stage: Path, manifest: Manifest) -> tuple[Log, Path | None]:
    """Return the log to fill, and its folder when that is an LMDB log."""
    if url == DEFAULT:
        folder = stage / "log"
        return LMDBLog(folder, new_id=UUID(manifest.log) if manifest.log else None), folder
    log = open_log(url, stage)
    return log, log.environment.folder if isinstance(log, LMDBLog) else None


def _pour(parcel: Parcel, log: Log, manifest: Manifest, marks: dict[int, int]) -> dict[int, int]:
    """Put all events into a log that holds none, or the first of them; return the positions of some ordinals."""
    count, at = 0, dict(marks)
    held = _held(log)
    for batch in _batches(entries(parcel)):
        there = list(islice(held, len(batch)))
        if [entry for _, entry in there] != batch[: len(there)]:
            raise StoreUnavailable("the log that was named holds something else", hint="name an empty one")
        positions = [position for position, _ in there]
        rest = batch[len(there) :]
        if rest:
            (answer,) = log.append([rest])
            if isinstance(answer, Conflict):
                raise BackupDamaged(f"in the backup, version {answer.expected + 1} follows {answer.found} in a stream")
            positions += answer
        for ordinal in marks.keys() & set(range(count + 1, count + len(batch) + 1)):
            at[ordinal] = positions[ordinal - count - 1]
        count += len(batch)
    if next(held, None) is not None:
        raise StoreUnavailable("the log that was named holds more than the backup", hint="name an empty one")
    if count != manifest.events:
        raise BackupDamaged(f"the backup holds {count} events and speaks of {manifest.events}")
    return at


def _held(log: Log) -> Iterator[tuple[int, Entry]]:
    """Yield what a log held when it was opened."""
    upto, after = log.head(), 0
    while after < upto:
        for after, stream, version, topic, state in log.read(after, BATCH):  # noqa: B020 # the last one's is wanted
            if after > upto:
                return
            yield after, Entry(stream, version, topic, state)


def _batches(found: Iterable[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in found:
        batch.append(entry)
        size += len(entry.state)
        if len(batch) == BATCH or size >= BATCH_BYTES_MAX:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _verify(folder: Path) -> None:
    for finding in verify_log(folder, strict=True):
        raise BackupDamaged(f"the log that was made of the backup is not sound: {finding.message}")


# -- what belongs to it ------------------------------------------------------------------------------------------------


def _marks(parcel: Parcel) -> dict[int, int]:
    """Return the ordinals that hooks have come to."""
    return {words["position"]: 0 for _, words in _cursors(parcel)}


def _cursors(parcel: Parcel) -> Iterator[tuple[str, dict[str, int]]]:
    for name in parcel.members:
        if name.partition("/")[0] == HOOKS:
            try:
                words = orjson.loads(b"".join(parcel.chunks(name)))
                if type(words["position"]) is not int:
                    raise ValueError(name)
            except (ValueError, KeyError, TypeError) as error:
                raise BackupDamaged(f"{name} in the backup does not tell where a hook has come to") from error
            yield name, words


def _put_cursors(parcel: Parcel, stage: Path, at: dict[int, int]) -> None:
    for name, words in _cursors(parcel):
        _write(stage / name, [orjson.dumps({**words, "position": at[words["position"]]})])


def _put_vault(parcel: Parcel, stage: Path) -> None:
    if KEY not in parcel.members:
        return
    _write(stage / KEY, parcel.chunks(KEY))
    if SECRETS not in parcel.members:
        return
    store = LMDBStore((stage / KEY).parent)
    try:
        rows = map(packing.unpack_secret, packing.unpack(parcel.chunks(SECRETS)))
        while batch := dict(islice(rows, SECRETS_AT_ONCE)):
            with store.write() as txn:
                txn.change(batch)
    finally:
        store.close()


def describe(manifest: Manifest) -> dict[str, object]:
    """Return what a backup says of itself, as `--json` shows it."""
    return attrs.asdict(manifest) | {"left_out": list(manifest.left_out)}
