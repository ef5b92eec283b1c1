"""`evolve`, the one function that folds an event into the state of a download.

It trusts the log: it decides nothing, and refuses only what `TRANSITIONS` does not know, which means that the log was
written by something else than our `decide`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain import spans
from lading.domain.download import GONE, LEFT, Download
from lading.domain.errors import LogDamaged
from lading.domain.faults import Cause
from lading.domain.states import ENDED, TRANSITIONS, State

E = TypeVar("E", bound=e.Event)


def evolve(download: Download | None, event: e.Event, *, stream: UUID, at_ns: int) -> Download:
    """Fold one event, which happened at `at_ns`, into the state of its stream.

    Raises:
        LogDamaged: the event is not legal here, so this log was not written by our decisions.
    """
    after = TRANSITIONS[download.state if download else None].get(type(event))
    if after is None:
        before = download.state if download else "nothing"
        raise LogDamaged(f"{type(event).__name__} cannot follow {before} in the stream {stream}")
    if download is None:
        assert isinstance(event, e.Queued)
        order = event.order
        return Download.of(
            {
                "id": stream,
                "state": after,
                "order": order,
                "priority": order.priority,
                "limit_rate": order.limit_rate,
                "connections": order.connections,
                "added_at_ns": at_ns,
                "updated_at_ns": at_ns,
            }
        )
    change = _CHANGES.get(type(event))
    changes = {} if change is None else change(download, event, at_ns)
    changes["state"] = after
    changes["version"] = download.version + 1
    changes["updated_at_ns"] = at_ns
    if download.archived:
        changes["archived"] = False
    if after in ENDED and download.state not in ENDED:
        changes["ended_at_ns"] = at_ns
    return Download.of(changes, download)


def fold(stream: UUID, facts: Iterable[tuple[e.Event, int]], start: Download | None = None) -> Download | None:
    """Fold the events of one stream, each with its time, onto `start`."""
    state = start
    for event, at_ns in facts:
        state = evolve(state, event, stream=stream, at_ns=at_ns)
    return state


Changes = dict[str, Any]
_TAKEN_UP: Changes = {
    "ended_at_ns": None,
    "assurance": None,
    "quarantined_until_ns": None,
    "kept": None,
    "invalid": None,
}
"""What is true of no download that goes on after it had ended."""

_CHANGES: dict[type[e.Event], Callable[[Download, e.Event, int], Changes]] = {}


def _on(
    kind: type[E],
) -> Callable[[Callable[[Download, E, int], Changes]], Callable[[Download, E, int], Changes]]:
    def register(change: Callable[[Download, E, int], Changes]) -> Callable[[Download, E, int], Changes]:
        _CHANGES[kind] = change  # type: ignore[assignment] # the table pairs each function with its own event
        return change

    return register


@_on(e.Started)
def _started(download: Download, event: e.Started, at_ns: int) -> Changes:
    return {
        "attempt": event.attempt,
        "worker": event.worker,
        "storage": event.storage,
        "source": event.source,
        "transport": event.transport,
        "tier": event.tier,
        "path": event.path,
        "part": event.part,
        "resumed_from": event.resumed_from,
        "started_at_ns": at_ns if download.started_at_ns is None else download.started_at_ns,
        "paced_ns": at_ns,
        "pace": None,
        "not_before_ns": None,
        "whole_host": False,
        "blocked": None,
        "failed": False,
        "finishing": False,
    }


@_on(e.Probed)
def _probed(_: Download, event: e.Probed, __: int) -> Changes:
    changes: Changes = {"url": event.url, "total": event.total, "validator": event.validator}
    if event.path is not None:
        changes["path"] = event.path
    return changes


@_on(e.Joined)
def _joined(_: Download, __: e.Joined, ___: int) -> Changes:
    return {"mixed": True}


@_on(e.Progressed)
def _progressed(download: Download, event: e.Progressed, at_ns: int) -> Changes:
    held = download.durable
    for piece in event.pieces:
        held = spans.union(held, piece.start, piece.end)
    received = spans.size(held)
    changes: Changes = {"durable": held, "paced_ns": at_ns}
    if download.paced_ns is not None and at_ns > download.paced_ns:
        changes["pace"] = max(0, received - download.received) * 1e9 / (at_ns - download.paced_ns)
    if received > download.best:
        changes |= {"best": received, "spent": 0, "repeated": 0}
    return changes


@_on(e.PieceRejected)
def _piece_rejected(download: Download, event: e.PieceRejected, _: int) -> Changes:
    held = spans.subtract(download.durable, event.start, event.end)
    return {"durable": held, "resumed_from": min(download.resumed_from, spans.size(held))}


@_on(e.Restarted)
def _restarted(download: Download, event: e.Restarted, _: int) -> Changes:
    changes: Changes = {"durable": (), "resumed_from": 0, "message": event.reason}
    return changes if download.repairs else changes | {"validator": None, "total": None}


@_on(e.FellBack)
def _fell_back(download: Download, event: e.FellBack, _: int) -> Changes:
    mixed = download.mixed or bool(download.durable)
    return {"source": event.source, "cause": event.cause, "repeated": 0, "validator": None, "mixed": mixed}


@_on(e.Reprioritised)
def _reprioritised(_: Download, event: e.Reprioritised, __: int) -> Changes:
    return {"priority": event.priority}


@_on(e.Resumed)
def _resumed(download: Download, event: e.Resumed, _: int) -> Changes:
    changes: Changes = {"not_before_ns": None, "whole_host": False, "blocked": None, "failed": False} | _TAKEN_UP
    if download.state is State.COMPLETED:
        changes |= {"part": None} if event.repair else {"part": None, "total": None, "validator": None}
        changes["unmended"] = download.invalid if event.overwrite or download.replaces else None
    if event.overwrite:
        changes["overwrite"] = True
    if event.fresh:
        changes["repairs"] = event.repair
        changes |= {"spent": 0, "repeated": 0, "best": spans.size(download.durable), "alone": False}
    return changes


@_on(e.Cancelled)
def _cancelled(_: Download, event: e.Cancelled, __: int) -> Changes:
    return {"message": event.reason or None}


@_on(e.Removed)
def _removed(download: Download, event: e.Removed, _: int) -> Changes:
    changes: Changes = {"remove_files": event.files}
    # while its file is on its way back, nobody knows where it is
    return changes | {"quarantined_until_ns": None} if event.files and download.returning else changes


@_on(e.Discarded)
def _discarded(download: Download, event: e.Discarded, _: int) -> Changes:
    if download.state is State.COMPLETED:
        invalid = GONE if download.returning else download.invalid
        return {"replaced": None, "kept": None, "quarantined_until_ns": None, "invalid": invalid}
    invalid = download.invalid if download.kept is None else GONE
    if download.remove_files and download.kept is None:
        invalid = GONE if event.size else LEFT
    return {
        "durable": (),
        "best": 0,
        "part": None,
        "kept": None,
        "replaced": None,
        "remove_files": False,
        "quarantined_until_ns": None,
        "invalid": invalid,
    }


@_on(e.Stopped)
def _stopped(download: Download, event: e.Stopped, _: int) -> Changes:
    message = download.message if download.state is State.CANCELLING else event.reason
    return {"worker": None, "message": message, "pace": None}


@_on(e.RetryScheduled)
def _retry_scheduled(download: Download, event: e.RetryScheduled, _: int) -> Changes:
    judged = {"mixed": False, "alone": download.alone or download.mixed} if event.cause == Cause.DIGEST else {}
    return judged | {
        "spent": download.spent + 1,
        "repeated": download.repeated + 1 if event.cause == download.cause else 1,
        "cause": event.cause,
        "message": event.message,
        "not_before_ns": event.not_before_ns,
        "whole_host": event.whole_host,
        "worker": None,
        "pace": None,
    }


@_on(e.Blocked)
def _blocked(_: Download, event: e.Blocked, __: int) -> Changes:
    return {
        "blocked": event.reason,
        "message": event.message,
        "worker": None,
        "pace": None,
        "not_before_ns": None,
        "whole_host": False,
    }


@_on(e.Unblocked)
def _unblocked(_: Download, __: e.Unblocked, ___: int) -> Changes:
    return {"blocked": None}


@_on(e.Verified)
def _verified(_: Download, event: e.Verified, __: int) -> Changes:
    return {"digest": event.digest, "total": event.size}


@_on(e.Completed)
def _completed(_: Download, event: e.Completed, __: int) -> Changes:
    return {
        "path": event.path,
        "total": event.size,
        "digest": event.digest,
        "assurance": event.assurance,
        "url": event.url,
        "validator": event.validator,
        "cached": event.cached,
        "transport": event.transport,
        "tier": event.tier,
        "resumed_from": event.resumed_from,
        "replaced": event.replaced,
        "overwrite": False,
        "repairs": False,
        "blocked": None,
        "invalid": None,
        "unmended": None,
        "durable": (),
        "worker": None,
        "cause": None,
        "message": None,
        "pace": None,
    }


@_on(e.Failed)
def _failed(_: Download, event: e.Failed, __: int) -> Changes:
    return {"cause": event.cause, "message": event.message, "failed": True, "worker": None, "pace": None}


@_on(e.LimitChanged)
def _limit_changed(_: Download, event: e.LimitChanged, __: int) -> Changes:
    return {"limit_rate": event.limit_rate, "connections": event.connections}


@_on(e.SourceReplaced)
def _source_replaced(download: Download, event: e.SourceReplaced, _: int) -> Changes:
    order, sources = download.order, list(download.order.sources)
    sources[event.source] = attrs.evolve(sources[event.source], url=event.url, handle=event.handle, query=event.query)
    changes: Changes = {
        "order": attrs.evolve(order, sources=tuple(sources), secret=order.secret or event.secret),
        "forgotten": False,
    }
    return changes if event.same else changes | {"validator": None}


@_on(e.FinishRequested)
def _finish_requested(_: Download, __: e.FinishRequested, ___: int) -> Changes:
    return {"finishing": True}


@_on(e.Forgotten)
def _forgotten(_: Download, __: e.Forgotten, ___: int) -> Changes:
    return {"forgotten": True, "shredding": True}


@_on(e.KeyShredded)
def _key_shredded(_: Download, __: e.KeyShredded, ___: int) -> Changes:
    return {"shredding": False}


@_on(e.Quarantined)
def _quarantined(download: Download, event: e.Quarantined, _: int) -> Changes:
    changes: Changes = {
        "quarantined_until_ns": event.until_ns,
        "part": event.part,
        "kept": event.kept,
        "remove_files": False,
    }
    if event.part is None:
        changes |= {"durable": (), "best": 0}
    if download.remove_files and event.kept is None:
        changes["invalid"] = GONE if event.size else LEFT
    return changes | {"replaced": None} if event.back else changes


@_on(e.Restored)
def _restored(_: Download, __: e.Restored, ___: int) -> Changes:
    return {"remove_files": False, "not_before_ns": None, "whole_host": False, "blocked": None} | _TAKEN_UP


@_on(e.Returned)
def _returned(download: Download, _: e.Returned, __: int) -> Changes:
    changes: Changes = {"remove_files": False, "invalid": None}
    return changes if download.kept is not None else changes | {"quarantined_until_ns": None}


@_on(e.Invalidated)
def _invalidated(_: Download, event: e.Invalidated, __: int) -> Changes:
    return {"invalid": event.reason}


@_on(e.Confirmed)
def _confirmed(download: Download, event: e.Confirmed, _: int) -> Changes:
    replaced = event.replaced or download.replaced
    return {"invalid": None, "kept": None, "quarantined_until_ns": None, "replaced": replaced}
