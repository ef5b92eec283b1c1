"""The same engine with nothing audited, to be raced against: no digest, no flush, a log that is forgotten.

    python -m lading.tools.bench.unaudited URL FOLDER

It exists to measure what the audit costs, so it takes away exactly that, in its own process, and nothing else.
"""

from __future__ import annotations

import os
import sys
from typing import Self

import trio

from lading.adapters.disk import LocalDisk, LocalPart, folders
from lading.adapters.http import HTTPXTransport
from lading.adapters.machine import LocalMachine
from lading.adapters.system import SystemChance, SystemClock
from lading.adapters.threads import WorkerThreads
from lading.bootstrap import Parts, run_engine
from lading.domain import digests
from lading.domain.facts import Context
from lading.domain.requests import Request
from lading.settings import Settings
from lading.testing.cache import MemoryCache
from lading.testing.disk import MemoryDisk
from lading.testing.log import MemoryLog
from lading.testing.store import MemoryStore
from lading.testing.vault import MemoryVault
from lading.views import Views


class Blind:
    """A digest of nothing."""

    def update(self, data: object, /) -> None:
        """Look away."""

    def hexdigest(self) -> str:
        """Return what could be a digest."""
        return "0" * 64

    def copy(self) -> Self:
        """Return itself: it has no state."""
        return self


def blindfold() -> None:
    """Take digests and flushes out of this process."""
    digests.hasher = lambda algorithm=digests.DEFAULT: Blind()  # noqa: ARG005 # of whatever algorithm
    folders.flush = lambda folder: None  # noqa: ARG005 # no folder
    LocalPart.flush = LocalPart._flush_content = lambda self: None  # type: ignore[method-assign] # noqa: SLF001, ARG005


async def fetch(url: str, folder: str) -> bool:
    """Download `url` into `folder`, and tell whether that worked."""
    log = MemoryLog()
    transport = HTTPXTransport(trust_env=True)
    parts = Parts(
        log=log,
        views=Views(log, lambda _: MemoryStore()),
        disk=LocalDisk(),
        transport=transport,
        vault=MemoryVault(),
        cache=MemoryCache(MemoryDisk()),
        threads=WorkerThreads(),
        clock=SystemClock(),
        chance=SystemChance(),
        machine=LocalMachine(),
    )
    try:
        async with run_engine(
            parts,
            settings=Settings(disk_free_percent=0, memory_percent=100),
            context=Context(actor="bench"),
            owner=True,
            folder=folder,
            cwd=folder,
        ) as engine:
            return (await engine.wait((await engine.submit(Request(url))).id)).ok
    finally:
        await transport.aclose()


if __name__ == "__main__":
    blindfold()
    sys.exit(0 if trio.run(fetch, sys.argv[1], os.path.abspath(sys.argv[2])) else 1)
