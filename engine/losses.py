"""What the loss of a part of a log comes to: which downloads it was about, as they stood with it and without it.

The events are those that can still be read behind the cut, in order; between them some may be missing. So a state
before the loss is the best guess that they allow: folded where they follow one another, else what the last of them
leads to wherever it leads from. At most so many downloads are listed; the others are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import attrs

from lading.domain.download import Download
from lading.domain.errors import LogDamaged
from lading.domain.events import Event, Queued
from lading.domain.evolving import evolve, fold
from lading.domain.facts import Fact
from lading.domain.states import TRANSITIONS, State
from lading.projections.fold import OF_DOWNLOADS

MOST_LISTED = 10_000

Kept = Callable[[UUID], Sequence[Fact]]


@attrs.define(kw_only=True)
class Loss:
    """One download: as it was with what was lost, as far as that can be told, and as it is without; None is unknown."""

    id: UUID
    after: State | None
    url: str | None
    key: str | None
    before: State | None = None
    events: int = 0
    folded: Download | None = None

    def row(self) -> dict[str, Any]:
        """Return it as `lading repair --log --json` shows it."""
        return {
            "kind": "lost",
            "id": str(self.id),
            "key": self.key,
            "url": self.url,
            "before": None if self.before is None else self.before.shown,
            "after": None if self.after is None else self.after.shown,
            "events": self.events,
        }


class Losses:
    """Gathers what was lost; `events` counts all that could be read, `count` the downloads that are listed."""

    def __init__(self) -> None:
        self.events = 0
        self._listed: dict[UUID, Loss] = {}
        self._others: set[UUID] = set()

    @property
    def count(self) -> int:
        """How many downloads are listed."""
        return len(self._listed)

    @property
    def listed(self) -> Iterable[Loss]:
        """The downloads, in the order in which they were lost."""
        return self._listed.values()

    def miss(self, stream: UUID, kept: Kept) -> None:
        """Take in that an event of a stream was lost of which nothing can be read, if nothing else is known of it.

        Where nothing is left of the stream either, nobody can tell whether it was a download's; it is listed.
        """
        if stream in self._listed or stream in self._others or len(self._listed) >= MOST_LISTED:
            return
        left = kept(stream)
        if not left or type(left[0].event) in OF_DOWNLOADS:
            self._listed[stream] = attrs.evolve(_begin(stream, left), events=1)

    def take(self, fact: Fact, kept: Kept) -> None:
        """Take a lost event in; `kept` returns what is left of its stream."""
        self.events += 1
        if type(fact.event) not in OF_DOWNLOADS:
            if len(self._others) < MOST_LISTED:
                self._others.add(fact.stream)
            return
        loss = self._listed.get(fact.stream)
        if loss is None:
            if len(self._listed) >= MOST_LISTED:
                return
            loss = self._listed[fact.stream] = _begin(fact.stream, kept(fact.stream))
        loss.events += 1
        if isinstance(fact.event, Queued) and loss.folded is None:
            loss.url, loss.key = fact.event.order.url, fact.event.order.key
        loss.folded = _fold(loss.folded, fact)
        loss.before = loss.folded.state if loss.folded is not None else _leads_to(fact.event)


def _begin(id: UUID, kept: Sequence[Fact]) -> Loss:
    state = fold(id, ((fact.event, fact.at_ns) for fact in kept))
    order = None if state is None else state.order
    return Loss(
        id=id,
        after=None if state is None else state.state,
        url=None if order is None else order.url,
        key=None if order is None else order.key,
        folded=state,
    )


def _fold(state: Download | None, fact: Fact) -> Download | None:
    """Return the state after a fact, None where something is missing between them."""
    if fact.version != (1 if state is None else state.version + 1):
        return None
    try:
        return evolve(state, fact.event, stream=fact.stream, at_ns=fact.at_ns)
    except LogDamaged:
        return None


def _leads_to(event: Event) -> State | None:
    """Return the one state that an event leads to wherever it leads from, None when there are several."""
    found = {row[type(event)] for row in TRANSITIONS.values() if type(event) in row}
    return found.pop() if len(found) == 1 else None
