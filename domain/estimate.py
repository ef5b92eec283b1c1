"""How fast, and until when: live rates, which never enter the log.

The rate is measured over a sliding window of what arrived lately, so that a step shows within seconds and a hiccup does
not; bytes that were there before the attempt (resumed ones) never count. An estimate that cannot be made is None, and
no share is ever above 100 %.
"""

from __future__ import annotations

from collections import deque

WINDOW_S = 8.0
SAMPLE_EVERY_S = 0.25
STALE_S = 15.0


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
        while len(self._samples) > 2 and now_s - self._samples[1][0] >= WINDOW_S:
            self._samples.popleft()

    def rate(self, now_s: float) -> float | None:
        """Return bytes a second over the window, or None while there is too little to tell."""
        while len(self._samples) > 1 and now_s - self._samples[1][0] >= WINDOW_S:
            self._samples.popleft()
        since_s, before = self._samples[0]
        if now_s - since_s < SAMPLE_EVERY_S * 2:
            return None
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
