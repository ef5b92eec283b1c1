"""A clock that a test owns: time passes when everything waits, or when the test says so."""

from __future__ import annotations

import trio

START_NS = 1_700_000_000 * 10**9


class VirtualClock:
    """Wall and monotonic time taken from trio's clock, which under `trio.testing.MockClock` is the test's.

    With `MockClock(autojump_threshold=0)` an hour of waiting takes no time, and every run reads the same times.
    """

    def __init__(self, start_ns: int = START_NS) -> None:
        self._start_ns = start_ns
        self._zero: float | None = None
        self.stepped_ns = 0

    def monotonic(self) -> float:
        """Return the virtual seconds since the clock was first read."""
        now = trio.current_time()
        if self._zero is None:
            self._zero = now
        return now - self._zero

    def now_ns(self) -> int:
        """Return the virtual wall time; `stepped_ns` is what the test made it jump."""
        return self._start_ns + self.stepped_ns + round(self.monotonic() * 1e9)

    def local_minute(self) -> int:
        """Return the minute of the day in UTC, wherever the test runs."""
        return self.now_ns() // 60_000_000_000 % 1440

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await trio.sleep(seconds)
