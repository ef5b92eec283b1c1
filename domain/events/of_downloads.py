"""What can be said to have happened to a download; each is told on the download's own stream."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import attrs

from lading.domain.events.event import Event
from lading.domain.pieces import Piece
from lading.domain.requests import Order
from lading.domain.validators import Validator


@attrs.frozen(kw_only=True, slots=False)
class Queued(Event):
    """Somebody wants this; the first event of a download."""

    TOPIC: ClassVar[str] = "lading.queued.v2"
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
    """Somebody asked that it go on, with a new budget of retries when `fresh`.

    With `overwrite` its file is to take the place of whatever lies there, whatever the order says. With `repair` that
    is to be the very file that was published before, made of what is left of it.
    """

    TOPIC: ClassVar[str] = "lading.resumed.v3"
    fresh: bool = False
    overwrite: bool = False
    repair: bool = False


@attrs.frozen(kw_only=True, slots=False)
class Cancelled(Event):
    """Somebody gave it up; what was received is put aside for a while, or discarded."""

    TOPIC: ClassVar[str] = "lading.cancelled.v1"
    reason: str = ""


@attrs.frozen(kw_only=True, slots=False)
class Removed(Event):
    """Somebody took it out of the queue, with its published file when `files`."""

    TOPIC: ClassVar[str] = "lading.removed.v1"
    files: bool = False


@attrs.frozen(kw_only=True, slots=False)
class Discarded(Event):
    """The files of a cancelled or removed download, or the one that it replaced, are gone: `size` bytes of them."""

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
    """The attempt failed with a cause that may pass; the next one may start at `not_before_ns` (UTC).

    With `whole_host` the server itself asked for that time, and it holds for all that is to be fetched from its host.
    """

    TOPIC: ClassVar[str] = "lading.retry-scheduled.v2"
    attempt: int
    cause: str
    message: str
    not_before_ns: int
    whole_host: bool = False


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
    """The part file is whole and what it should be; publishing it under its final name begins.

    `assurance` says what vouches for that, as in `Completed`; empty in what version 1 wrote.
    """

    TOPIC: ClassVar[str] = "lading.verified.v2"
    attempt: int
    digest: str
    size: int
    inode: int
    assurance: str = ""


@attrs.frozen(kw_only=True, slots=False)
class Completed(Event):
    """The final name holds the content. `assurance` says what vouches for it: digest, length or framing (law 5).

    `replaced` is where the file that lay there before was put aside, below the order's root.
    """

    TOPIC: ClassVar[str] = "lading.completed.v3"
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
    replaced: str | None = None


@attrs.frozen(kw_only=True, slots=False)
class Failed(Event):
    """It came to nothing, for a cause that will not pass or after the last retry."""

    TOPIC: ClassVar[str] = "lading.failed.v1"
    attempt: int
    cause: str
    message: str
    hint: str = ""


@attrs.frozen(kw_only=True, slots=False)
class LimitChanged(Event):
    """Somebody gave it other limits: bytes a second, and connections at once; None is no limit of its own."""

    TOPIC: ClassVar[str] = "lading.limit-changed.v1"
    limit_rate: int | None = None
    connections: int | None = None


@attrs.frozen(kw_only=True, slots=False)
class SourceReplaced(Event):
    """Source number `source` has another URL now, of the public form `url`; as in an order, `handle` names the whole.

    `same` tells that only what is secret of the URL has changed, so that it still names the resource that we hold.
    """

    TOPIC: ClassVar[str] = "lading.source-replaced.v1"
    source: int
    url: str
    handle: str | None = None
    query: tuple[str, ...] = ()
    secret: bool = False
    same: bool = False


@attrs.frozen(kw_only=True, slots=False)
class FinishRequested(Event):
    """Somebody wants a body without an end to end here: what has arrived by now is the file."""

    TOPIC: ClassVar[str] = "lading.finish-requested.v1"


@attrs.frozen(kw_only=True, slots=False)
class Forgotten(Event):
    """Somebody wants its secrets gone for good: nothing may use them any more, and their key is to be shredded."""

    TOPIC: ClassVar[str] = "lading.forgotten.v1"


@attrs.frozen(kw_only=True, slots=False)
class KeyShredded(Event):
    """The key of its secrets is gone with what it sealed, and the vault was written anew without them."""

    TOPIC: ClassVar[str] = "lading.key-shredded.v1"


@attrs.frozen(kw_only=True, slots=False)
class Degraded(Event):
    """A fast path failed, and the attempt goes on by the plain one; `feature` is the setting's name of it."""

    TOPIC: ClassVar[str] = "lading.degraded.v1"
    attempt: int
    feature: str
    message: str


@attrs.frozen(kw_only=True, slots=False)
class Quarantined(Event):
    """The files of a cancelled or removed download were put aside, `size` bytes of them, until `until_ns` (UTC).

    `part` is where its part lies now, `kept` where its published file does, both below the order's root; `back` tells
    that the file which it had replaced lies at its path again.
    """

    TOPIC: ClassVar[str] = "lading.quarantined.v1"
    size: int
    until_ns: int
    part: str | None = None
    kept: str | None = None
    back: bool = False


@attrs.frozen(kw_only=True, slots=False)
class Restored(Event):
    """Somebody took it back that it was given up: it is in the queue again, with the bytes that are still there."""

    TOPIC: ClassVar[str] = "lading.restored.v1"


@attrs.frozen(kw_only=True, slots=False)
class Returned(Event):
    """Somebody took it back that a completed one was removed: it is complete, and its file is to lie there again."""

    TOPIC: ClassVar[str] = "lading.returned.v1"


@attrs.frozen(kw_only=True, slots=False)
class Invalidated(Event):
    """The published file is not there any more, or is not what was published; the reason says which."""

    TOPIC: ClassVar[str] = "lading.invalidated.v1"
    reason: str


@attrs.frozen(kw_only=True, slots=False)
class Confirmed(Event):
    """The published file is there, and is what was published, after that had been in doubt.

    `replaced` is where the file that lay in its place meanwhile was put aside, below the order's root.
    """

    TOPIC: ClassVar[str] = "lading.confirmed.v1"
    replaced: str | None = None
