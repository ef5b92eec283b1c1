"""A program that dies at a step of its own: `backup`, `restore` or `archive` in a child, killed at the k-th of them.

    python backup_victim.py PLACE VERB…      {k} in the words of the verb is the number of the child

Steps are all that makes something last or seen, before it and after it: flushes, links, renames, folders, removals,
commits of LMDB; and each frame of what is packed. The children are forked from one process that has opened nothing, one
for each step until one lives; `PLACE/k` says how each ended.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lading import archiving, backup, packing, restoring  # noqa: F401 # loaded once, for all children
from lading.adapters.lmdb.environment import Environment
from lading.tools.cli import main

STEPS = ("fsync", "link", "rename", "replace", "mkdir", "unlink", "rmdir")


def die_at(k: int) -> None:
    """See to it that this process is killed at its k-th step."""
    passed = 0

    def step() -> None:
        nonlocal passed
        passed += 1
        if passed == k:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            step()
            result = function(*args, **kwargs)
            step()
            return result

        return stepped

    for name in STEPS:
        setattr(os, name, around(getattr(os, name)))
    Environment.commit = around(Environment.commit)
    packing._frame = around(packing._frame)


def run(place: Path, words: list[str], stride: int) -> None:
    """Fork children until one lives, each killed `stride` steps later than the one before."""
    k = 0
    while True:
        k += 1
        child = os.fork()
        if child == 0:
            die_at(1 + (k - 1) * stride)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os._exit(main([word.format(k=k) for word in words]))
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        (place / str(k)).write_text(str(code))
        if code != -signal.SIGKILL:
            return


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[3:], int(sys.argv[2]))
