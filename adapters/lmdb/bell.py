"""Wait for the next commit, whoever makes it.

Commits of this process ring at once. Those of other processes are polled for, by the number of the last
transaction, at a growing pause; asking for it takes about a microsecond.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

POLL_FIRST_S = 0.005
POLL_LAST_S = 0.05


class CommitBell:
    """Tells those who wait that something was committed.

    Args:
        last_transaction: returns the number of the last commit of any process.
    """

    def __init__(self, last_transaction: Callable[[], int]) -> None:
        self._last_transaction = last_transaction
        self._rung = threading.Condition()

    def ring(self) -> None:
        """Let all who wait look again."""
        with self._rung:
            self._rung.notify_all()

    def wait_beyond(self, transaction: int, timeout_s: float, stopped: Callable[[], bool] = lambda: False) -> None:
        """Return when a commit after `transaction` can be seen, when `stopped` says so, or when the time is over.

        No commit is missed between a look at the store and this call, if the look came after `transaction` was asked
        for. `stopped` is asked again at each ring and each poll.
        """
        deadline = time.monotonic() + timeout_s
        pause_s = POLL_FIRST_S
        with self._rung:
            while not stopped() and self._last_transaction() <= transaction:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return
                self._rung.wait(min(pause_s, left_s))
                pause_s = min(2 * pause_s, POLL_LAST_S)
