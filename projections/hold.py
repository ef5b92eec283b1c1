"""What keeps the whole queue from starting anything: somebody paused it, or something has to pass first.

cq → JSON    whether it is paused, and what blocks it: message by reason
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson

from lading.domain import events as e
from lading.domain.errors import ViewsDamaged
from lading.domain.facts import Fact
from lading.domain.ports import Reader
from lading.projections.batch import Batch

HOLD = b"cq"
_OF_THE_QUEUE = (e.QueuePaused, e.QueueResumed, e.QueueBlocked, e.QueueUnblocked)


@attrs.frozen(kw_only=True)
class Hold:
    """What holds the queue as a whole: whether somebody `paused` it, and by which reasons it is `blocked`, and why."""

    paused: bool = False
    blocked: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def why(self) -> str | None:
        """In one short sentence why nothing starts, None when nothing keeps it."""
        if self.paused:
            return "the queue is paused; `lading resume --queue` lets it go on"
        reasons = [f"{reason}: {message}" if message else reason for reason, message in self.blocked.items()]
        return f"nothing starts, blocked by {'; '.join(reasons)}" if reasons else None


def observe(batch: Batch, facts: Sequence[Fact]) -> None:
    """Keep the row up to date."""
    told = [fact.event for fact in facts if isinstance(fact.event, _OF_THE_QUEUE)]
    if not told:
        return
    held = _read(batch.get(HOLD))
    paused, blocked = held.paused, dict(held.blocked)
    for event in told:
        match event:
            case e.QueuePaused() | e.QueueResumed():
                paused = isinstance(event, e.QueuePaused)
            case e.QueueBlocked():
                blocked[event.reason] = event.message
            case _:
                blocked.pop(event.reason, None)
    batch.put(HOLD, orjson.dumps({"paused": paused, "blocked": blocked}, option=orjson.OPT_SORT_KEYS))


def get(reader: Reader) -> Hold:
    """Return what holds the queue now."""
    return _read(reader.get(HOLD))


def _read(row: bytes | None) -> Hold:
    if row is None:
        return Hold()
    try:
        words: dict[str, Any] = orjson.loads(row)
        return Hold(paused=words["paused"], blocked=words["blocked"])
    except (ValueError, LookupError, TypeError) as error:
        raise ViewsDamaged("what holds the queue cannot be read") from error
