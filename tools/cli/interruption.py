"""Being asked to stop: the first signal ends the work in good order, the second ends the process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

import trio

from lading.nurseries import open_plain_nursery
from lading.tools.cli.trouble import INTERRUPTED

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Whether somebody asked to stop; `scope` is cancelled when that happens, and a scope begun later at once."""

    def __init__(self) -> None:
        self.seen = False
        self.scope = trio.CancelScope()

    def begin(self) -> trio.CancelScope:
        """Return a fresh scope for work that may be interrupted."""
        self.scope = trio.CancelScope()
        if self.seen:
            self.scope.cancel()
        return self.scope

    async def watch(
        self, say: Callable[[str], None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen to signals, but for those that whoever started us wants ignored (`nohup`, a script's `&`)."""
        listened = [number for number in _ASKING if signal.getsignal(number) is not signal.SIG_IGN]
        with trio.open_signal_receiver(*listened) as signals:
            task_status.started()
            async for _ in signals:
                if self.seen:
                    _leave_at_once()
                self.seen = True
                say("stopping in good order; once more stops at once")
                self.scope.cancel()


def _leave_at_once() -> NoReturn:
    if sys.stderr.isatty():
        print("\x1b[?25h", end="", file=sys.stderr, flush=True)  # bars hide the cursor
    os._exit(INTERRUPTED)


@asynccontextmanager
async def interruptible(say: Callable[[str], None]) -> AsyncIterator[Interruption]:
    """Turn signals into cancellation for as long as the block lasts; `say` tells people."""
    interruption = Interruption()
    async with open_plain_nursery() as nursery:
        await nursery.start(interruption.watch, say)
        try:
            yield interruption
        finally:
            nursery.cancel_scope.cancel()
