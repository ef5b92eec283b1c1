"""The audit of a log: its tree, computed anew from every record, held against what was signed and against the ledger.

A page of the log is in memory at a time, and of the tree only its right edge. What differs is told with its place:
where the ledger still has the leaves from before, to the event; else to the stretch between two checkpoints, of which
the first agrees and the second does not. All of it blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import attrs

from lading.domain.ledger import HASH_BYTES
from lading.domain.notes import Checkpoint
from lading.domain.ports import Recorded
from lading.projections import ledger
from lading.projections.edge import Edge
from lading.projections.ledger import Tiles
from lading.vouching import Vouchers

PAGE = 4_096
MOST_TOLD = 100
"""So many events are named, at most, of those that are not what they were."""


class Pages(Protocol):
    """What has the events, page by page: any `lading.domain.ports.Log`, or less."""

    def read(self, after: int = 0, limit: int = PAGE, /) -> Sequence[Recorded]:
        """Return at most `limit` events after a position, in order."""
        ...


class Claim(NamedTuple):
    """What somebody vouches for: `where` tells people who that is."""

    where: str
    checkpoint: Checkpoint


@attrs.frozen(kw_only=True)
class Discrepancy:
    """One thing that is not as it was, and the position of the event that it is about, if it is about one."""

    message: str
    position: int | None = None


class Audit:
    """One pass over a log.

    Args:
        log: what is looked at.
        claims: what is vouched for, in the order of sizes, and what is wrong with that.
        tiles: the ledger that is to be held against the log, if there is one.
        progress: told, page by page, how many events were looked at.
    """

    def __init__(
        self,
        log: Pages,
        claims: Iterable[Claim | Discrepancy],
        tiles: Tiles | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._progress = progress
        self._claims = claims
        self._tiles = tiles
        self._edge = Edge()
        self._page: Sequence[Recorded] = ()
        self._after = 0
        self._agreed = 0
        self._told = 0
        self.events = 0
        self.checkpoints = 0

    @property
    def root(self) -> bytes:
        """The root over all events that were looked at."""
        return self._edge.root

    def discrepancies(self) -> Iterator[Discrepancy]:
        """Yield what is not as it was, page by page."""
        for claim in self._claims:
            if isinstance(claim, Discrepancy):
                yield claim
                continue
            yield from self._read_to(claim.checkpoint.size)
            yield from self._judge(claim)
        yield from self._read_to(None)
        yield from self._missing()

    def _read_to(self, size: int | None) -> Iterator[Discrepancy]:
        """Take in events until there are so many, or all that there are."""
        while size is None or self.events < size:
            if not self._page:
                self._page = self._log.read(self._after, PAGE)
                if not self._page:
                    return
                self._after = self._page[-1].position
                self._progress(self.events)
            count = len(self._page) if size is None else min(len(self._page), size - self.events)
            taken, self._page = self._page[:count], self._page[count:]
            yield from self._take(taken)

    def _take(self, records: Sequence[Recorded]) -> Iterator[Discrepancy]:
        """Take events into the tree; tell of those of which the ledger has another leaf."""
        start, self.events = self.events, self.events + len(records)
        ledger.append(self._edge, records)
        written, self._edge.written = self._edge.written, []
        for key, value in written if self._tiles is not None else ():
            assert self._tiles is not None
            held = self._tiles.get(key) or b""
            if held.startswith(value):
                continue
            first = ledger.first_of(key)
            for ordinal in range(max(start, first), first + min(len(held), len(value)) // HASH_BYTES):
                at = (ordinal - first) * HASH_BYTES
                if held[at : at + HASH_BYTES] != value[at : at + HASH_BYTES] and self._told < MOST_TOLD:
                    self._told += 1
                    position = records[ordinal - start].position
                    yield Discrepancy(
                        message=f"the event at position {position} is not the one that was folded there",
                        position=position,
                    )

    def _judge(self, claim: Claim) -> Iterator[Discrepancy]:
        self.checkpoints += 1
        size = claim.checkpoint.size
        if self.events < size:
            yield Discrepancy(message=f"the log has {self.events:,} events, and {claim.where} vouches for {size:,}")
        elif self.events > size:
            yield Discrepancy(message=f"{claim.where} is not in its order, behind one of {self.events:,} events")
        elif self._edge.root == claim.checkpoint.root:
            self._agreed = size
        else:
            yield Discrepancy(
                message=f"the first {size:,} events are not those for which {claim.where} vouches; "
                f"the first {self._agreed:,} are"
            )

    def _missing(self) -> Iterator[Discrepancy]:
        """Tell of events that the ledger has and the log lacks; a ledger may lag, and that is no matter."""
        folded = 0 if self._tiles is None else ledger.size(self._tiles)
        if folded > self.events:
            yield Discrepancy(message=f"the log has {self.events:,} events, and {folded:,} were folded")


def claims(vouchers: Vouchers) -> Iterator[Claim | Discrepancy]:
    """Yield what a home and its anchors vouch for, in the order of sizes, and what is wrong with any of it."""
    for where, found in vouchers.vouched():
        yield Claim(where, found) if isinstance(found, Checkpoint) else Discrepancy(message=f"{where}: {found.message}")
