"""Metering: how fast something may be used up, by whom next, and how much at a time. Pure; times are arguments.

A `Bucket` sells what it earns. Who has used something takes a `Ticket` for it, and waits until all that was sold up to
then is earned; so tickets are served in order, and nobody starves. What nobody uses is not saved up: earnings run ahead
of what is sold by a small burst at most. Since use comes before the wait, whoever cannot use their turn leaves it to
others, and turns that are equal make shares that are equal.
"""

from __future__ import annotations

import math
from collections import deque

import attrs

BURST_S = 0.1
"""Earnings may run ahead of what was sold by what is earned in so long."""
TURNS_A_S = 10
"""About how many turns a second each of those who share a rate gets."""
LEAST_QUANTUM, MOST_QUANTUM = 1024, 1024 * 1024
TICK_S = 1e-6
"""A wait shorter than this is none: clocks do not tell it, and what is missing stays on the bill."""


@attrs.define(eq=False)
class Ticket:
    """Stands for `n` units that were sold at a rate; it is served when earnings have come to `at`."""

    n: float
    rate: float
    at: float

    def cost(self, rate: float) -> float:
        """Return what it costs while `rate` is earned: it is served at the higher of the two rates."""
        return self.n * rate / max(rate, self.rate)


class Bucket:
    """Sells at most `rate` units a second (bytes, requests); None: as many as anybody wants, 0: nothing.

    A rate that changes counts from then on, for those who wait too. Only what was sold under a higher rate takes no
    longer than it would have taken under that: who is told to go slower has not to make up for having been faster.
    """

    def __init__(self, rate: float | None) -> None:
        self._rate = self._costed = rate
        self._at_s: float | None = None
        self._sold = 0.0
        self._earned = 0.0
        self._waiting: deque[Ticket] = deque()

    @property
    def rate(self) -> float | None:
        """Units a second at present."""
        return self._rate

    def take(self, n: float, now_s: float) -> Ticket:
        """Sell `n` units, and return the ticket by which they are waited for."""
        self._earn(now_s)
        self._sold += n
        ticket = Ticket(n, self._costed or 0.0, self._sold)
        if self._rate is not None:
            self._waiting.append(ticket)
        return ticket

    def wait_s(self, ticket: Ticket, now_s: float) -> float:
        """Return the seconds until what the ticket stands for is earned, if the rate stays: 0 for now."""
        self._earn(now_s)
        return self._until_s(ticket.at)

    def owing_s(self, now_s: float) -> float:
        """Return the seconds until nothing is owed, if the rate stays; then a new bucket would do as well."""
        self._earn(now_s)
        return self._until_s(self._sold)

    def change(self, rate: float | None, now_s: float) -> None:
        """Earn at another rate from now on."""
        self._earn(now_s)
        if rate and self._costed:
            self._cost_anew(self._costed, rate)
        if rate is None or rate:
            self._costed = rate
        self._rate = rate
        self._earn(now_s)

    def _cost_anew(self, before: float, rate: float) -> None:
        """Put those who wait where they stand under another rate; the first may be served in part."""
        if not self._waiting:
            return
        first, at = self._waiting[0], self._earned
        first.n *= min(1.0, (first.at - at) / first.cost(before))
        for ticket in self._waiting:
            at += ticket.cost(rate)
            ticket.at = at
        self._sold = at

    def _until_s(self, at: float) -> float:
        missing = at - self._earned
        if self._rate is None or missing <= 0:
            return 0.0
        if not self._rate:
            return math.inf
        wait_s = missing / self._rate
        return wait_s if wait_s > TICK_S else 0.0

    def _earn(self, now_s: float) -> None:
        passed_s = 0.0 if self._at_s is None else max(0.0, now_s - self._at_s)
        self._at_s = now_s if self._at_s is None else self._at_s + passed_s
        if self._rate is None:
            self._earned = self._sold
        else:
            self._earned = min(self._earned + self._rate * passed_s, self._sold + self._rate * BURST_S)
        while self._waiting and self._waiting[0].at <= self._earned:
            self._waiting.popleft()


def quantum(rate: float, sharers: int) -> int:
    """Return how many bytes one receive may take under a limit that so many share: turns are to be small and even."""
    return max(LEAST_QUANTUM, min(MOST_QUANTUM, int(rate / TURNS_A_S / max(1, sharers))))
