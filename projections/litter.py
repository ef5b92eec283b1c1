"""What is left to sweep: downloads whose files are not where the log wants them, and what is kept until when.

    ll ‖ age (u64)                   → id    its files are to be put aside, or its file is to be put back
    lk ‖ until (u64, ns) ‖ age (u64) → id    its files are kept until then
    lo ‖ ended (u64, ns) ‖ age (u64) → id    the file that it replaced when it ended is kept, and nothing else
    ls ‖ age (u64)                   → id    the key of its secrets is to be shredded

The owner of the home sweeps, oldest first, and says so with `Quarantined`, `Confirmed`, `Discarded` or `KeyShredded`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice, takewhile
from uuid import UUID

from lading.domain.download import Download
from lading.domain.ports import Reader
from lading.domain.states import State
from lading.projections.batch import Batch, Change
from lading.projections.keys import number, read_number

LITTER, KEPT, REPLACED, SECRETS = b"ll", b"lk", b"lo", b"ls"
_SETTLED = frozenset({State.CANCELLED, State.REMOVED, State.COMPLETED})


def apply(batch: Batch, changes: Sequence[Change]) -> None:
    """Note whose files have to go or to come back, and until when files are kept."""
    for id, age, before, after, _ in changes:
        old = set() if before is None else _keys(before, age)
        new = _keys(after, age)
        if old != new:
            batch.replace(dict.fromkeys(old, id.bytes), dict.fromkeys(new, id.bytes))


def _keys(download: Download, age: int) -> set[bytes]:
    return _of_files(download, age) | ({SECRETS + number(age)} if download.shredding else set())


def _of_files(download: Download, age: int) -> set[bytes]:
    if download.state not in _SETTLED:
        return set()
    if download.litter or download.returning:
        return {LITTER + number(age)}
    if download.quarantined_until_ns is not None:
        return {KEPT + number(download.quarantined_until_ns) + number(age)}
    if download.replaced is not None:
        return {REPLACED + number(download.ended_at_ns or 0) + number(age)}
    return set()


def ids(reader: Reader, limit: int | None = None) -> Iterator[UUID]:
    """Walk the downloads whose files have to be swept, in the order in which they were asked for."""
    for _, value in islice(reader.scan(LITTER), limit):
        yield UUID(bytes=value)


def secrets(reader: Reader, limit: int | None = None) -> Iterator[UUID]:
    """Walk the downloads whose keys are to be shredded, in the order in which they were asked for."""
    for _, value in islice(reader.scan(SECRETS), limit):
        yield UUID(bytes=value)


def overdue(reader: Reader, now_ns: int, retention_ns: int, limit: int | None = None) -> Iterator[UUID]:
    """Walk the downloads of which files have been kept for long enough, what has no time of its own for `retention_ns`.

    Walking them costs as many steps as there are, however much is kept.
    """
    kept = takewhile(lambda row: _at(row[0]) <= now_ns, reader.scan(KEPT))
    replaced = takewhile(lambda row: _at(row[0]) <= now_ns - retention_ns, reader.scan(REPLACED))
    for _, value in islice(chain(kept, replaced), limit):
        yield UUID(bytes=value)


def aside(reader: Reader, limit: int | None = None) -> Iterator[UUID]:
    """Walk the downloads of which anything is kept: what is to be deleted next comes first, what was replaced last."""
    for _, value in islice(chain(reader.scan(KEPT), reader.scan(REPLACED)), limit):
        yield UUID(bytes=value)


def _at(key: bytes) -> int:
    return read_number(key[2:10])
