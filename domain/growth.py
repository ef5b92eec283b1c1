"""How many connections one file is worth: one at first, and more for as long as they make it faster.

Whether a second connection helps nobody can know but by trying: it does where a server or a path limits each of them,
and does not where the line is full. So the number is doubled, and what came of that is measured when the new ones have
got going. If the rate has not grown with it, the number goes back, and is not tried again for a while.
"""

from __future__ import annotations

LOOK_S = 1.0
"""How long a rate is measured."""
WORTH_S = 3.0
"""What would be over in less time than this is left alone."""
GAIN = 0.3
"""What share of the growth that more connections could bring at best they must have brought, to be kept."""
PATIENT_LOOKS = 5
"""How many looks are waited for connections that are wanted and do not come."""
PATIENCE_S = 30.0
"""How long a number that did not help is not tried again; twice as long each time."""
LONGEST_PATIENCE_S = 600.0

SLOW = 0.3
"""A connection slower than this share of the mean is begun anew ..."""
SLOW_S = 4.0
"""... when it was so for so long."""
FADING = 0.9
"""What is left, from one look to the next, of the memory of how fast connections were when several ran."""


class Growth:
    """Decides, look by look, how many connections there should be; `most` may be lowered at any time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.wanted = 1
        self._before: tuple[int, float] | None = None
        self._is_settling = True
        self._lacking = 0
        self._patience_s = PATIENCE_S
        self._rest_until_s = float("-inf")

    def look(self, now_s: float, rate: float, *, running: int, left: int) -> int:
        """Take in the rate of the last `LOOK_S`, in bytes a second, and return how many connections there should be.

        Args:
            now_s: the time, in monotonic seconds.
            rate: of all connections together.
            running: how many there are.
            left: bytes still to be fetched.
        """
        self.wanted = min(self.wanted, self.most)
        self._lacking = self._lacking + 1 if running < self.wanted else 0
        if self._lacking > PATIENT_LOOKS:
            self.wanted = running
        if self._is_settling or running != self.wanted:
            self._is_settling = running != self.wanted
            return self.wanted
        if self._before is not None:
            self._judge(now_s, rate)
        if self._before is None and self.wanted < self.most and now_s >= self._rest_until_s:
            self._try_more(rate, left)
        return self.wanted

    def _judge(self, now_s: float, rate: float) -> None:
        """Keep what was tried if it has helped."""
        assert self._before is not None
        (count, before), self._before = self._before, None
        if rate < before * (1 + GAIN * (self.wanted - count) / count):
            self.wanted = count
            self._rest_until_s = now_s + self._patience_s
            self._patience_s = min(2 * self._patience_s, LONGEST_PATIENCE_S)

    def _try_more(self, rate: float, left: int) -> None:
        if rate > 0 and left > WORTH_S * rate:
            self._before = (self.wanted, rate)
            self.wanted = min(2 * self.wanted, self.most)
            self._is_settling = True


def is_slow(rate: float, mean: float, since_s: float) -> bool:
    """Tell whether a connection of this rate should be begun anew, when it has been measured for `since_s`."""
    return since_s >= SLOW_S and rate < SLOW * mean
