"""What people want of a download, answered: the decisions of the control verbs.

They are idempotent where that is what a person means: pausing what is paused answers with no events. What cannot be
done raises `IllegalCommand` and says what can.
"""

from __future__ import annotations

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain import forgetting, upkeep
from lading.domain.deciding import Decisions, Events, illegal
from lading.domain.download import Download
from lading.domain.errors import IllegalCommand, InvalidSetting
from lading.domain.requests import LEAST_PRIORITY, MOST_CONNECTIONS, MOST_PRIORITY
from lading.domain.states import RUNNING, STOPPING, State

_S = State
DECISIONS = Decisions()


@DECISIONS.on(c.Pause)
def _pause(download: Download, _: c.Pause) -> Events:
    if download.state in {_S.PAUSED, _S.PAUSING}:
        return ()
    if download.ended or download.state in STOPPING:
        raise illegal(download, "pause", "only what is queued, waiting or running can be paused")
    return (e.Paused(),)


@DECISIONS.on(c.Resume)
def _resume(download: Download, _: c.Resume) -> Events:
    if download.state in {_S.QUEUED, _S.ACTIVE, _S.VERIFYING} or download.staged:
        return ()
    if download.state in {_S.PAUSED, _S.WAITING}:
        return (e.Resumed(),)
    hint = "wait until it has stopped" if download.state in STOPPING else "use `lading retry` for what has ended"
    if download.state is _S.COMPLETED:
        hint = "it is complete; add it anew to fetch it again"
    raise illegal(download, "resume", hint)


@DECISIONS.on(c.Retry)
def _retry(download: Download, command: c.Retry) -> Events:
    if download.state in {_S.QUEUED, _S.ACTIVE, _S.VERIFYING} or download.staged:
        if command.overwrite and not _overwrites(download):
            hint = "pause it first: `lading pause ID`, and then `lading retry ID --overwrite`"
            raise illegal(download, "overwrite the file of", hint)
        return ()
    if download.litter:
        raise illegal(download, "retry", "its files are still being removed; try again in a moment")
    is_lost = download.state is _S.COMPLETED and download.invalid is not None
    if is_lost and download.kept is not None:  # something lay at its path when it was to be put back there
        return (e.Returned(),)
    if is_lost and download.order.together:
        raise illegal(download, "retry", "its bundle was published as one; add it anew by itself")
    if command.overwrite and download.replaced is not None:
        hint = f"what it had replaced is still kept as {download.replaced}: move that away, and ask again"
        raise illegal(download, "overwrite the file of", hint)
    if is_lost or download.state in {_S.FAILED, _S.CANCELLED, _S.WAITING, _S.PAUSED}:
        repair = download.repairs and not command.overwrite
        return (e.Resumed(fresh=True, overwrite=command.overwrite, repair=repair),)
    raise illegal(download, "retry", "only what failed, was cancelled or waits can be tried again")


def _overwrites(download: Download) -> bool:
    """Tell whether a download goes on already as `--overwrite` wants it; what is staged waits for its bundle alone."""
    return download.staged or (download.replaces and not download.repairs)


@DECISIONS.on(c.Repair)
def _repair(download: Download, _: c.Repair) -> Events:
    if download.state is not _S.COMPLETED:
        return _retry(download, c.Retry())
    hint = upkeep.irreparable(download)
    if hint is not None:
        raise illegal(download, "repair", hint)
    return (e.Resumed(fresh=True, overwrite=True, repair=True),)


@DECISIONS.on(c.Cancel)
def _cancel(download: Download, command: c.Cancel) -> Events:
    if download.state in {_S.CANCELLED, _S.CANCELLING}:
        return ()
    if download.state in {_S.COMPLETED, _S.REMOVED, _S.REMOVING}:
        raise illegal(download, "cancel", "`lading remove --files` takes a finished file away")
    return (e.Cancelled(reason=command.reason),)


@DECISIONS.on(c.Remove)
def _remove(download: Download, command: c.Remove) -> Events:
    if download.state in {_S.REMOVED, _S.REMOVING}:
        return ()
    return (e.Removed(files=command.files and download.state is _S.COMPLETED),)


@DECISIONS.on(c.Prioritise)
def _prioritise(download: Download, command: c.Prioritise) -> Events:
    if not LEAST_PRIORITY <= command.priority <= MOST_PRIORITY:
        raise InvalidSetting(
            f"a priority cannot be {command.priority}", hint=f"allowed is from {LEAST_PRIORITY} to {MOST_PRIORITY}"
        )
    if download.priority == command.priority:
        return ()
    if download.state in {_S.COMPLETED, _S.CANCELLED, _S.REMOVED, _S.CANCELLING, _S.REMOVING}:
        raise illegal(download, "prioritise", "it will not run again; add it anew")
    return (e.Reprioritised(priority=command.priority),)


@DECISIONS.on(c.Limit)
def _limit(download: Download, command: c.Limit) -> Events:
    connections = download.connections if command.keep_connections else command.connections
    if command.limit_rate is not None and command.limit_rate < 1:
        raise InvalidSetting(f"a limit cannot be {command.limit_rate} bytes a second", hint="`none` takes it away")
    if connections is not None and not 1 <= connections <= MOST_CONNECTIONS:
        raise InvalidSetting(f"there cannot be {connections} connections", hint=f"allowed is 1 to {MOST_CONNECTIONS}")
    if (download.limit_rate, download.connections) == (command.limit_rate, connections):
        return ()
    if download.state in {_S.COMPLETED, _S.CANCELLED, _S.REMOVED, _S.CANCELLING, _S.REMOVING}:
        raise illegal(download, "limit", "it will not run again; add it anew")
    return (e.LimitChanged(limit_rate=command.limit_rate, connections=connections),)


@DECISIONS.on(c.ReplaceSource)
def _replace_source(download: Download, r: c.ReplaceSource) -> Events:
    if download.state in RUNNING | STOPPING:
        raise illegal(download, "give another URL to", "pause it first, and resume it after that")
    if download.ended and download.state is not _S.FAILED:
        raise illegal(download, "give another URL to", "add it anew with that URL")
    forgetting.check_settled(download)
    replaced = e.SourceReplaced(
        source=r.source, url=r.url, handle=r.handle, query=r.query, secret=r.secret, same=r.same
    )
    goes_on = download.state is _S.FAILED or download.stuck
    return (replaced, e.Resumed(fresh=True)) if goes_on else (replaced,)


@DECISIONS.on(c.Finish)
def _finish(download: Download, _: c.Finish) -> Events:
    if download.finishing:
        return ()
    if download.state is not _S.ACTIVE:
        raise illegal(download, "finish", "only what is being received can end here")
    if download.total is not None:
        raise IllegalCommand(
            "cannot finish a download whose size is known", hint="it ends by itself; `lading cancel ID` gives it up"
        )
    return (e.FinishRequested(),)


@DECISIONS.on(c.Restore)
def _restore(download: Download, command: c.Restore) -> Events:
    if download.state not in {_S.CANCELLED, _S.REMOVED}:
        raise illegal(download, "take back", "only what was cancelled or removed can be taken back")
    if download.litter:
        raise illegal(download, "take back", "its files are still being put aside; try again in a moment")
    if download.state is _S.REMOVED and download.assurance is not None:
        if download.lost:
            raise IllegalCommand(
                f"the file of the download {download.id} is gone: it is not kept, or not any longer",
                hint="add it again to fetch it again",
            )
        return (e.Returned(),)
    return (e.Restored(), e.Paused()) if command.paused else (e.Restored(),)


DECISIONS.on(c.Forget)(lambda download, _: forgetting.forget(download))
