"""The facts: everything that can be said to have happened to a download, an engine or a key.

Events are frozen, in the past tense, and carry an explicit versioned topic: what the log stores never depends on where
a class lives. When the shape of an event changes, its topic gets a new version and `lading.domain.upcasting` learns to
read the old one; the old topic is never reused. A topic that is not listed here stops the program: it was written by a
newer one, and skipping it would make the fold of the log a lie.

No field may hold a secret (law 7): URLs are public ones, headers are names.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import attrs

from lading.domain.pieces import Piece
from lading.domain.requests import Order
from lading.domain.validators import Validator

EVENTS: dict[str, type[Event]] = {}


@attrs.frozen(kw_only=True, slots=False)
class Event:
    """A fact; subclasses say which."""

    TOPIC: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        topic = cls.__dict__.get("TOPIC")
        if topic:
            EVENTS[topic] = cls


@attrs.frozen(kw_only=True, slots=False)
class Queued(Event):
    """Somebody wants this; the first event of a download."""

    TOPIC: ClassVar[str] = "lading.queued.v1"
    order: Order


@attrs.frozen(kw_only=True, slots=False)
class Started(Event):
    """A worker took it: attempt `attempt`, from source number `source`, into the part file `part`, to become `path`.

    `path` and `part` lie below the order's root; `storage` names the file system that the part is on.
    """

    TOPIC: ClassVar[str] = "lading.started.v1"
    attempt: int
    worker: UUID
    storage: str
    source: int = 0
    transport: str = "http"
    tier: int = 0
    path: str
    part: str
    resumed_from: int = 0
    flags: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, slots=False)
class Probed(Event):
    """The server answered: what it says of the resource, and the file's final path if it changed by that."""

    TOPIC: ClassVar[str] = "lading.probed.v2"
    attempt: int
    url: str
    status: int
    total: int | None = None
    validator: Validator = attrs.field(factory=Validator)
    path: str | None = None


@attrs.frozen(kw_only=True, slots=False)
class Joined(Event):
    """Another source takes part in the attempt, with what its server says of the resource; a digest judges them all."""

    TOPIC: ClassVar[str] = "lading.joined.v1"
    attempt: int
    source: int
    url: str
    validator: Validator = attrs.field(factory=Validator)


@attrs.frozen(kw_only=True, slots=False)
class Progressed(Event):
    """These pieces were flushed to the disk before this was written (law 2)."""

    TOPIC: ClassVar[str] = "lading.progressed.v2"
    attempt: int
    pieces: tuple[Piece, ...]


@attrs.frozen(kw_only=True, slots=False)
class PieceRejected(Event):
    """The bytes from `start` up to `end` are not what the log vouched for; they count no longer."""

    TOPIC: ClassVar[str] = "lading.piece-rejected.v1"
    attempt: int
    start: int
    end: int
    reason: str


@attrs.frozen(kw_only=True, slots=False)
class ResourceChanged(Event):
    """The server now has other bytes under this URL than those that we hold."""

    TOPIC: ClassVar[str] = "lading.resource-changed.v2"
    attempt: int
    before: Validator
    after: Validator


@attrs.frozen(kw_only=True, slots=False)
class Restarted(Event):
    """All `discarded` bytes that we held are given up, and the attempt goes on from byte 0."""

    TOPIC: ClassVar[str] = "lading.restarted.v1"
    attempt: int
    reason: str
    discarded: int


@attrs.frozen(kw_only=True, slots=False)
class FellBack(Event):
    """The attempt's source would not do; the next one will be source number `source`."""

    TOPIC: ClassVar[str] = "lading.fell-back.v1"
    attempt: int
    source: int
    cause: str


@attrs.frozen(kw_only=True, slots=False)
class Paused(Event):
    """Somebody asked that it rest; a running attempt stops and says so."""

    TOPIC: ClassVar[str] = "lading.paused.v1"


@attrs.frozen(kw_only=True, slots=False)
class Resumed(Event):
    """Somebody asked that it go on, with a new budget of retries when `fresh`."""

    TOPIC: ClassVar[str] = "lading.resumed.v1"
    fresh: bool = False


@attrs.frozen(kw_only=True, slots=False)
class Cancelled(Event):
    """Somebody gave it up; what was received is discarded."""

    TOPIC: ClassVar[str] = "lading.cancelled.v1"
    reason: str = ""


@attrs.frozen(kw_only=True, slots=False)
class Removed(Event):
    """Somebody took it out of the queue, with its published file when `files`."""

    TOPIC: ClassVar[str] = "lading.removed.v1"
    files: bool = False


@attrs.frozen(kw_only=True, slots=False)
class Discarded(Event):
    """The files of a cancelled or removed download are gone from the disk, `size` bytes of them."""

    TOPIC: ClassVar[str] = "lading.discarded.v1"
    size: int


@attrs.frozen(kw_only=True, slots=False)
class Reprioritised(Event):
    """Somebody gave it another priority."""

    TOPIC: ClassVar[str] = "lading.reprioritised.v1"
    priority: int


@attrs.frozen(kw_only=True, slots=False)
class Stopped(Event):
    """The attempt ended without a result and will not write again; the reason says who wanted that."""

    TOPIC: ClassVar[str] = "lading.stopped.v1"
    attempt: int
    reason: str


@attrs.frozen(kw_only=True, slots=False)
class RetryScheduled(Event):
    """The attempt failed with a cause that may pass; the next one may start at `not_before_ns` (UTC)."""

    TOPIC: ClassVar[str] = "lading.retry-scheduled.v1"
    attempt: int
    cause: str
    message: str
    not_before_ns: int


@attrs.frozen(kw_only=True, slots=False)
class Blocked(Event):
    """It cannot run, through no fault of its own, until `reason` passes."""

    TOPIC: ClassVar[str] = "lading.blocked.v1"
    reason: str
    message: str = ""


@attrs.frozen(kw_only=True, slots=False)
class Unblocked(Event):
    """What blocked it has passed."""

    TOPIC: ClassVar[str] = "lading.unblocked.v1"
    reason: str


@attrs.frozen(kw_only=True, slots=False)
class Verified(Event):
    """The part file is whole and what it should be; publishing it under its final name begins."""

    TOPIC: ClassVar[str] = "lading.verified.v1"
    attempt: int
    digest: str
    size: int
    inode: int


@attrs.frozen(kw_only=True, slots=False)
class Completed(Event):
    """The final name holds the content. `assurance` says what vouches for it: digest, length or framing (law 5)."""

    TOPIC: ClassVar[str] = "lading.completed.v2"
    attempt: int
    path: str
    size: int
    digest: str
    assurance: str
    url: str
    validator: Validator = attrs.field(factory=Validator)
    transport: str = "http"
    tier: int = 0
    resumed_from: int = 0
    cached: bool = False


@attrs.frozen(kw_only=True, slots=False)
class Failed(Event):
    """It came to nothing, for a cause that will not pass or after the last retry."""

    TOPIC: ClassVar[str] = "lading.failed.v1"
    attempt: int
    cause: str
    message: str
    hint: str = ""


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
