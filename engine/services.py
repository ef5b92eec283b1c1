"""What every part of the engine stands on: the ports, put together once by `lading.bootstrap`."""

from __future__ import annotations

import attrs

from lading.buffers import Buffers
from lading.caching import Caching
from lading.domain.checkpoints import Budget
from lading.domain.disks import Disk
from lading.domain.facts import Context
from lading.domain.ports import Chance, Clock, Log, Threads, Transport, Vault
from lading.journal import Journal
from lading.live import Board
from lading.mishaps import Mishaps
from lading.publisher import Publisher
from lading.settings import Settings
from lading.slots import Slots
from lading.throttle import Throttle


@attrs.define(kw_only=True, eq=False, on_setattr=attrs.setters.frozen)
class Services:
    """The ports of one engine, its journal, its settings, and in whose name it writes.

    Of these, only the settings can be others in time: whoever needs one asks for it when it is needed.
    """

    log: Log
    journal: Journal
    disk: Disk
    transport: Transport
    vault: Vault
    threads: Threads
    clock: Clock
    chance: Chance
    settings: Settings = attrs.field(on_setattr=attrs.setters.NO_OP)
    context: Context
    board: Board
    buffers: Buffers
    budget: Budget
    publisher: Publisher
    throttle: Throttle
    slots: Slots
    caching: Caching
    mishaps: Mishaps
