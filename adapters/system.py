"""The system's own time and randomness, behind the domain's ports."""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections.abc import Callable
from uuid import UUID

import trio

_RANDOM_BITS = 74 - 12


class SystemClock:
    """The wall clock and the monotonic clock of this machine; sleeps in trio."""

    def now_ns(self) -> int:
        """Return UTC as nanoseconds since 1970."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start."""
        return time.monotonic()

    def local_minute(self) -> int:
        """Return the minute of the day in the time zone of this process."""
        now = time.localtime()
        return now.tm_hour * 60 + now.tm_min

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await trio.sleep(seconds)


class TimeOrdered:
    """Makes UUIDv7s (RFC 9562 §5.7) that increase strictly, whatever the clock does, from a source of random bits.

    The 12 bits after the milliseconds hold the fraction of the millisecond (§6.2, method 3); ids asked for at the same
    instant, or after the clock has stepped back, follow the last one closely, so that a batch keeps its order.
    """

    def __init__(self, random_bits: Callable[[int], int]) -> None:
        self._random_bits = random_bits
        self._last = 0
        self._lock = threading.Lock()

    def make(self, now_ns: int) -> UUID:
        """Return the next id for the time `now_ns`."""
        ms, rest_ns = divmod(now_ns, 1_000_000)
        instant = (ms & (1 << 48) - 1) << 12 | rest_ns * 4096 // 1_000_000
        with self._lock:
            last = self._last
            if instant > last >> _RANDOM_BITS:
                value = instant << _RANDOM_BITS | self._random_bits(_RANDOM_BITS - 1)
            else:
                value = last + 1 + self._random_bits(16)
            self._last = value
        high, low = value >> _RANDOM_BITS, value & (1 << _RANDOM_BITS) - 1
        return UUID(int=(high >> 12) << 80 | 0x7 << 76 | (high & 0xFFF) << 64 | 0b10 << 62 | low)


class SystemChance:
    """A plain generator, seeded by the operating system, for ids and jitter; no secret is made of it.

    A forked child draws its own seed, so that parent and child do not make the same ids.
    """

    def __init__(self) -> None:
        self._random = random.Random()
        self._ids = TimeOrdered(self._random.getrandbits)
        _drawing.add(self)

    def reseed(self) -> None:
        """Begin a new sequence."""
        self._random.seed()

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high]."""
        return self._random.uniform(low, high)

    def uuid(self, now_ns: int) -> UUID:
        """Return a new time-ordered id."""
        return self._ids.make(now_ns)


def _reseed_all() -> None:
    for chance in _drawing:
        chance.reseed()


_drawing: weakref.WeakSet[SystemChance] = weakref.WeakSet()
os.register_at_fork(after_in_child=_reseed_all)
