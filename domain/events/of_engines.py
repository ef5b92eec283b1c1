"""What can be said to have happened to keys, to engines and to the queue as a whole.

A key has a stream of its own, and so has each engine that worked on a home; what holds for the whole queue, whichever
engine works it, is told on the one stream `QUEUE`. Each archive of closed history is told on a stream of its own, which
its content names, so that one archive is told once.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import NAMESPACE_URL, UUID, uuid5

import attrs

from lading.domain.events.event import Event

QUEUE = uuid5(NAMESPACE_URL, "lading:queue")
"""The stream of what holds for the whole queue."""


ARCHIVES = uuid5(NAMESPACE_URL, "lading:archives")
"""The name space of the streams of archives."""


@attrs.frozen(kw_only=True, slots=False)
class KeyClaimed(Event):
    """The caller's key names this download; on the key's own stream, so that one key cannot name two."""

    TOPIC: ClassVar[str] = "lading.key-claimed.v1"
    key: str
    download: UUID


@attrs.frozen(kw_only=True, slots=False)
class EngineOpened(Event):
    """A worker took the home's engine lock; on the worker's own stream."""

    TOPIC: ClassVar[str] = "lading.engine-opened.v1"
    worker: UUID
    version: str


@attrs.frozen(kw_only=True, slots=False)
class Recovered(Event):
    """What a worker found when it opened a home that another had left: how many of each."""

    TOPIC: ClassVar[str] = "lading.recovered.v1"
    worker: UUID
    interrupted: int
    resumable: int
    published: int
    vanished: int
    cleaned: int
    bytes_vouched: int
    bytes_discarded: int


@attrs.frozen(kw_only=True, slots=False)
class EngineClosed(Event):
    """The worker stopped in good order and let go of the home."""

    TOPIC: ClassVar[str] = "lading.engine-closed.v1"
    worker: UUID


@attrs.frozen(kw_only=True, slots=False)
class NetworkChanged(Event):
    """The worker saw the network come or go, or become metered; None: the system does not tell."""

    TOPIC: ClassVar[str] = "lading.network-changed.v1"
    worker: UUID
    online: bool
    metered: bool | None = None


@attrs.frozen(kw_only=True, slots=False)
class Maintained(Event):
    """What a worker tidied up: how many of each, and the bytes that this gave back to the disk."""

    TOPIC: ClassVar[str] = "lading.maintained.v1"
    worker: UUID
    failures: int = 0
    orphans: int = 0
    quarantined: int = 0
    evicted: int = 0
    invalidated: int = 0
    bytes_reclaimed: int = 0


@attrs.frozen(kw_only=True, slots=False)
class LogRepaired(Event):
    """A damaged log was set aside, and this one goes on from its valid prefix; on the stream of this log's own id.

    `before` is the id of the damaged one, `root` its Merkle root at the cut, `cut` the position of the first event
    that could not be taken, `lost` how many were lost from there on; None is unknown. `reason` says what was wrong
    there, `aside` where the damaged log lies, in the home or in a database, and `version` which program did it.
    """

    TOPIC: ClassVar[str] = "lading.log-repaired.v1"
    before: UUID | None = None
    root: str | None = None
    cut: int
    lost: int | None = None
    reason: str
    aside: str
    version: str


@attrs.frozen(kw_only=True, slots=False)
class QueuePaused(Event):
    """Somebody wants that nothing of the queue starts; what is added waits."""

    TOPIC: ClassVar[str] = "lading.queue-paused.v1"


@attrs.frozen(kw_only=True, slots=False)
class QueueResumed(Event):
    """Somebody wants the queue to go on."""

    TOPIC: ClassVar[str] = "lading.queue-resumed.v1"


@attrs.frozen(kw_only=True, slots=False)
class QueueBlocked(Event):
    """Nothing of the queue can start, through no fault of its own, until `reason` passes."""

    TOPIC: ClassVar[str] = "lading.queue-blocked.v1"
    reason: str
    message: str = ""


@attrs.frozen(kw_only=True, slots=False)
class QueueUnblocked(Event):
    """What kept the whole queue from starting has passed."""

    TOPIC: ClassVar[str] = "lading.queue-unblocked.v1"
    reason: str


@attrs.frozen(kw_only=True, slots=False)
class Undone(Event):
    """Somebody took back an act, which is named by its correlation; what that led to is told on each stream."""

    TOPIC: ClassVar[str] = "lading.undone.v1"
    act: UUID


@attrs.frozen(kw_only=True, slots=False)
class Redone(Event):
    """Somebody did again what had been undone."""

    TOPIC: ClassVar[str] = "lading.redone.v1"
    act: UUID


@attrs.frozen(kw_only=True, slots=False)
class HistoryArchived(Event):
    """Downloads that had ended are kept in a file, which was durable before this, and leave queue and history with it.

    Each leaves as it was at that version of its stream; one that has gone on since stays. The file is told by its name,
    without its folder, and by its digest and size; `before_ns` is the time (UTC) before which all of them had ended.
    """

    TOPIC: ClassVar[str] = "lading.history-archived.v1"
    file: str
    digest: str
    size: int
    format: str
    before_ns: int
    downloads: tuple[UUID, ...]
    versions: tuple[int, ...]
