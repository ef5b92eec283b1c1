"""What is left to sweep: downloads that nobody wants any more and whose files are still on the disk.

    ll ‖ age (u64)  → id

The owner of the home removes them, oldest first, and says so with `Discarded`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import UUID

from lading.domain.ports import Reader
from lading.projections.batch import Batch, Change
from lading.projections.keys import number

LITTER = b"ll"


def apply(batch: Batch, changes: Sequence[Change]) -> None:
    """Note whose files have to go, and whose have gone."""
    for id, age, before, after, _ in changes:
        old, new = before is not None and before.litter, after.litter
        if new and not old:
            batch.put(LITTER + number(age), id.bytes)
        elif old and not new:
            batch.delete(LITTER + number(age))


def ids(reader: Reader, limit: int | None = None) -> Iterator[UUID]:
    """Walk the downloads whose files have to be removed, in the order in which they were asked for."""
    for _, value in islice(reader.scan(LITTER), limit):
        yield UUID(bytes=value)
