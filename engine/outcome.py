"""What came of a download: the answer to `wait`, and the look at a whole engine."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import attrs

from lading.domain.download import Download
from lading.domain.faults import HINTS, Cause
from lading.domain.states import State


@attrs.frozen(kw_only=True)
class Outcome:
    """How a download ended.

    Attributes:
        state: completed, failed, cancelled or removed.
        path: where the file is, absolute; None unless completed.
        digest: of the whole file, `ALGORITHM:HEX`.
        size: bytes of the file.
        assurance: what vouches for the content: digest, length, framing or none.
        transport, tier: what fetched it in the end.
        attempts: how many tries it took.
        resumed_from: the durable byte from which the last attempt went on.
        cached: whether it came out of the cache.
        error, cause, hint: why it failed, of what kind that is, and what to do about it.
    """

    id: UUID
    state: State
    path: str | None
    digest: str | None
    size: int | None
    assurance: str | None
    transport: str | None
    tier: int
    attempts: int
    resumed_from: int
    cached: bool
    error: str | None = None
    cause: str | None = None
    hint: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the file is there."""
        return self.state is State.COMPLETED


def of(download: Download, path: str | None) -> Outcome:
    """Return the outcome of a download that has ended, with its absolute path."""
    done = download.state is State.COMPLETED
    return Outcome(
        id=download.id,
        state=download.state,
        path=path if done else None,
        digest=download.digest if done else None,
        size=download.total if done else None,
        assurance=download.assurance,
        transport=download.transport,
        tier=download.tier,
        attempts=download.attempt,
        resumed_from=download.resumed_from,
        cached=download.cached,
        error=None if done else download.message,
        cause=None if done else download.cause,
        hint=HINTS.get(Cause(download.cause)) if download.state is State.FAILED and download.cause else None,
    )


@attrs.frozen(kw_only=True)
class Overall:
    """The whole engine at one moment; rate in bytes a second and eta in seconds are None when unknown.

    `paused` and `blocked` (message by reason) tell what holds the queue as a whole.
    """

    active: int
    queued: int
    waiting: int
    received: int
    total: int | None
    rate: float | None
    eta: float | None
    percent: float | None
    paused: bool = False
    blocked: Mapping[str, str] = attrs.field(factory=dict)
