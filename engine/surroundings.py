"""The machine around an engine, looked at again and again: what it does not have keeps the queue from starting.

A change is told once, in the log: `NetworkChanged` on the worker's stream, and on the queue's what blocks it now and
what has passed. The scheduler asks only `reasons`, which never blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import trio

from lading.domain import events as e
from lading.domain import hold, requirements
from lading.domain.errors import DiskFull, StoreError
from lading.domain.ports import Machine
from lading.domain.requirements import Conditions
from lading.queueing import QueueStream
from lading.services import Services


class Surroundings:
    """Keeps looking at a machine in the name of a worker; `on_change` is called when something came or passed."""

    def __init__(
        self, services: Services, machine: Machine, queue: QueueStream, worker: UUID, on_change: Callable[[], None]
    ) -> None:
        self._s = services
        self._machine = machine
        self._queue = queue
        self._worker = worker
        self._on_change = on_change
        self._told = Conditions(online=True)
        self._full: str | None = None
        self._turn = trio.Lock()
        self.conditions = Conditions()
        self.reasons: dict[str, str] = {}

    @property
    def policy(self) -> requirements.Policy:
        """What is required, as it is set now."""
        settings = self._s.settings
        network = settings.watch_network and settings.features.network > 0
        return requirements.Policy(memory_percent=settings.memory_percent, metered=settings.metered, network=network)

    async def look(self) -> Conditions:
        """Look now, and have the log told what has changed."""
        async with self._turn:
            policy = self.policy
            wants = policy.network and policy.metered != "run"
            self.conditions = await self._s.threads.run(lambda: self._machine.look(metered=wants))
            self._s.throttle.cap(requirements.metered_rate(self.conditions, policy))
            await self._say_network(policy)
            await self._settle()
        return self.conditions

    async def note_room(self, message: str | None) -> None:
        """Note that what would run next finds no room on its disk, or (None) that it does."""
        if (message is None) != (self._full is None):
            self._full = message
            async with self._turn:
                await self._settle()

    async def run(self) -> None:
        """Look again and again; a log that cannot be written now is told later."""
        while True:
            await self._s.clock.sleep(self._s.settings.watch_s)
            with self._s.mishaps.survived("the look at this machine", StoreError, DiskFull):
                await self.look()

    async def _say_network(self, policy: requirements.Policy) -> None:
        now, told = self.conditions, self._told
        if not policy.network or now.online is None or (now.online, now.metered) == (told.online, told.metered):
            return
        changed = e.NetworkChanged(worker=self._worker, online=now.online, metered=now.metered)
        await self._s.journal.note(self._worker, changed, context=self._s.context)
        self._told = now

    async def _settle(self) -> None:
        """Compare what is unmet with what was, and say the difference."""
        before = self.reasons
        asleep = self._s.throttle.is_paused
        reasons = requirements.unmet(self.conditions, self.policy, before=before, asleep=asleep)
        if self._full is not None:
            reasons[requirements.DISK] = self._full
        self.reasons = reasons
        if reasons.keys() != before.keys():
            self._on_change()
        held = await self._queue.held()
        if held.blocked.keys() != reasons.keys():
            await self._queue.tell(lambda now: hold.settle(now, reasons), self._s.context)
