"""When progress is worth an event: a checkpoint, not a stream.

A checkpoint flushes the part file and then appends one `Progressed`. It costs a disk flush and a log commit, so it is
taken at 64 MiB, or after 5 seconds with at least 1 MiB, or after a minute with any byte; and the intervals stretch with
the number of running downloads, so that an engine appends at most about 20 a second.
"""

from __future__ import annotations

MIB = 1024 * 1024
LARGE_BYTES = 64 * MIB
SMALL_BYTES = MIB
SOON_S = 5.0
LATE_S = 60.0
MOST_PER_SECOND = 20


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
