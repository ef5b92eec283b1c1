"""What has failed and why: the downloads that are failed now, by cause.

    ff ‖ word(cause) ‖ age (u64)  → id
    fn ‖ word(cause)              → u64   how many

A download leaves the view when it is tried again, cancelled, removed or archived.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import UUID

from lading.domain.download import Download
from lading.domain.faults import Cause
from lading.domain.ports import Reader
from lading.domain.states import State
from lading.projections.batch import Batch, Change
from lading.projections.keys import number, read_number, read_word, word

FAILED, COUNT = b"ff", b"fn"


def apply(batch: Batch, changes: Sequence[Change]) -> None:
    """File what failed, take out what is tried again or given up, and count."""
    for id, age, before, after, _ in changes:
        old = None if before is None else _cause(before)
        new = _cause(after)
        if old == new:
            continue
        if old is not None:
            batch.delete(FAILED + old + number(age))
            batch.count(COUNT + old, -1)
        if new is not None:
            batch.put(FAILED + new + number(age), id.bytes)
            batch.count(COUNT + new, 1)


def _cause(download: Download) -> bytes | None:
    return word(download.cause or Cause.UNKNOWN) if download.state is State.FAILED and not download.archived else None


def counts(reader: Reader) -> dict[str, int]:
    """Return how many downloads are failed, by cause."""
    return {read_word(key[len(COUNT) :]): read_number(value) for key, value in reader.scan(COUNT)}


def failed(reader: Reader, cause: str | None = None, limit: int | None = None) -> Iterator[UUID]:
    """Walk the downloads that are failed, of one cause or cause by cause, in the order in which they were asked for."""
    prefix = FAILED if cause is None else FAILED + word(cause)
    for _, value in islice(reader.scan(prefix), limit):
        yield UUID(bytes=value)
