"""A download as its events make it: the state, and what follows from it; `lading.domain.evolving` folds the events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import attrs

from lading.domain import spans
from lading.domain.faults import BUNDLE, NEEDS_SOMEBODY
from lading.domain.requests import IfExists, Order
from lading.domain.states import ENDED, State
from lading.domain.validators import Validator

GONE = "its file was removed"
LEFT = "there was no file of its own at its path any more, and what lies there was left"
"""What is wrong with a removed file: it was deleted; or it had been changed, so that it is no longer ours to remove."""


@attrs.frozen(kw_only=True, slots=False)
class Download:
    """The state of one download; times are UTC in nanoseconds, sizes in bytes.

    Its fields lie in a dictionary, which `evolve` copies whole: every event of every log passes through there.

    Attributes:
        version: of its stream, the last event folded in.
        attempt: number of the last attempt, 0 before the first.
        spent: retries used since durable bytes last passed `best`, the most that were ever held.
        repeated: the last of these, as far as they were all for the same `cause` and source.
        durable: the byte ranges that the log vouches for, in the part file `part`.
        paced_ns, pace: time and rate (bytes a second) of the last checkpoint of this attempt, None when unknown.
        cause, message: why it waits, failed or last faltered.
        mixed: whether bytes of several sources may be among those that are held.
        alone: whether sources are not to be mixed any more: once the digest did not fit to what came of that.
        whole_host: whether it waits because its server wants to be left alone, which holds for all of that host.
        limit_rate, connections: what it may use: bytes a second, and connections at once; None: no limit of its own.
        failed: whether it failed and nobody has let it go on since, even if it was given up and that was taken back.
        overwrite: whether somebody wants its file to take the place of what lies there, whatever the order says.
        repairs: whether what was published is to be made whole again; `digest` is that of the published file then.
        finishing: whether somebody wants its endless body to end here.
        quarantined_until_ns: until when its files are kept, which were put aside.
        kept: where its published file was put aside, below the order's root.
        replaced: where the file that it replaced was put aside.
        invalid: why its published file is not what was published, None when nothing is known to be wrong.
        unmended: why what it had published is not that, and lies there still while it is to be replaced; else None.
        forgotten: whether its secrets were given up, and none have come since.
        shredding: whether their key is still to be shredded.
        archived: whether it has left queue and history for an archive; only views know that, from `HistoryArchived`.
    """

    id: UUID
    state: State
    order: Order
    version: int = 1
    priority: int = 0
    added_at_ns: int = 0
    updated_at_ns: int = 0
    started_at_ns: int | None = None
    ended_at_ns: int | None = None
    attempt: int = 0
    spent: int = 0
    repeated: int = 0
    best: int = 0
    worker: UUID | None = None
    storage: str | None = None
    source: int = 0
    transport: str | None = None
    tier: int = 0
    path: str | None = None
    part: str | None = None
    url: str | None = None
    total: int | None = None
    validator: Validator | None = None
    durable: spans.Spans = ()
    mixed: bool = False
    alone: bool = False
    resumed_from: int = 0
    pace: float | None = None
    paced_ns: int | None = None
    cause: str | None = None
    message: str | None = None
    not_before_ns: int | None = None
    blocked: str | None = None
    remove_files: bool = False
    digest: str | None = None
    assurance: str | None = None
    cached: bool = False
    whole_host: bool = False
    limit_rate: int | None = None
    connections: int | None = None
    failed: bool = False
    overwrite: bool = False
    repairs: bool = False
    finishing: bool = False
    quarantined_until_ns: int | None = None
    kept: str | None = None
    replaced: str | None = None
    invalid: str | None = None
    unmended: str | None = None
    forgotten: bool = False
    shredding: bool = False
    archived: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, Any], other: Download | None = None) -> Download:
        """Return a download with these fields and all others as they are in `other`, or at their defaults."""
        made = object.__new__(cls)
        values = made.__dict__
        values.update(_DEFAULTS if other is None else other.__dict__)
        values.update(fields)
        return made

    @property
    def received(self) -> int:
        """Durable bytes that the log vouches for; the whole size once completed."""
        if self.state is State.COMPLETED:
            return self.total or 0
        return spans.size(self.durable)

    @property
    def expected(self) -> str | None:
        """The digest by which the whole is judged: the one that was asked for, or that of the file to be repaired."""
        return self.digest if self.repairs else self.order.digest

    @property
    def replaces(self) -> bool:
        """Whether its file takes the place of what lies at its path."""
        return self.overwrite or self.order.if_exists is IfExists.OVERWRITE

    @property
    def has_published(self) -> bool:
        """Whether what lies at its path is to be judged as what it published, complete now or until it is replaced."""
        is_unmended = self.unmended is not None and self.state not in {State.REMOVING, State.REMOVED}
        return self.state is State.COMPLETED or is_unmended

    @property
    def wrong(self) -> str | None:
        """Why what it has published is known not to be what was published, None where nothing is known of that."""
        return (self.invalid or self.unmended) if self.has_published else None

    @property
    def staged(self) -> bool:
        """Whether all of it is in its part, whole and verified, and waits for the rest of its bundle."""
        return self.state is State.WAITING and self.blocked == BUNDLE

    @property
    def lost(self) -> bool:
        """Whether the file of a removed download that had been complete was taken off the disk for good."""
        return self.invalid == GONE and self.kept is None

    @property
    def litter(self) -> bool:
        """Whether files of a download that nobody wants any more still have to be removed from the disk."""
        if self.quarantined_until_ns is not None:
            return False
        if self.state is State.CANCELLED:
            return self.part is not None
        return self.state is State.REMOVED and (self.part is not None or self.remove_files)

    @property
    def returning(self) -> bool:
        """Whether the file of a completed one, which was put aside, is to be put back to its path."""
        return self.state is State.COMPLETED and self.kept is not None and self.invalid is None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen unless somebody asks for it."""
        return self.state in ENDED

    @property
    def stuck(self) -> bool:
        """Whether it waits for what will not come unless somebody does something about it."""
        return self.state is State.WAITING and self.blocked in NEEDS_SOMEBODY


_DEFAULTS = {field.name: field.default for field in attrs.fields(Download) if field.default is not attrs.NOTHING}
