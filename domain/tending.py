"""What an engine does about a download by itself, answered: unblocking, putting aside, discarding, looking after files.

Each answers with nothing where there is nothing to be said any more, since others may have been faster.
"""

from __future__ import annotations

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain import forgetting, upkeep
from lading.domain.deciding import Decisions, Events
from lading.domain.download import Download
from lading.domain.states import State

_S = State
DECISIONS = Decisions()


@DECISIONS.on(c.Quarantine)
def _quarantine(download: Download, r: c.Quarantine) -> Events:
    if not download.litter:
        return ()
    return (e.Quarantined(size=r.size, until_ns=r.until_ns, part=r.part, kept=r.kept, back=r.back),)


@DECISIONS.on(c.Invalidate)
def _invalidate(download: Download, command: c.Invalidate) -> Events:
    if download.state is not _S.COMPLETED or download.invalid == command.reason or _is_past(download, command):
        return ()
    return (e.Invalidated(reason=command.reason),)


@DECISIONS.on(c.Confirm)
def _confirm(download: Download, command: c.Confirm) -> Events:
    if _is_past(download, command):
        return ()
    in_doubt = download.state is _S.COMPLETED and (download.invalid is not None or download.kept is not None)
    return (e.Confirmed(replaced=command.replaced),) if in_doubt else ()


def _is_past(download: Download, command: c.Invalidate | c.Confirm) -> bool:
    """Tell whether what was seen of the file was seen of a download that has changed since."""
    return command.version is not None and command.version != download.version


@DECISIONS.on(c.Expire)
def _expire(download: Download, command: c.Expire) -> Events:
    return (e.Removed(),) if upkeep.is_stale(download, command.before_ns) else ()


@DECISIONS.on(c.Unblock)
def _unblock(download: Download, command: c.Unblock) -> Events:
    if download.state is not _S.WAITING or download.blocked != command.reason:
        return ()
    return (e.Unblocked(reason=command.reason),)


@DECISIONS.on(c.Discard)
def _discard(download: Download, command: c.Discard) -> Events:
    is_aside = download.state in {_S.CANCELLED, _S.REMOVED, _S.COMPLETED} and (
        download.quarantined_until_ns is not None or download.replaced is not None
    )
    return (e.Discarded(size=command.size),) if download.litter or is_aside else ()


DECISIONS.on(c.Shred)(lambda download, _: forgetting.shred(download))
