"""The record: what happened in an incident, as a world can give it again and an engine can be asked to decide it anew.

What people asked, when engines came and went, and what the machine was like are steps in time. What became of each
attempt is a `Trial`: when it was answered, how its bytes came in, and how it ended, all counted from its start, so that
an attempt at another time meets the same.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain.download import Download
from lading.domain.faults import Cause
from lading.domain.requests import Order

MOST_POINTS = 64


@attrs.define(kw_only=True)
class Trial:
    """One attempt; times in nanoseconds since its start, bytes beside what was held then.

    Attributes:
        held: what was held when it started, or after it had started over.
        source: the number of its source.
        answered_ns: when its server had answered, None if that is not told.
        points: when how many bytes had come in.
        ended: the event that ended it, None while nothing has.
        ended_ns: when that was.
        jitter: the share of the longest delay that its retry waited.
        wait_ns: how long that was.
        afresh: whether its server sent another version, or the whole where a part was asked for.
    """

    started_ns: int
    held: int
    source: int = 0
    answered_ns: int | None = None
    points: list[tuple[int, int]] = attrs.field(factory=list)
    ended: e.Event | None = None
    ended_ns: int = 0
    jitter: float | None = None
    wait_ns: int | None = None
    afresh: bool = False
    _before: tuple[int, list[tuple[int, int]], bool] | None = None

    @property
    def gained(self) -> int:
        """The bytes that came in."""
        return self.points[-1][1] if self.points else 0

    def note(self, at_ns: int, received: int) -> None:
        """Note what was held at some time; of very many notes, every other is dropped."""
        gained = max(self.gained, received - self.held)
        self.points.append((at_ns - self.started_ns, gained))
        if len(self.points) > MOST_POINTS:
            del self.points[1:-1:2]

    def start_over(self) -> None:
        """Note that all that was held was given up."""
        self._before = (self.held, self.points, self.afresh)
        self.held, self.points, self.afresh = 0, [], True

    def end(self, at_ns: int, event: e.Event) -> None:
        """Note how it ended; who starts over because of a digest does so at the end, and not because of the server."""
        self.ended, self.ended_ns = event, at_ns - self.started_ns
        if getattr(event, "cause", None) == Cause.DIGEST and self._before is not None:
            self.held, self.points, self.afresh = self._before


@attrs.define(kw_only=True)
class Item:
    """One download of an incident: what was asked, when, and what came of it, attempt by attempt.

    Attributes:
        number: how many came before it.
        total: its size in bytes, None if that was never known.
        sized: whether its server tells the size.
        framed: whether the end of its body is marked.
        provable: whether a part of it can be proved to be of the version that is held.
        digested: whether the whole is held against a digest.
        flags: what was not plainly on for it, as its first attempt tells.
    """

    id: UUID
    number: int
    order: Order
    arrived_ns: int
    state: Download
    total: int | None = None
    sized: bool = True
    framed: bool = True
    provable: bool = True
    digested: bool = False
    flags: tuple[str, ...] = ()
    trials: list[Trial] = attrs.field(factory=list)


class Ask(NamedTuple):
    """Somebody asked something of a download."""

    id: UUID
    event: e.Event


class Submitted(NamedTuple):
    """Somebody asked for a download."""

    id: UUID


class Opened(NamedTuple):
    """An engine began to work."""


class Closed(NamedTuple):
    """It ended: because there was nothing more to do, or with work in hand."""

    idle: bool


class Around(NamedTuple):
    """The machine became other than it was: `what` is online, metered, memory or room."""

    what: str
    value: bool


class Rested(NamedTuple):
    """Somebody let the whole queue rest, or go on."""

    event: e.Event


class Roomy(NamedTuple):
    """There came to be room for a download on its disk, or none."""

    id: UUID
    free: int | None


Step = Submitted | Ask | Opened | Closed | Around | Rested | Roomy


@attrs.define(kw_only=True)
class Record:
    """All of an incident: downloads by their pseudonyms, what happened around them, in order, and when it ended."""

    items: dict[UUID, Item] = attrs.field(factory=dict)
    steps: list[tuple[int, Step]] = attrs.field(factory=list)
    last_ns: int = 0
