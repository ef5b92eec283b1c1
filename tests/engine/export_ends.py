"""A process whose children replace an export and end without a word, each one system call later, and look at the rest.

Nothing here opens the home before it forks: LMDB is not to be touched through what a child inherits.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from lading import exporting, rechecking
from lading.export_files import Provenance
from lading.home import open_home
from lading.opening import open_reading

ENDED = 9


def in_child(work: Callable[[], int]) -> int:
    """Run `work` in a child, and return its exit code."""
    child = os.fork()
    if not child:
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def export(home: Path, path: str, last: int, step: int | None) -> int:
    """Replace the export by one up to `last`; end before the call number `step` that makes something durable."""
    steps = iter(range(1, 100))
    for name in ("fsync", "replace") if step else ():
        real = getattr(os, name)

        def ending(*given: object, real: Callable[..., None] = real) -> None:
            if next(steps) == step:
                os._exit(ENDED)
            real(*given)

        setattr(os, name, ending)
    reading = open_reading(open_home(home, new_id=None))
    asked = exporting.wanted("events", path, form=None, first=None, last=last, force=True)
    list(exporting.export(reading, asked, "log"))
    return 0


def look(home: Path, path: str) -> int:
    """Say what is wrong with the export, and up to which position it reaches."""
    reading = open_reading(open_home(home, new_id=None))
    for found in rechecking.recheck(reading, Path(path), "log"):
        print(found.last if isinstance(found, Provenance) else found, flush=True)
    return 0


def main(home: Path, path: str) -> None:
    """Do it until nothing ends any more."""
    in_child(lambda: export(home, path, 500, None))
    for step in range(1, 100):
        code = in_child(lambda step=step: export(home, path, 700, step))
        in_child(lambda: look(home, path))
        if code != ENDED:
            return
        in_child(lambda: export(home, path, 500, None))


main(Path(sys.argv[1]), sys.argv[2])
