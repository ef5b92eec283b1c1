"""What holds the whole queue: the fold of the stream `QUEUE`, whatever the number of its events.

cq → JSON    whether it is paused, what blocks it (message by reason), and the version of the stream
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import orjson

from lading.domain.errors import ViewsDamaged
from lading.domain.events import QUEUE
from lading.domain.facts import Fact
from lading.domain.hold import Hold, evolve
from lading.domain.ports import Reader
from lading.projections.batch import Batch

HOLD = b"cq"


def observe(batch: Batch, facts: Sequence[Fact]) -> None:
    """Keep the row up to date."""
    told = [fact for fact in facts if fact.stream == QUEUE]
    if not told:
        return
    hold = _read(batch.get(HOLD))
    for fact in told:
        if fact.version != hold.version + 1:
            raise ViewsDamaged(f"version {fact.version} cannot follow version {hold.version} of the queue's stream")
        hold = evolve(hold, fact.event, fact.version)
    batch.put(HOLD, orjson.dumps(attrs.asdict(hold)))


def get(reader: Reader) -> Hold:
    """Return what holds the queue now.

    Raises:
        ViewsDamaged: the row cannot be read.
    """
    return _read(reader.get(HOLD))


def _read(row: bytes | None) -> Hold:
    if row is None:
        return Hold()
    try:
        words: dict[str, Any] = orjson.loads(row)
        return Hold(**words)
    except (ValueError, LookupError, TypeError) as error:
        raise ViewsDamaged("what holds the queue cannot be read") from error
