"""A batch: what a run of facts changed, and what the views will write for it.

The log is folded in batches. What a view keeps of a download is a function of the download's state, so it looks only at
the state before the batch and the state after it: a download that was queued, started and completed within one batch is
filed once, where it ended up. Whatever a view writes is gathered here and goes to the store at the end, once for each
key. So the size of the batches cannot be told from what the views hold, and a view that reads
while it is applied sees the state before the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from lading.domain.download import Download
from lading.domain.facts import Fact
from lading.domain.ports import Reader, Transaction
from lading.projections.keys import number, read_number


class RowCodec(Protocol):
    """How the state of a download becomes the bytes of a row, and back."""

    def dump(self, download: Download) -> bytes:
        """Return the row of a download."""
        ...

    def load(self, data: bytes) -> Download:
        """Read a row back.

        Raises:
            ValueError, KeyError, TypeError: not a row.
        """
        ...


Step = tuple[Fact, Download | None, Download]
"""One fact, and the state of its download before and after it."""


class Change(NamedTuple):
    """What a batch did to one download.

    `age` is the position of its first event in the log: the order of asking, which no clock can confuse.
    """

    id: UUID
    age: int
    before: Download | None
    after: Download
    steps: Sequence[Step]


class View(Protocol):
    """The answer to one question, kept up to date: a module of this room."""

    def apply(self, batch: Batch, changes: Sequence[Change], /) -> None:
        """Put into `batch` what `changes` make of the view's rows."""
        ...


class Witness(Protocol):
    """A module of this room that is told of what happened to bundles, engines and the queue as a whole."""

    def observe(self, batch: Batch, facts: Sequence[Fact], /) -> None:
        """Put into `batch` what these facts, in order, make of the view's rows."""
        ...


class Batch:
    """A look at the store as it was before, and what shall be written to it."""

    def __init__(self, reader: Reader, codec: RowCodec) -> None:
        self.codec = codec
        self.get = reader.get
        self._scan = reader.scan
        self._rows: dict[bytes, bytes | None] = {}
        self._counts: dict[bytes, int] = {}

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Walk the keys that began with `prefix` before the batch."""
        return self._scan(prefix)

    def ahead(self, key: bytes) -> bytes | None:
        """Return what `key` will hold after the batch, as far as that is put by now; witnesses come after all views."""
        return self._rows[key] if key in self._rows else self.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Store `value` under `key` at the end of the batch."""
        self._rows[key] = value

    def delete(self, key: bytes) -> None:
        """Remove `key` at the end of the batch."""
        self._rows[key] = None

    def replace(self, before: Mapping[bytes, bytes], after: Mapping[bytes, bytes]) -> None:
        """Make the rows `before`, all of which are there, into the rows `after`."""
        rows = self._rows
        for key in before:
            if key not in after:
                rows[key] = None
        for key, value in after.items():
            if before.get(key) != value:
                rows[key] = value

    def count(self, key: bytes, amount: int) -> None:
        """Add `amount`, which may be negative, to the number that is kept under `key`; a number of 0 is not kept."""
        self._counts[key] = self._counts.get(key, 0) + amount

    def flush(self, txn: Transaction) -> None:
        """Write everything."""
        rows = self._rows
        for key, amount in self._counts.items():
            if amount:
                held = self.get(key)
                total = amount + (read_number(held) if held is not None else 0)
                rows[key] = number(total) if total else None
        txn.change(rows)
