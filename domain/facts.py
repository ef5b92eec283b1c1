"""A fact: one event with what its envelope says of it — when, which, in which stream, and who caused it.

The log keeps envelope and event together; views, followers and `why` read facts.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import attrs

from lading.domain.events import Event


@attrs.frozen(kw_only=True, slots=False)
class Context:
    """Who causes events and why: kept with each of them.

    `correlation` ties together everything that one act of a person led to; `causation` is the event that led
    to this one.
    """

    actor: str = ""
    host: str = ""
    correlation: UUID | None = None
    causation: UUID | None = None


class Fact(NamedTuple):
    """One recorded event: its place in the log and in its stream, its own id, its time (UTC, ns), and who caused it."""

    position: int
    stream: UUID
    version: int
    id_bytes: bytes
    at_ns: int
    event: Event
    context: Context

    @property
    def id(self) -> UUID:
        """The event's own id."""
        return UUID(bytes=self.id_bytes)
