"""Redaction: an event as an incident may hold it, made anew from what is known to be harmless, field by field.

What is not named here is left out: a field that comes to be, a text that is not one of the engine's own words. Each
kind of event is kept, or is among those that are `LEFT_OUT`, since no decision about a download is made of it. Numbers,
causes, reasons and times stay, since decisions are made of them; of a validator stays what it proves, of a digest that
there was one. Times within events count from the incident's beginning.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from lading.domain import events as e
from lading.domain import stops
from lading.domain.faults import BLOCK_HINTS, Cause
from lading.domain.pieces import Piece
from lading.domain.requests import IfExists, Order, Source
from lading.domain.requirements import MEMORY
from lading.domain.validators import Validator
from lading.tools.simulator.pseudonyms import Pseudonyms

E = TypeVar("E", bound=e.Event)
OTHER = "other"
EXPECTED = "expected"
"""Stands for a digest: that there was one, and not which."""
STRONG, WEAK = '"strong"', 'W/"weak"'
MODIFIED, SENT = "Sat, 01 Jan 2000 00:00:00 GMT", "Sun, 02 Jan 2000 00:00:00 GMT"
PART_LOST = "the part file cannot be used"
SKIPPED = "skipped"
_STOPS = frozenset({*stops.INTERRUPTIONS, "paused", "cancelled", "removed"})
_BLOCKS = frozenset({*BLOCK_HINTS, MEMORY})
_ASSURANCES = frozenset({"digest", "length", "framing", "none", ""})
_FLAG = re.compile(r"[a-z_]{1,32}:(on|off)(:[0-9]{1,3}%)?")
LEFT_OUT: frozenset[type[e.Event]] = frozenset(
    {
        e.BundleFailed, e.BundleOpened, e.BundlePublished, e.BundleRetried, e.BundleVerified, e.Degraded, e.Forgotten,
        e.HistoryArchived, e.KeyClaimed, e.KeyShredded, e.LogRepaired, e.Maintained, e.Recovered, e.Redone, e.Undone,
    }
)  # fmt: skip
"""Bundles, keys, acts and the care of a home; and that secrets went, since orders have none here."""
_KEPT: dict[type[e.Event], Callable[[Any, Pseudonyms, int], e.Event]] = {}


def redact(event: e.Event, names: Pseudonyms, base_ns: int) -> e.Event | None:
    """Return what an incident that begins at `base_ns` may hold of an event, None for nothing."""
    keep = _KEPT.get(type(event))
    return None if keep is None else keep(event, names, base_ns)


def order(order: Order, names: Pseudonyms) -> Order:
    """Return what an incident may hold of an order."""
    return Order(
        sources=tuple(Source(url=names.url(source.url), tier=source.tier) for source in order.sources),
        digest=None if order.digest is None else EXPECTED,
        priority=order.priority,
        tags=tuple(map(names.tag, order.tags)),
        retries=order.retries,
        connections=order.connections,
        limit_rate=order.limit_rate,
        if_exists=IfExists(order.if_exists),
        allow_unsized=order.allow_unsized,
        bundle=None if order.bundle is None else names.id(order.bundle),
    )


def _validator(validator: Validator) -> Validator:
    is_dated = validator.strong_etag is None and validator.if_range is not None
    return Validator(
        etag=None if validator.etag is None else STRONG if validator.strong_etag else WEAK,
        last_modified=MODIFIED if is_dated else None,
        date=SENT if is_dated else None,
        length=validator.length,
        digest=None if validator.digest is None else EXPECTED,
    )


def _cause(cause: str) -> str:
    return cause if cause in set(Cause) else Cause.UNKNOWN


def _of(known: frozenset[str], text: str) -> str:
    return text if text in known else OTHER


def _keep(
    kind: type[E],
) -> Callable[[Callable[[E, Pseudonyms, int], e.Event]], Callable[[E, Pseudonyms, int], e.Event]]:
    def register(keep: Callable[[E, Pseudonyms, int], e.Event]) -> Callable[[E, Pseudonyms, int], e.Event]:
        _KEPT[kind] = keep
        return keep

    return register


def _plain(*kinds: type[e.Event]) -> None:
    """Keep events of these kinds whole: they hold numbers and yes or no, nothing else."""
    for kind in kinds:
        _KEPT[kind] = lambda event, _, __: event


_plain(
    e.Paused, e.Resumed, e.Removed, e.Discarded, e.Reprioritised, e.LimitChanged, e.FinishRequested, e.Restored,
    e.Returned, e.QueuePaused, e.QueueResumed,
)  # fmt: skip


@_keep(e.Queued)
def _queued(event: e.Queued, names: Pseudonyms, _: int) -> e.Event:
    return e.Queued(order=order(event.order, names))


@_keep(e.Started)
def _started(event: e.Started, names: Pseudonyms, _: int) -> e.Event:
    return e.Started(
        attempt=event.attempt,
        worker=names.id(event.worker),
        storage=names.word("storage", event.storage),
        source=event.source,
        tier=event.tier,
        path="",
        part="",
        resumed_from=event.resumed_from,
        flags=tuple(flag for flag in event.flags if _FLAG.fullmatch(flag)),
    )


@_keep(e.Probed)
def _probed(event: e.Probed, names: Pseudonyms, _: int) -> e.Event:
    return e.Probed(
        attempt=event.attempt,
        url=names.url(event.url),
        status=event.status,
        total=event.total,
        validator=_validator(event.validator),
    )


@_keep(e.Joined)
def _joined(event: e.Joined, names: Pseudonyms, _: int) -> e.Event:
    return e.Joined(
        attempt=event.attempt, source=event.source, url=names.url(event.url), validator=_validator(event.validator)
    )


@_keep(e.Progressed)
def _progressed(event: e.Progressed, _: Pseudonyms, __: int) -> e.Event:
    pieces = tuple(Piece(piece.start, piece.end, "", piece.source) for piece in event.pieces)
    return e.Progressed(attempt=event.attempt, pieces=pieces)


@_keep(e.PieceRejected)
def _piece_rejected(event: e.PieceRejected, _: Pseudonyms, __: int) -> e.Event:
    return e.PieceRejected(attempt=event.attempt, start=event.start, end=event.end, reason=OTHER)


@_keep(e.ResourceChanged)
def _resource_changed(event: e.ResourceChanged, _: Pseudonyms, __: int) -> e.Event:
    return e.ResourceChanged(attempt=event.attempt, before=_validator(event.before), after=_validator(event.after))


@_keep(e.Restarted)
def _restarted(event: e.Restarted, _: Pseudonyms, __: int) -> e.Event:
    reason = _of(frozenset({PART_LOST}), event.reason)
    return e.Restarted(attempt=event.attempt, reason=reason, discarded=event.discarded)


@_keep(e.FellBack)
def _fell_back(event: e.FellBack, _: Pseudonyms, __: int) -> e.Event:
    return e.FellBack(attempt=event.attempt, source=event.source, cause=_cause(event.cause))


@_keep(e.Cancelled)
def _cancelled(event: e.Cancelled, _: Pseudonyms, __: int) -> e.Event:
    return e.Cancelled(reason=SKIPPED if event.reason.startswith(SKIPPED) else OTHER if event.reason else "")


@_keep(e.Stopped)
def _stopped(event: e.Stopped, _: Pseudonyms, __: int) -> e.Event:
    return e.Stopped(attempt=event.attempt, reason=_of(_STOPS, event.reason))


@_keep(e.RetryScheduled)
def _retry_scheduled(event: e.RetryScheduled, _: Pseudonyms, base_ns: int) -> e.Event:
    return e.RetryScheduled(
        attempt=event.attempt,
        cause=_cause(event.cause),
        message="",
        not_before_ns=max(0, event.not_before_ns - base_ns),
        whole_host=event.whole_host,
    )


@_keep(e.Blocked)
def _blocked(event: e.Blocked, _: Pseudonyms, __: int) -> e.Event:
    return e.Blocked(reason=_of(_BLOCKS, event.reason))


@_keep(e.Unblocked)
def _unblocked(event: e.Unblocked, _: Pseudonyms, __: int) -> e.Event:
    return e.Unblocked(reason=_of(_BLOCKS, event.reason))


@_keep(e.Verified)
def _verified(event: e.Verified, _: Pseudonyms, __: int) -> e.Event:
    return e.Verified(
        attempt=event.attempt, digest="", size=event.size, inode=0, assurance=_of(_ASSURANCES, event.assurance)
    )


@_keep(e.Completed)
def _completed(event: e.Completed, names: Pseudonyms, _: int) -> e.Event:
    return e.Completed(
        attempt=event.attempt,
        path="",
        size=event.size,
        digest="",
        assurance=_of(_ASSURANCES, event.assurance),
        url=names.url(event.url),
        validator=_validator(event.validator),
        tier=event.tier,
        resumed_from=event.resumed_from,
        cached=event.cached,
    )


@_keep(e.Failed)
def _failed(event: e.Failed, _: Pseudonyms, __: int) -> e.Event:
    return e.Failed(attempt=event.attempt, cause=_cause(event.cause), message="")


@_keep(e.SourceReplaced)
def _source_replaced(event: e.SourceReplaced, names: Pseudonyms, _: int) -> e.Event:
    return e.SourceReplaced(source=event.source, url=names.url(event.url), same=event.same)


@_keep(e.Quarantined)
def _quarantined(event: e.Quarantined, _: Pseudonyms, base_ns: int) -> e.Event:
    return e.Quarantined(size=event.size, until_ns=max(0, event.until_ns - base_ns))


@_keep(e.Invalidated)
def _invalidated(_: e.Invalidated, __: Pseudonyms, ___: int) -> e.Event:
    return e.Invalidated(reason=OTHER)


@_keep(e.Confirmed)
def _confirmed(_: e.Confirmed, __: Pseudonyms, ___: int) -> e.Event:
    return e.Confirmed()


@_keep(e.EngineOpened)
def _engine_opened(event: e.EngineOpened, names: Pseudonyms, _: int) -> e.Event:
    return e.EngineOpened(worker=names.id(event.worker), version="")


@_keep(e.EngineClosed)
def _engine_closed(event: e.EngineClosed, names: Pseudonyms, _: int) -> e.Event:
    return e.EngineClosed(worker=names.id(event.worker))


@_keep(e.NetworkChanged)
def _network_changed(event: e.NetworkChanged, names: Pseudonyms, _: int) -> e.Event:
    return e.NetworkChanged(worker=names.id(event.worker), online=event.online, metered=event.metered)


@_keep(e.QueueBlocked)
def _queue_blocked(event: e.QueueBlocked, _: Pseudonyms, __: int) -> e.Event:
    return e.QueueBlocked(reason=_of(_BLOCKS, event.reason))


@_keep(e.QueueUnblocked)
def _queue_unblocked(event: e.QueueUnblocked, _: Pseudonyms, __: int) -> e.Event:
    return e.QueueUnblocked(reason=_of(_BLOCKS, event.reason))
