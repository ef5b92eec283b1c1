"""Rest for the garbage collector while a batch of the log is folded.

A batch makes tens of thousands of small objects that hold no cycles and die with it. Python's cyclic collector would
walk them again and again and find nothing: measured, a third of the time of a replay. It rests for one batch at a time,
some tens of milliseconds, whichever threads are folding.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_resting = 0
_was_enabled = False


@contextmanager
def resting() -> Iterator[None]:
    """Keep the cyclic collector from running until the context ends; blocks may nest and overlap."""
    global _resting, _was_enabled  # noqa: PLW0603 # the collector is the interpreter's, not ours
    with _lock:
        if not _resting:
            _was_enabled = gc.isenabled()
            gc.disable()
        _resting += 1
    try:
        yield
    finally:
        with _lock:
            _resting -= 1
            if not _resting and _was_enabled:
                gc.enable()
