"""How fast, and until when: live rates, which never enter the log.

The rate is what arrived over a long window, so that bursts even out, as long as a short window agrees with it. When
they are far apart (a leap) or the whole of the short one lies to one side of the long (a step), what lies before is
forgotten, so that a change shows within seconds. Bytes that were there before the attempt (resumed ones) never count.
An estimate that cannot be made is None, and no share is ever above 100 %.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

SHORT_S = 8.0
LONG_S = 32.0
KEPT_S = 2.0
LEAP = 0.4
STEP = 0.1
SAMPLE_EVERY_S = 0.25


class Meter:
    """The rate of one transfer, or of many together; every method takes the time, in monotonic seconds."""

    def __init__(self, now_s: float) -> None:
        self._samples: deque[tuple[float, int]] = deque([(now_s, 0)])
        self._received = 0

    @property
    def received(self) -> int:
        """Bytes that arrived since the meter was made."""
        return self._received

    def add(self, count: int, now_s: float) -> None:
        """Note that `count` more bytes have arrived."""
        self._received += count
        if now_s - self._samples[-1][0] >= SAMPLE_EVERY_S:
            self._samples.append((now_s, self._received))
        self._forget(now_s, LONG_S)

    def rate(self, now_s: float) -> float | None:
        """Return bytes a second, or None while there is too little to tell."""
        self._forget(now_s, LONG_S)
        if now_s - self._samples[0][0] < SAMPLE_EVERY_S * 2:
            return None
        short, long = self._over(now_s, SHORT_S), self._over(now_s, LONG_S)
        if abs(short - long) > LEAP * max(short, long):
            self._forget(now_s, KEPT_S)
        elif self._has_stepped(now_s, long):
            self._forget(now_s, SHORT_S)
        return self._over(now_s, LONG_S)

    def _has_stepped(self, now_s: float, long: float) -> bool:
        """Tell whether every quarter of the short window lies clearly above the long rate, or every one below."""
        quarter_s = SHORT_S / 4
        marks = [(now_s, self._received), *(self._mark(now_s, quarter_s * number) for number in (1, 2, 3, 4))]
        rates = [
            (count - before) / max(at_s - since_s, SAMPLE_EVERY_S)
            for (at_s, count), (since_s, before) in pairwise(marks)
        ]
        return min(rates) > long * (1 + STEP) or max(rates) < long * (1 - STEP)

    def _forget(self, now_s: float, window_s: float) -> None:
        """Drop all samples older than `window_s` but the last of them, from which the window is measured."""
        while len(self._samples) > 1 and now_s - self._samples[1][0] >= window_s:
            self._samples.popleft()

    def _mark(self, now_s: float, age_s: float) -> tuple[float, int]:
        """Return the last sample that is at least `age_s` old, or the first of all."""
        return next((one for one in reversed(self._samples) if now_s - one[0] >= age_s), self._samples[0])

    def _over(self, now_s: float, window_s: float) -> float:
        since_s, before = self._mark(now_s, window_s)
        return (self._received - before) / (now_s - since_s)


def eta(received: int, total: int | None, rate: float | None) -> float | None:
    """Return the seconds until `total` bytes are there, or None when nobody can know."""
    if total is None or not rate or rate <= 0:
        return None
    return max(0, total - received) / rate


def percent(received: int, total: int | None) -> float | None:
    """Return the share of `total` that is there, from 0 to 100, or None when the total is unknown."""
    if total is None:
        return None
    return 100.0 if total == 0 else min(100.0, 100.0 * received / total)
