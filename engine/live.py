"""What is going on right now: the live rates of running transfers, in memory, never in the log."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import attrs

from lading.domain import estimate
from lading.domain.estimate import Meter


@attrs.frozen(kw_only=True)
class Live:
    """A look at a running transfer: bytes held now (durable or not), bytes a second, seconds to go; None: unknown."""

    received: int
    total: int | None
    rate: float | None
    eta: float | None
    percent: float | None


class Gauge:
    """The live figures of one running transfer."""

    def __init__(self, now_s: float) -> None:
        self._meter = Meter(now_s)
        self.received = 0
        self.total: int | None = None
        self.storage: str | None = None

    def begin(self, received: int, total: int | None) -> None:
        """Note what is held when the body begins; it does not count as having arrived."""
        self.received, self.total = received, total

    def add(self, count: int, now_s: float) -> None:
        """Note that `count` more bytes arrived."""
        self.received += count
        self._meter.add(count, now_s)

    def look(self, now_s: float) -> Live:
        """Return the figures of this moment."""
        rate = self._meter.rate(now_s)
        return Live(
            received=self.received,
            total=self.total,
            rate=rate,
            eta=estimate.eta(self.received, self.total, rate),
            percent=estimate.percent(self.received, self.total),
        )


class Board:
    """The gauges of all running transfers, and how many connections they have to each host (`host:port`)."""

    def __init__(self) -> None:
        self.gauges: dict[UUID, Gauge] = {}
        self.connections: Counter[str] = Counter()

    def look(self, now_s: float) -> dict[UUID, Live]:
        """Return the figures of every running transfer."""
        return {id: gauge.look(now_s) for id, gauge in self.gauges.items()}
