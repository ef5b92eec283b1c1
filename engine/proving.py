"""Proving that events are in the ledger: where they stand in it, what leads from there to a root, and who signed that.

Positions have gaps in some logs, and ordinals have none. The ledger keeps the ordinal of one event in 256, and the log
tells the rest. All of it blocks, and wants the views to be caught up with what is asked about.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

from lading.domain import ledger as tree
from lading.domain.errors import ViewsDamaged
from lading.domain.ports import Log, Reader, Recorded
from lading.notary import Notary
from lading.projections import ledger
from lading.reading import Reading

Vouch = Callable[[int], str | None]
"""Returns a signed checkpoint of a ledger that has all events up to a position; None where nobody signs."""


def ordinals(reader: Reader, log: Log, records: Sequence[Recorded]) -> Iterator[int]:
    """Yield the ordinals of events of the log, in order; each tile that has some of them is looked up once."""
    near: dict[int, int] = {}
    for record in records:
        if record.position not in near:
            near = _near(reader, log, record.position)
        if record.position not in near:
            raise ViewsDamaged(f"the ledger does not know where the event {record.position} stands")
        yield near[record.position]


def count_up_to(reader: Reader, log: Log, position: int) -> int:
    """Return how many events there are up to a position, at which there need be none."""
    near = _near(reader, log, position)
    return 1 + max((ordinal for at, ordinal in near.items() if at <= position), default=-1)


def _near(reader: Reader, log: Log, position: int) -> dict[int, int]:
    """Return the ordinals, by position, of the events of the tile that reaches up to a position."""
    first, ordinal = ledger.place(reader, position)
    page = log.read(first - 1, ledger.WIDTH) if first else ()
    return {each.position: ordinal + ahead for ahead, each in enumerate(page)}


def inclusions(reading: Reading, ordinals: Sequence[int], size: int) -> list[tuple[bytes, ...]]:
    """Return the proofs that events are among the first `size`; hashes that they share are looked up once."""
    with reading.views.read() as reader:
        look = functools.cache(ledger.subtree(reader))
        return [tuple(tree.inclusion(ordinal, size, look)) for ordinal in ordinals]


def vouching(reading: Reading, notary: Notary | None) -> Vouch:
    """Return what has checkpoints signed of the log of a home.

    Raises:
        HistoryChanged: the log is not what was signed before.
    """
    if notary is None:
        return lambda _: None
    notary.examine()

    def vouch(position: int) -> str | None:
        reading.catch_up()
        with reading.views.read() as reader:
            count = count_up_to(reader, reading.log, position)
        return str(notary.covering(count - 1)) if count else None

    return vouch
