"""When progress is worth an event: a checkpoint, not a stream.

A checkpoint flushes the part file and then appends one `Progressed`. It costs a disk flush and a log commit, so it is
taken at 64 MiB, or after 5 seconds with at least 1 MiB, or after a minute with any byte; and the intervals stretch with
the number of running downloads, so that an engine appends about 20 a second; that it never appends more, even when a
thousand downloads become due at the same moment, is what the `Budget` that they share is for.
"""

from __future__ import annotations

MIB = 1024 * 1024
LARGE_BYTES = 64 * MIB
SMALL_BYTES = MIB
SOON_S = 5.0
LATE_S = 60.0
MOST_PER_SECOND = 20


class Budget:
    """Spaces the checkpoints of all transfers of one engine: never more than `MOST_PER_SECOND`.

    A fifth of them is kept back, since flushes differ in how long they take, and what was spaced before them comes
    closer together behind them.
    """

    def __init__(self) -> None:
        self._free_s = float("-inf")

    def take(self, now_s: float) -> bool:
        """Tell whether a checkpoint may be made now, and count it if so; whoever may not asks again later."""
        if now_s < self._free_s:
            return False
        self._free_s = now_s + 1 / (0.8 * MOST_PER_SECOND)
        return True


def due(unlogged_bytes: int, elapsed_s: float, running: int) -> bool:
    """Tell whether `unlogged_bytes` received in the `elapsed_s` since the last checkpoint deserve one.

    `running` is the number of downloads that share the engine's budget of events.
    """
    if unlogged_bytes <= 0 or elapsed_s < running / MOST_PER_SECOND:
        return False
    stretch = max(1.0, running / (MOST_PER_SECOND * SOON_S))
    return (
        unlogged_bytes >= LARGE_BYTES
        or (unlogged_bytes >= SMALL_BYTES and elapsed_s >= SOON_S * stretch)
        or elapsed_s >= LATE_S * stretch
    )
