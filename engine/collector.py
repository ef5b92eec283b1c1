"""Rest for the garbage collector: while a batch of the log is folded, and of what a program is made of.

A batch makes tens of thousands of small objects that hold no cycles and die with it. Python's cyclic collector would
walk them again and again and find nothing: measured, a third of the time of a replay. It rests for one batch at a time,
some tens of milliseconds, whichever threads are folding.

Nor is there anything to be found among the classes and functions of a program, which are there until it ends: walking
them was a tenth of the work on many small files. What the collector looks for, cycles of what has failed, comes seldom;
so in a process that is ours alone it looks seldom too. An embedder's collector is his own, and left as it is.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_resting = 0
_was_enabled = False


SELDOM = 50_000, 20, 100
"""After how many objects, more made than gone, to look among the young ones; some megabytes at the most."""


def look_seldom() -> None:
    """Have the collector of this process look seldom; for a program, right at its start."""
    gc.set_threshold(*SELDOM)


def leave_alone() -> None:
    """Have it never look again at what there is now: all is loaded. Where it has not been told to look seldom, nothing.

    That is so in a process that is not a program of ours, such as that of a test.
    """
    if gc.get_threshold() == SELDOM:
        gc.freeze()


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
