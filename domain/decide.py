"""`decide`: which events answer a command, given the state. The only place that makes events of a download.

Control verbs are idempotent where that is what a person means: pausing what is paused answers with no events. What
cannot be done raises `IllegalCommand` and says what can. A report of a worker that no longer owns the download raises
`Fenced`: the worker must stop, whatever it has in hand (law 6).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain import faults, forgetting, upkeep
from lading.domain.download import Download
from lading.domain.errors import Fenced, IllegalCommand, InvalidSetting
from lading.domain.faults import Cause
from lading.domain.requests import LEAST_PRIORITY, MOST_CONNECTIONS, MOST_PRIORITY
from lading.domain.states import RUNNING, STOPPING, TRANSITIONS, State

Events = tuple[e.Event, ...]
C = TypeVar("C")
_S = State


def decide(download: Download | None, command: c.Command) -> Events:
    """Answer `command` with the events that it makes, which may be none.

    Raises:
        IllegalCommand: it cannot be done in this state.
        InvalidSetting: it could never be done.
        Fenced: it is the report of an attempt that no longer owns the download.
    """
    if isinstance(command, c.Submit):
        if download is not None:
            raise IllegalCommand("this download is queued already")
        return (e.Queued(order=command.order),)
    if download is None:
        raise IllegalCommand("nothing can be done with a download that was never queued", hint="add it first")
    if isinstance(command, _REPORTS) and command.attempt is not None:
        _own(download, command)
    events = _DECISIONS[type(command)](download, command)
    _check(download, events)
    return events


def _check(download: Download, events: Events) -> None:
    """Refuse what `TRANSITIONS` does not know, so that no decision makes an event that `evolve` would refuse."""
    state: State | None = download.state
    for event in events:
        after = TRANSITIONS[state].get(type(event))
        if after is None:
            raise IllegalCommand(f"{type(event).__name__} cannot be said of a download that is {download.state.shown}")
        state = after


_DECISIONS: dict[type[Any], Callable[[Download, Any], Events]] = {}
_REPORTS = get_args(c.Report)
_LAST_WORDS = (c.Stop, c.Complete, c.Probe, c.Join, c.Vouch, c.Reject, c.Degrade)


def _own(download: Download, report: Any) -> None:
    """Refuse the report of an attempt that does not own the download, or has been asked to stop."""
    if report.attempt == download.attempt:
        if download.state in RUNNING:
            return
        if download.state in STOPPING and isinstance(report, c.Stop):
            return
        if download.state is _S.PAUSING and isinstance(report, _LAST_WORDS):
            return
        if download.staged and isinstance(report, c.Complete):
            return
    raise Fenced(f"attempt {report.attempt} no longer owns this download: it is {download.state.shown}")


def _on(kind: type[C]) -> Callable[[Callable[[Download, C], Events]], Callable[[Download, C], Events]]:
    def register(decision: Callable[[Download, C], Events]) -> Callable[[Download, C], Events]:
        _DECISIONS[kind] = decision
        return decision

    return register


def _illegal(download: Download, verb: str, hint: str) -> IllegalCommand:
    return IllegalCommand(f"cannot {verb} a download that is {download.state.shown}", hint=hint)


@_on(c.Pause)
def _pause(download: Download, _: c.Pause) -> Events:
    if download.state in {_S.PAUSED, _S.PAUSING}:
        return ()
    if download.ended or download.state in STOPPING:
        raise _illegal(download, "pause", "only what is queued, waiting or running can be paused")
    return (e.Paused(),)


@_on(c.Resume)
def _resume(download: Download, _: c.Resume) -> Events:
    if download.state in {_S.QUEUED, _S.ACTIVE, _S.VERIFYING} or download.staged:
        return ()
    if download.state in {_S.PAUSED, _S.WAITING}:
        return (e.Resumed(),)
    hint = "wait until it has stopped" if download.state in STOPPING else "use `lading retry` for what has ended"
    if download.state is _S.COMPLETED:
        hint = "it is complete; add it anew to fetch it again"
    raise _illegal(download, "resume", hint)


@_on(c.Retry)
def _retry(download: Download, command: c.Retry) -> Events:
    if download.state in {_S.QUEUED, _S.ACTIVE, _S.VERIFYING} or download.staged:
        return ()
    if download.litter:
        raise _illegal(download, "retry", "its files are still being removed; try again in a moment")
    is_lost = download.state is _S.COMPLETED and download.invalid is not None
    if is_lost and download.kept is not None:  # something lay at its path when it was to be put back there
        return (e.Returned(),)
    if is_lost and download.order.together:
        raise _illegal(download, "retry", "its bundle was published as one; add it anew by itself")
    if command.overwrite and download.replaced is not None:
        hint = "move what lies at its path away; then `lading retry ID` fetches it"
        raise _illegal(download, "overwrite the file of", f"a file that it replaced is still kept: {hint}")
    if is_lost or download.state in {_S.FAILED, _S.CANCELLED, _S.WAITING, _S.PAUSED}:
        repair = download.repairs and not command.overwrite
        return (e.Resumed(fresh=True, overwrite=command.overwrite, repair=repair),)
    raise _illegal(download, "retry", "only what failed, was cancelled or waits can be tried again")


@_on(c.Repair)
def _repair(download: Download, _: c.Repair) -> Events:
    if download.state is not _S.COMPLETED:
        return _retry(download, c.Retry())
    hint = upkeep.irreparable(download)
    if hint is not None:
        raise _illegal(download, "repair", hint)
    return (e.Resumed(fresh=True, overwrite=True, repair=True),)


@_on(c.Cancel)
def _cancel(download: Download, command: c.Cancel) -> Events:
    if download.state in {_S.CANCELLED, _S.CANCELLING}:
        return ()
    if download.state in {_S.COMPLETED, _S.REMOVED, _S.REMOVING}:
        raise _illegal(download, "cancel", "`lading remove --files` takes a finished file away")
    return (e.Cancelled(reason=command.reason),)


@_on(c.Remove)
def _remove(download: Download, command: c.Remove) -> Events:
    if download.state in {_S.REMOVED, _S.REMOVING}:
        return ()
    return (e.Removed(files=command.files and download.state is _S.COMPLETED),)


@_on(c.Prioritise)
def _prioritise(download: Download, command: c.Prioritise) -> Events:
    if not LEAST_PRIORITY <= command.priority <= MOST_PRIORITY:
        raise InvalidSetting(
            f"a priority cannot be {command.priority}", hint=f"allowed is from {LEAST_PRIORITY} to {MOST_PRIORITY}"
        )
    if download.priority == command.priority:
        return ()
    if download.state in {_S.COMPLETED, _S.CANCELLED, _S.REMOVED, _S.CANCELLING, _S.REMOVING}:
        raise _illegal(download, "prioritise", "it will not run again; add it anew")
    return (e.Reprioritised(priority=command.priority),)


@_on(c.Limit)
def _limit(download: Download, command: c.Limit) -> Events:
    connections = download.connections if command.keep_connections else command.connections
    if command.limit_rate is not None and command.limit_rate < 1:
        raise InvalidSetting(f"a limit cannot be {command.limit_rate} bytes a second", hint="`none` takes it away")
    if connections is not None and not 1 <= connections <= MOST_CONNECTIONS:
        raise InvalidSetting(f"there cannot be {connections} connections", hint=f"allowed is 1 to {MOST_CONNECTIONS}")
    if (download.limit_rate, download.connections) == (command.limit_rate, connections):
        return ()
    if download.state in {_S.COMPLETED, _S.CANCELLED, _S.REMOVED, _S.CANCELLING, _S.REMOVING}:
        raise _illegal(download, "limit", "it will not run again; add it anew")
    return (e.LimitChanged(limit_rate=command.limit_rate, connections=connections),)


@_on(c.ReplaceSource)
def _replace_source(download: Download, r: c.ReplaceSource) -> Events:
    if download.state in RUNNING | STOPPING:
        raise _illegal(download, "give another URL to", "pause it first, and resume it after that")
    if download.ended and download.state is not _S.FAILED:
        raise _illegal(download, "give another URL to", "add it anew with that URL")
    forgetting.check_settled(download)
    replaced = e.SourceReplaced(
        source=r.source, url=r.url, handle=r.handle, query=r.query, secret=r.secret, same=r.same
    )
    goes_on = download.state is _S.FAILED or download.stuck
    return (replaced, e.Resumed(fresh=True)) if goes_on else (replaced,)


_on(c.Forget)(lambda download, _: forgetting.forget(download))
_on(c.Shred)(lambda download, _: forgetting.shred(download))


@_on(c.Finish)
def _finish(download: Download, _: c.Finish) -> Events:
    if download.finishing:
        return ()
    if download.state is not _S.ACTIVE:
        raise _illegal(download, "finish", "only what is being received can end here")
    if download.total is not None:
        raise IllegalCommand(
            "cannot finish a download whose size is known", hint="it ends by itself; `lading cancel ID` gives it up"
        )
    return (e.FinishRequested(),)


@_on(c.Restore)
def _restore(download: Download, command: c.Restore) -> Events:
    if download.state not in {_S.CANCELLED, _S.REMOVED}:
        raise _illegal(download, "take back", "only what was cancelled or removed can be taken back")
    if download.litter:
        raise _illegal(download, "take back", "its files are still being put aside; try again in a moment")
    if download.state is _S.REMOVED and download.assurance is not None:
        if download.lost:
            raise IllegalCommand(
                f"the file of the download {download.id} is gone: it is not kept, or not any longer",
                hint="add it again to fetch it again",
            )
        return (e.Returned(),)
    return (e.Restored(), e.Paused()) if command.paused else (e.Restored(),)


@_on(c.Quarantine)
def _quarantine(download: Download, r: c.Quarantine) -> Events:
    if not download.litter:
        return ()
    return (e.Quarantined(size=r.size, until_ns=r.until_ns, part=r.part, kept=r.kept, back=r.back),)


@_on(c.Invalidate)
def _invalidate(download: Download, command: c.Invalidate) -> Events:
    if download.state is not _S.COMPLETED or download.invalid == command.reason or _is_past(download, command):
        return ()
    return (e.Invalidated(reason=command.reason),)


@_on(c.Confirm)
def _confirm(download: Download, command: c.Confirm) -> Events:
    if _is_past(download, command):
        return ()
    in_doubt = download.state is _S.COMPLETED and (download.invalid is not None or download.kept is not None)
    return (e.Confirmed(replaced=command.replaced),) if in_doubt else ()


def _is_past(download: Download, command: c.Invalidate | c.Confirm) -> bool:
    """Tell whether what was seen of the file was seen of a download that has changed since."""
    return command.version is not None and command.version != download.version


@_on(c.Expire)
def _expire(download: Download, command: c.Expire) -> Events:
    return (e.Removed(),) if upkeep.is_stale(download, command.before_ns) else ()


@_on(c.Start)
def _start(download: Download, command: c.Start) -> Events:
    if download.state not in {_S.QUEUED, _S.WAITING}:
        raise Fenced(f"cannot start a download that is {download.state.shown}")
    if command.version is not None and command.version != download.version:
        raise Fenced("the download has changed since it was looked at")
    started = e.Started(
        attempt=download.attempt + 1,
        worker=command.worker,
        storage=command.storage,
        source=command.source,
        transport=command.transport,
        tier=command.tier,
        path=command.path,
        part=command.part,
        resumed_from=download.received if command.reuse else 0,
        flags=command.flags,
    )
    if command.reuse or not download.durable:
        return (started,)
    return (
        started,
        e.Restarted(attempt=started.attempt, reason="the part file cannot be used", discarded=download.received),
    )


@_on(c.Unblock)
def _unblock(download: Download, command: c.Unblock) -> Events:
    if download.state is not _S.WAITING or download.blocked != command.reason:
        return ()
    return (e.Unblocked(reason=command.reason),)


@_on(c.Discard)
def _discard(download: Download, command: c.Discard) -> Events:
    is_aside = download.state in {_S.CANCELLED, _S.REMOVED, _S.COMPLETED} and (
        download.quarantined_until_ns is not None or download.replaced is not None
    )
    return (e.Discarded(size=command.size),) if download.litter or is_aside else ()


@_on(c.Probe)
def _probe(_: Download, r: c.Probe) -> Events:
    return (e.Probed(attempt=r.attempt, url=r.url, status=r.status, total=r.total, validator=r.validator, path=r.path),)


@_on(c.Join)
def _join(_: Download, r: c.Join) -> Events:
    return (e.Joined(attempt=r.attempt, source=r.source, url=r.url, validator=r.validator),)


@_on(c.Vouch)
def _vouch(_: Download, report: c.Vouch) -> Events:
    return (e.Progressed(attempt=report.attempt, pieces=report.pieces),) if report.pieces else ()


@_on(c.Reject)
def _reject(_: Download, r: c.Reject) -> Events:
    return (e.PieceRejected(attempt=r.attempt, start=r.start, end=r.end, reason=r.reason),)


@_on(c.StartOver)
def _start_over(download: Download, report: c.StartOver) -> Events:
    restarted = e.Restarted(attempt=report.attempt, reason=report.reason, discarded=download.received)
    if report.changed is None:
        return (restarted,)
    before, after = report.changed
    return (e.ResourceChanged(attempt=report.attempt, before=before, after=after), restarted)


@_on(c.Verify)
def _verify(_: Download, r: c.Verify) -> Events:
    return (e.Verified(attempt=r.attempt, digest=r.digest, size=r.size, inode=r.inode, assurance=r.assurance),)


@_on(c.Complete)
def _complete(download: Download, r: c.Complete) -> Events:
    return (
        e.Completed(
            attempt=r.attempt,
            path=r.path,
            size=r.size,
            digest=r.digest,
            assurance=r.assurance,
            url=r.url,
            validator=r.validator,
            transport=download.transport or "http",
            tier=download.tier,
            resumed_from=download.resumed_from,
            cached=r.cached,
            replaced=r.replaced,
        ),
    )


@_on(c.Falter)
def _falter(download: Download, r: c.Falter) -> Events:
    delay_s = faults.retry(
        r.cause,
        spent=download.spent,
        budget=r.budget,
        jitter=r.jitter,
        retry_after_s=r.retry_after_s,
        repeated=download.repeated if download.cause == r.cause else 0,
    )
    if download.finishing and r.cause is Cause.DIGEST:  # another attempt would begin an endless body anew
        delay_s = None
    following = _following(download, r.cause, exhausted=delay_s is None)
    if delay_s is None and following is None:
        hint = faults.HINTS.get(r.cause, "")
        return (e.Failed(attempt=r.attempt, cause=r.cause, message=r.message, hint=hint),)
    scheduled = e.RetryScheduled(
        attempt=r.attempt,
        cause=r.cause,
        message=r.message,
        not_before_ns=r.now_ns + int((delay_s or 0.0) * 1e9),
        whole_host=r.retry_after_s is not None and delay_s is not None,
    )
    if following is None:
        return (scheduled,)
    return (e.FellBack(attempt=r.attempt, source=following, cause=r.cause), scheduled)


def _following(download: Download, cause: Cause, *, exhausted: bool) -> int | None:
    """Return the source to fall back to, or None to stay with this one.

    While there are retries, another source is tried only when that costs no bytes: nothing is held, or the expected
    digest lets any source go on from there (law 4). After sources were mixed in vain the attempt's own has its turn
    alone first. Once they are `exhausted`, each source that is left gets its turn.
    """
    sources = len(download.order.sources)
    if cause is Cause.DIGEST and download.mixed and not exhausted:
        return None
    if sources == 1 or download.state is not _S.ACTIVE or cause in faults.LOCAL:
        return None
    if exhausted:
        return download.source + 1 if download.source + 1 < sources else None
    if download.durable and download.expected is None:
        return None
    return (download.source + 1) % sources


@_on(c.Block)
def _block(download: Download, command: c.Block) -> Events:
    if command.attempt is None:
        if download.state not in {_S.QUEUED, _S.WAITING}:
            raise _illegal(download, "block", "what runs is blocked by its worker, and what rests need not be")
        if download.blocked == command.reason:
            return ()
    return (e.Blocked(reason=command.reason, message=command.message),)


@_on(c.Stop)
def _stop(_: Download, report: c.Stop) -> Events:
    return (e.Stopped(attempt=report.attempt, reason=report.reason),)


@_on(c.Degrade)
def _degrade(_: Download, r: c.Degrade) -> Events:
    return (e.Degraded(attempt=r.attempt, feature=r.feature, message=r.message),)
