"""What can be asked of a download: by people (control verbs) and by the worker that owns it (reports of an attempt).

A command is a wish; `lading.domain.decide` answers it with events, or refuses it.
"""

from __future__ import annotations

from uuid import UUID

import attrs

from lading.domain.faults import Cause
from lading.domain.pieces import Piece
from lading.domain.requests import Order
from lading.domain.validators import Validator


@attrs.frozen(kw_only=True)
class Submit:
    """Queue this."""

    order: Order


@attrs.frozen
class Pause:
    """Let it rest until resumed."""


@attrs.frozen
class Resume:
    """Let a paused or waiting one go on."""


@attrs.frozen(kw_only=True)
class Retry:
    """Try a failed, cancelled or waiting one again, now and with a fresh budget.

    With `overwrite` its file is to take the place of what lies at its path, which is put aside.
    """

    overwrite: bool = False


@attrs.frozen
class Repair:
    """Make its published file, which is known to be damaged, whole again.

    Of one that has none, what is held is judged when it is tried again.
    """


@attrs.frozen(kw_only=True)
class Cancel:
    """Give it up and discard what was received; `reason` when it was not a person who asked."""

    reason: str = ""


@attrs.frozen(kw_only=True)
class Remove:
    """Take it out of the queue, and its published file off the disk when `files`."""

    files: bool = False


@attrs.frozen(kw_only=True)
class Prioritise:
    """Give it another priority."""

    priority: int


@attrs.frozen(kw_only=True)
class Limit:
    """Let it use so many bytes a second, and so many connections; None: no limit of its own.

    With `keep_connections` it is only the rate that changes.
    """

    limit_rate: int | None = None
    connections: int | None = None
    keep_connections: bool = False


@attrs.frozen(kw_only=True)
class ReplaceSource:
    """Fetch it from another URL, given as an order has it; `same` when only what is secret of the URL differs."""

    source: int = 0
    url: str
    handle: str | None = None
    query: tuple[str, ...] = ()
    secret: bool = False
    same: bool = False


@attrs.frozen
class Finish:
    """Let an endless body end here."""


@attrs.frozen
class Forget:
    """Give up its secrets for good; what runs by them stops first."""


@attrs.frozen
class Shred:
    """The vault has nothing of its secrets any more."""


@attrs.frozen(kw_only=True)
class Restore:
    """Take back that it was cancelled or removed; `paused` when it is not to run at once."""

    paused: bool = False


@attrs.frozen(kw_only=True)
class Invalidate:
    """Its published file is not what was published, as was seen when it stood at `version`; None: as it stands."""

    reason: str
    version: int | None = None


@attrs.frozen(kw_only=True)
class Confirm:
    """Its published file is what was published, after all or again, as was seen when it stood at `version`.

    `replaced` is what had to make room for it.
    """

    version: int | None = None
    replaced: str | None = None


@attrs.frozen(kw_only=True)
class Expire:
    """Take it out of the queue if it failed or was cancelled before `before_ns` (UTC) and has rested since."""

    before_ns: int


@attrs.frozen(kw_only=True)
class Quarantine:
    """The files of a cancelled or removed download, `size` bytes of them, were put aside until `until_ns`."""

    size: int
    until_ns: int
    part: str | None = None
    kept: str | None = None
    back: bool = False


@attrs.frozen(kw_only=True)
class Start:
    """A worker takes it, as it stood at `version`; None: however it stands."""

    worker: UUID
    storage: str
    source: int
    transport: str
    tier: int
    path: str
    part: str
    reuse: bool
    flags: tuple[str, ...] = ()
    version: int | None = None


@attrs.frozen(kw_only=True)
class Probe:
    """The worker's server answered."""

    attempt: int
    url: str
    status: int
    total: int | None
    validator: Validator
    path: str | None = None


@attrs.frozen(kw_only=True)
class Join:
    """Another of the sources answered the worker, and takes part."""

    attempt: int
    source: int
    url: str
    validator: Validator


@attrs.frozen(kw_only=True)
class Vouch:
    """The worker flushed these pieces."""

    attempt: int
    pieces: tuple[Piece, ...]


@attrs.frozen(kw_only=True)
class Reject:
    """The worker found that these bytes are not what the log vouched for."""

    attempt: int
    start: int
    end: int
    reason: str


@attrs.frozen(kw_only=True)
class StartOver:
    """The worker gives up what it holds; with `changed`, because the resource is another one now."""

    attempt: int
    reason: str
    changed: tuple[Validator, Validator] | None = None


@attrs.frozen(kw_only=True)
class Verify:
    """The worker has the whole file in the part, with this digest and assurance, and is about to publish it."""

    attempt: int
    digest: str
    size: int
    inode: int
    assurance: str = ""


@attrs.frozen(kw_only=True)
class Complete:
    """The worker has published it."""

    attempt: int
    path: str
    size: int
    digest: str
    assurance: str
    url: str
    validator: Validator
    cached: bool = False
    replaced: str | None = None


@attrs.frozen(kw_only=True)
class Degrade:
    """The worker goes on without a fast path that failed."""

    attempt: int
    feature: str
    message: str


@attrs.frozen(kw_only=True)
class Falter:
    """The attempt came to nothing; `jitter` is a random number from 0 to 1."""

    attempt: int
    cause: Cause
    message: str
    now_ns: int
    jitter: float
    budget: int
    retry_after_s: float | None = None


@attrs.frozen(kw_only=True)
class Block:
    """Something that is nobody's fault keeps it from running; `attempt` is None where no worker has it yet."""

    attempt: int | None = None
    reason: str
    message: str


@attrs.frozen(kw_only=True)
class Unblock:
    """That has passed."""

    reason: str


@attrs.frozen(kw_only=True)
class Stop:
    """The attempt has ended without a result and will not write again."""

    attempt: int
    reason: str


@attrs.frozen(kw_only=True)
class Discard:
    """The files of a cancelled or removed download are gone, `size` bytes of them."""

    size: int


Control = (
    Pause | Resume | Retry | Repair | Cancel | Remove | Prioritise | Limit | ReplaceSource | Finish | Forget | Restore
)
Report = Probe | Join | Vouch | Reject | StartOver | Verify | Complete | Falter | Block | Stop | Degrade
Upkeep = Unblock | Discard | Quarantine | Invalidate | Confirm | Expire | Shred
Command = Submit | Start | Control | Report | Upkeep
