"""Nurseries whose errors come out as they were raised.

Trio wraps whatever leaves a nursery in an exception group. For an embedder the engine's tasks are an implementation
detail: an error of the home, or one of the block's own, must arrive as itself. Only when several really happened at
once does a group remain; when a log fails, everybody who waits for it is told the same, and that is one error; and what
follows a Ctrl-C is not worth telling.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def open_plain_nursery() -> AsyncIterator[trio.Nursery]:
    """Open a nursery; an exception that is alone in its group leaves without it."""
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        alone = _alone(group)
        if alone is None:
            raise
        raise alone from alone.__cause__


def _alone(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Return the one exception, told once or more often, if there is just one; of cancellations any stands for all."""
    every = _leaves(group)
    leaves = [leaf for leaf in every if not isinstance(leaf, trio.Cancelled)]
    if not leaves:
        return every[0]
    leaves = [leaf for leaf in leaves if not isinstance(leaf, Exception)] or leaves
    return leaves[0] if len({(type(leaf), str(leaf)) for leaf in leaves}) == 1 else None


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
