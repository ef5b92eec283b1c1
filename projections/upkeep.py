"""What is to be looked at on the disk from time to time, so that each look costs what there is to see and no more.

    uf ‖ text(root) ‖ text(folder) ‖ end of the id (4 bytes) ‖ id  → (empty)   every download that ever had an attempt
    us ‖ ended (u64) ‖ id                                          → (empty)   is failed or cancelled
    ui ‖ id                                                        → (empty)   has published what is not valid any more

The first finds the folders in which parts may lie, and in each the downloads whose parts bear a name; the second what
has failed longest ago; the third what somebody should look after. What has been published is found in the roster,
newest first. What was archived is looked at no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from lading.domain.download import Download
from lading.domain.ports import Reader
from lading.domain.states import State
from lading.projections import roster
from lading.projections.batch import Batch, Change
from lading.projections.keys import number, read_number, text, word

FOLDER, STALE, INVALID = b"uf", b"us", b"ui"
_ID_BYTES, _TAIL_BYTES, _AGE_BYTES = 16, 4, 8
_GIVEN_UP = frozenset({State.FAILED, State.CANCELLED})


class Folder(NamedTuple):
    """A folder in which parts may lie: `key` finds it again, and `id` is one of its downloads, which knows its name."""

    key: bytes
    id: UUID


def apply(batch: Batch, changes: Sequence[Change]) -> None:
    """Enter the folder of a first attempt, and what has failed or was cancelled, until somebody wants it again."""
    for id, _, before, after, _ in changes:
        if after.attempt and not (before is not None and before.attempt):
            batch.put(_folder(after) + id.bytes[-_TAIL_BYTES:] + id.bytes, b"")
        old, new = None if before is None else _stale(before), _stale(after)
        if old != new:
            if old is not None:
                batch.delete(old)
            if new is not None:
                batch.put(new, b"")
        was, wrong = before is not None and _is_invalid(before), _is_invalid(after)
        if wrong and not was:
            batch.put(INVALID + id.bytes, b"")
        elif was and not wrong:
            batch.delete(INVALID + id.bytes)


def _is_invalid(download: Download) -> bool:
    return download.wrong is not None and not download.archived


def _folder(download: Download) -> bytes:
    return FOLDER + text(download.order.root) + text(download.order.folder)


def _stale(download: Download) -> bytes | None:
    if download.state not in _GIVEN_UP or download.archived:
        return None
    return STALE + number(download.ended_at_ns or 0) + download.id.bytes


def folders(reader: Reader, after: bytes | None = None) -> Iterator[Folder]:
    """Walk the folders in which parts may lie, from behind the one with the key `after`; one step for each."""
    while True:
        start = None if after is None else after + b"\xff" * (_TAIL_BYTES + _ID_BYTES + 1)
        found = next(reader.scan(FOLDER, start=start), None)
        if found is None:
            return
        key = bytes(found[0])
        after = key[: -(_TAIL_BYTES + _ID_BYTES)]
        yield Folder(after, UUID(bytes=key[-_ID_BYTES:]))


def in_folder(reader: Reader, key: bytes, tail: bytes) -> Iterator[UUID]:
    """Walk the downloads of a folder whose ids end with these four bytes: hardly ever more than one."""
    for found, _ in reader.scan(key + tail):
        yield UUID(bytes=bytes(found[-_ID_BYTES:]))


def stale(reader: Reader, before_ns: int, after: bytes | None = None) -> Iterator[tuple[bytes, UUID]]:
    """Walk the downloads that failed or were cancelled before a time (UTC), the longest ago first, each with its key.

    With `after`, only those behind the one with that key.
    """
    for found, _ in reader.scan(STALE, start=None if after is None else after + b"\0"):
        key = bytes(found)
        if read_number(key[len(STALE) : -_ID_BYTES]) >= before_ns:
            return
        yield key, UUID(bytes=key[-_ID_BYTES:])


def invalid(reader: Reader, limit: int | None = None) -> Iterator[UUID]:
    """Walk the downloads whose published files are known not to be what was published, complete or to be replaced."""
    for found, _ in islice(reader.scan(INVALID), limit):
        yield UUID(bytes=bytes(found[-_ID_BYTES:]))


def published(reader: Reader, before: int | None = None, limit: int | None = None) -> Iterator[tuple[int, UUID]]:
    """Walk the completed downloads, the last asked for first, each with its age; from before an age on."""
    completed = roster.STATE + word(State.COMPLETED.shown)
    start = None if before is None else completed + number(max(0, before - 1))
    for key, id in islice(reader.scan(completed, start=start, reverse=True), limit):
        yield read_number(bytes(key[-_AGE_BYTES:])), UUID(bytes=bytes(id))
