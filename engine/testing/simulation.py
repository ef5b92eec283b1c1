"""A whole engine on in-memory ports, in virtual time, from one seed.

`run(seed, story)` runs the async function `story` with a `World` whose every choice, down to the order in which trio
wakes its tasks, comes from the seed: two runs of a seed append the same events with the same ids at the same times
(law 8). An hour of waiting takes as long as the code needs to wait.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import attrs
import trio
import trio.testing

from lading.bootstrap import Parts, run_engine
from lading.domain.facts import Context
from lading.domain.ports import Threads
from lading.engine import Engine
from lading.hooking import Hands
from lading.settings import Settings
from lading.testing.cache import MemoryCache
from lading.testing.chance import SeededChance
from lading.testing.clock import VirtualClock
from lading.testing.disk import MemoryDisk
from lading.testing.log import MemoryLog
from lading.testing.machine import MemoryMachine
from lading.testing.network import MemoryNetwork
from lading.testing.processes import MemoryProcesses
from lading.testing.receiver import MemoryCursors, MemoryReceiver
from lading.testing.store import MemoryStore
from lading.testing.threads import InlineThreads
from lading.testing.vault import MemoryVault
from lading.views import Views

T = TypeVar("T")
FOLDER = "/downloads"
CALM = {"reserve_bytes": 0, "disk_free_percent": 0, "poll_s": 1.0, "watch_s": 60.0, "cache": "off"}
"""What is set in a simulation unless a test says otherwise: no byte of a small disk is kept free, and few looks."""


@attrs.define(kw_only=True)
class World:
    """What outlives an engine: its log, disk, vault and network, and the clock and the seed of everything.

    Blocking work runs in `threads`: in line, unless a test is about threads.
    """

    log: MemoryLog
    disk: MemoryDisk
    vault: MemoryVault
    cache: MemoryCache
    network: MemoryNetwork
    clock: VirtualClock
    chance: SeededChance
    threads: Threads = attrs.field(factory=InlineThreads)
    machine: MemoryMachine = attrs.field(factory=MemoryMachine)
    processes: MemoryProcesses = attrs.field(factory=MemoryProcesses)
    receiver: MemoryReceiver = attrs.field(factory=MemoryReceiver)
    cursors: MemoryCursors = attrs.field(factory=MemoryCursors)
    owners: int = 0

    @classmethod
    def make(cls, seed: int) -> World:
        """Return a world in which nothing has happened."""
        disk = MemoryDisk()
        return cls(
            log=MemoryLog(),
            disk=disk,
            vault=MemoryVault(),
            cache=MemoryCache(disk),
            network=MemoryNetwork(),
            clock=VirtualClock(),
            chance=SeededChance(seed),
        )

    @asynccontextmanager
    async def engine(
        self, *, owner: bool = True, actor: str = "simulation", start: bool = True, **settings: Any
    ) -> AsyncIterator[Engine]:
        """Open an engine in this world, the owner or one more client; its views are made anew from the log.

        It has no cache unless that is set: most stories are about what is fetched.
        """
        parts = Parts(
            log=self.log,
            views=Views(self.log, lambda _: MemoryStore()),
            disk=self.disk,
            transport=self.network.transport(),
            vault=self.vault,
            cache=self.cache,
            threads=self.threads,
            clock=self.clock,
            chance=self.chance,
            machine=self.machine,
            processes=self.processes,
            hands=Hands(runner=self.receiver, cursors=self.cursors),
        )
        context = Context(actor=actor, host="simulated")
        self.owners += owner
        try:
            async with run_engine(
                parts,
                settings=Settings(**{**CALM, **settings}),
                context=context,
                owner=owner,
                folder=FOLDER,
                cwd="/",
                start=start,
                is_vacant=lambda: not self.owners,
            ) as engine:
                yield engine
        finally:
            self.owners -= owner

    def fork(self, seed: int) -> World:
        """Return a world of its own that is as this one is now, as if every program had been killed at this moment.

        Only the network is shared. Follow with `fork.disk.crash()` and it was the power that went. What this world does
        from now on, the other does not see; so one run can be cut off at every step.
        """
        disk = self.disk.copy()
        return World(
            log=self.log.copy(),
            disk=disk,
            vault=self.vault,
            cache=self.cache.copy(disk),
            network=self.network,
            clock=VirtualClock(self.clock.now_ns()),
            chance=SeededChance(seed),
            cursors=self.cursors.copy(),
        )

    def fingerprint(self) -> str:
        """Return one digest of everything in the log, in order."""
        digest = hashlib.sha256()
        after = 0
        while page := self.log.read(after, 1000):
            for position, stream, version, topic, state in page:
                after = position
                digest.update(b"|".join((stream.bytes, str(version).encode(), topic.encode(), state)))
        return digest.hexdigest()


def run(seed: int, story: Callable[[World], Awaitable[T]]) -> T:
    """Run `story` in a new world made from `seed`, in virtual time, and return what it returns."""
    _seed_the_scheduler(seed)
    world = World.make(seed)
    return trio.run(story, world, clock=trio.testing.MockClock(autojump_threshold=0))


def _seed_the_scheduler(seed: int) -> None:
    """Let the order in which trio runs its tasks follow from the seed.

    Trio shuffles each batch of tasks with a generator of its own and offers no public way to seed it; Hypothesis sets
    these two names as well, so they are as stable as private ones can be.
    """
    core: Any = trio._core._run  # noqa: SLF001 # see above
    core._ALLOW_DETERMINISTIC_SCHEDULING = True  # noqa: SLF001
    core._r = random.Random(seed)  # noqa: SLF001
