"""Every port, in memory and in the test's hand: shipped for our own tests and for embedders'.

`simulate` opens a whole engine on these: with a seeded run of trio (`lading.testing.simulation`) two runs of one seed
give the same log, event for event (law 8).
"""

from __future__ import annotations

from lading.testing.cache import MemoryCache
from lading.testing.chance import SeededChance
from lading.testing.clock import VirtualClock
from lading.testing.disk import MemoryDisk
from lading.testing.log import MemoryLog
from lading.testing.network import MemoryNetwork, MemoryTransport, Served
from lading.testing.processes import MemoryProcesses
from lading.testing.receiver import MemoryCursors, MemoryReceiver
from lading.testing.store import MemoryStore
from lading.testing.threads import InlineThreads
from lading.testing.vault import MemoryVault

__all__ = [
    "InlineThreads",
    "MemoryCache",
    "MemoryCursors",
    "MemoryDisk",
    "MemoryLog",
    "MemoryNetwork",
    "MemoryProcesses",
    "MemoryReceiver",
    "MemoryStore",
    "MemoryTransport",
    "MemoryVault",
    "SeededChance",
    "Served",
    "VirtualClock",
]
