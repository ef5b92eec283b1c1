"""Worker threads without threads: blocking work runs in line, in an order that only the seed decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")


class InlineThreads:
    """Runs the work at once, then lets other tasks run."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` and return what it returns; as with real threads, it is not begun by who is cancelled already."""
        await trio.lowlevel.checkpoint_if_cancelled()
        await trio.lowlevel.cancel_shielded_checkpoint()
        result = work()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return result
