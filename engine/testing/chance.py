"""Randomness from a seed: the same jitter and the same ids in every run."""

from __future__ import annotations

import random
from uuid import UUID

from lading.adapters.system import TimeOrdered


class SeededChance:
    """Everything random, from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._ids = TimeOrdered(self._random.getrandbits)

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high]."""
        return self._random.uniform(low, high)

    def uuid(self, now_ns: int) -> UUID:
        """Return the next time-ordered id."""
        return self._ids.make(now_ns)
