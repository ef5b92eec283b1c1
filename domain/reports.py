"""What a worker tells of its attempt, answered: from its start to its last word.

That the attempt still owns the download has been seen to before (`lading.domain.decide`), but for its start, which is
refused here.
"""

from __future__ import annotations

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain import faults
from lading.domain.deciding import Decisions, Events, illegal
from lading.domain.download import Download
from lading.domain.errors import Fenced
from lading.domain.faults import Cause
from lading.domain.states import State

_S = State
DECISIONS = Decisions()


@DECISIONS.on(c.Start)
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


@DECISIONS.on(c.Probe)
def _probe(_: Download, r: c.Probe) -> Events:
    return (e.Probed(attempt=r.attempt, url=r.url, status=r.status, total=r.total, validator=r.validator, path=r.path),)


@DECISIONS.on(c.Join)
def _join(_: Download, r: c.Join) -> Events:
    return (e.Joined(attempt=r.attempt, source=r.source, url=r.url, validator=r.validator),)


@DECISIONS.on(c.Vouch)
def _vouch(_: Download, report: c.Vouch) -> Events:
    return (e.Progressed(attempt=report.attempt, pieces=report.pieces),) if report.pieces else ()


@DECISIONS.on(c.Reject)
def _reject(_: Download, r: c.Reject) -> Events:
    return (e.PieceRejected(attempt=r.attempt, start=r.start, end=r.end, reason=r.reason),)


@DECISIONS.on(c.StartOver)
def _start_over(download: Download, report: c.StartOver) -> Events:
    restarted = e.Restarted(attempt=report.attempt, reason=report.reason, discarded=download.received)
    if report.changed is None:
        return (restarted,)
    before, after = report.changed
    return (e.ResourceChanged(attempt=report.attempt, before=before, after=after), restarted)


@DECISIONS.on(c.Verify)
def _verify(_: Download, r: c.Verify) -> Events:
    return (e.Verified(attempt=r.attempt, digest=r.digest, size=r.size, inode=r.inode, assurance=r.assurance),)


@DECISIONS.on(c.Complete)
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


@DECISIONS.on(c.Falter)
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


@DECISIONS.on(c.Block)
def _block(download: Download, command: c.Block) -> Events:
    if command.attempt is None:
        if download.state not in {_S.QUEUED, _S.WAITING}:
            raise illegal(download, "block", "what runs is blocked by its worker, and what rests need not be")
        if download.blocked == command.reason:
            return ()
    return (e.Blocked(reason=command.reason, message=command.message),)


@DECISIONS.on(c.Stop)
def _stop(_: Download, report: c.Stop) -> Events:
    return (e.Stopped(attempt=report.attempt, reason=report.reason),)


@DECISIONS.on(c.Degrade)
def _degrade(_: Download, r: c.Degrade) -> Events:
    return (e.Degraded(attempt=r.attempt, feature=r.feature, message=r.message),)
