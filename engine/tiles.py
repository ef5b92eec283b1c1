"""A ledger as files that any web server can serve: c2sp.org/tlog-tiles, for whoever watches or mirrors such logs.

    FOLDER/checkpoint                the signed checkpoint; written last, so that it never tells of what is not there
    FOLDER/tile/LEVEL/N              256 hashes; N in groups of three digits, `x001/234`
    FOLDER/tile/LEVEL/N.p/WIDTH      as many of them as there are yet
    FOLDER/tile/entries/N            what the leaves commit to, each behind its length (u16)

A whole tile never changes: what lies there is left alone, unless it is not what the ledger has, which a kill before the
first checkpoint or a disk may leave. Who publishes takes his turn at the folder before he signs, so that what is served
only grows. Entries hold digests of the events and no word of them. All of it blocks.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from lading.adapters.durable import write_durably
from lading.adapters.plain_files import open_plain
from lading.domain import ledger as tree
from lading.domain.errors import NoteDamaged, UsageError
from lading.domain.notes import LONGEST_BYTES, Checkpoint, Note
from lading.domain.ports import Log, Reader, Recorded
from lading.projections import ledger
from lading.projections.ledger import HEIGHT, WIDTH

WAIT_S = 5.0
"""So long one publisher waits for another."""

_RETRY_S = 0.02
_HASH = tree.HASH_BYTES
_ELSEWHERE = "name a new folder, or the one of this log"


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Hold a folder, made if need be, for one who signs and then publishes there.

    Raises:
        OSError: it cannot be made or locked.
        UsageError: another holds it for too long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until_s = time.monotonic() + WAIT_S
        while not _is_locked(descriptor):
            if time.monotonic() >= until_s:
                raise UsageError(f"another program publishes in {folder}", hint="let it end, or name another folder")
            time.sleep(_RETRY_S)
        yield
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def publish(note: Note, log: Log, reader: Reader, folder: Path) -> int:
    """Write all tiles of the ledger of which a checkpoint tells, and that; return how many files were written.

    It is the caller's `turn` at the folder, and the checkpoint was signed since that began.

    Raises:
        OSError: the folder cannot be written.
        UsageError: another ledger lies there, or one that has come further.
    """
    told = Checkpoint.parse(note.text)
    before, size = _check_folder(told, reader, folder), told.size
    written = 0
    for level in count():
        leaves = size >> HEIGHT * level
        if not leaves:
            break
        for index, width in _tiles(leaves):
            data = ledger.tile(reader, level, index)[: width * _HASH]
            written += _write(folder / "tile" / str(level) / _name(index, width), data)
    for (index, width), first in zip(_tiles(size), ledger.places(reader), strict=False):
        path = folder / "tile" / "entries" / _name(index, width)
        if index * WIDTH + width > before or not path.exists():
            written += _write(path, _entries(log.read(first - 1, width)))
    _put(folder / "checkpoint", str(note).encode())
    return written


def _check_folder(told: Checkpoint, reader: Reader, folder: Path) -> int:
    """Return how many events were published there, 0 for none; see that they are an earlier state of this ledger."""
    try:
        with open_plain(folder / "checkpoint") as file:
            before = Checkpoint.parse(Note.parse(file.read(LONGEST_BYTES + 1).decode()).text)
    except FileNotFoundError:
        return 0  # nothing was published there yet, or a kill came before its end
    except (NoteDamaged, UnicodeDecodeError):
        raise UsageError(f"what lies at {folder / 'checkpoint'} is no checkpoint", hint=_ELSEWHERE) from None
    if before.origin != told.origin:
        raise UsageError(f"{folder} has the ledger of another log, {before.origin}", hint=_ELSEWHERE)
    if before.size > told.size:
        raise UsageError(
            f"{folder} has {before.size:,} events of this log, which has {told.size:,}",
            hint=f"see with `lading verify` whether an older log was put back; {_ELSEWHERE}",
        )
    if ledger.root(reader, before.size) != before.root:
        raise UsageError(f"{folder} has another history of this log", hint=f"see with `lading verify`; {_ELSEWHERE}")
    return before.size


def _tiles(hashes: int) -> Iterator[tuple[int, int]]:
    """Yield number and width of each tile of a level that has so many hashes."""
    whole, rest = divmod(hashes, WIDTH)
    yield from ((index, WIDTH) for index in range(whole))
    if rest:
        yield whole, rest


def _name(index: int, width: int) -> str:
    """Return where a tile lies: in groups of three digits, all but the last marked by an x."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    return "/".join(groups) + ("" if width == WIDTH else f".p/{width}")


def _entries(records: Sequence[Recorded]) -> bytes:
    found = (tree.entry(*record[1:]) for record in records)
    return b"".join(len(each).to_bytes(2, "big") + each for each in found)


def _write(path: Path, data: bytes) -> bool:
    """Write a file, unless it is there already with just that in it."""
    try:
        with open_plain(path) as file:
            if file.read(len(data) + 1) == data:
                return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    _put(path, data)
    return True


def _put(path: Path, data: bytes) -> None:
    """Put a file into its place; what a kill leaves of its draft, the next one writes over."""
    write_durably(path, data, draft=path.with_name(f".{path.name}.new"))
