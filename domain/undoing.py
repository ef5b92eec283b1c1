"""Undoing and redoing: which commands take back what somebody did to one download, and which do it again.

An act is a number of events that share a correlation; what undid or redid it names it as the causation. An act is taken
back by commands like any other, decided on the state as it is now: nothing is erased. What engines did in between is a
consequence and does not matter; what another person did and did not take back stands in the way. Where the act has no
effect any more, since the download has come to its end by itself, there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from uuid import UUID

from lading.domain import commands as c
from lading.domain import events as e
from lading.domain.download import Download
from lading.domain.errors import IllegalCommand
from lading.domain.evolving import evolve, fold
from lading.domain.facts import Fact
from lading.domain.states import RUNNING, STOPPING, State

Commands = tuple[c.Command, ...]
_S = State
_GONE = {_S.REMOVED, _S.REMOVING}
_TO_REST = {_S.PAUSED, _S.PAUSING, _S.FAILED}


def others(facts: Sequence[Fact], act: UUID, actor: str) -> set[UUID]:
    """Return the acts of other people that came to one stream after the last that is of `act`.

    They stand in its way unless they have been undone.
    """
    last = max((fact.version for fact in facts if root(fact) == act), default=0)
    roots = {root(fact): fact for fact in facts if fact.version > last and fact.context.actor != actor}
    return {found for found in roots if found is not None}


def root(fact: Fact) -> UUID | None:
    """Return the act that a fact belongs to: its own, or the one that it undid or redid; None for an engine's doing."""
    return fact.context.causation if fact.context.causation is not None else fact.context.correlation


def undo(facts: Sequence[Fact], act: UUID, redone: Container[UUID | None] = ()) -> Commands:
    """Return the commands that take back what `act` did to the download of these facts, which are all of its stream.

    `redone` are the correlations by which it was done again: it is taken back to what was before the last of these.

    Raises:
        IllegalCommand: it cannot be taken back, and why.
    """
    first = _first(facts, act)
    last = next((f.context.correlation for f in reversed(facts) if f.context.correlation in redone), act)
    version = next(fact.version for fact in facts if fact.context.correlation == last)
    return _UNDO[type(first.event)](_state(facts, version), state_of(facts), first.event)


def redo(facts: Sequence[Fact], act: UUID, turn: UUID | None) -> Commands:
    """Return the commands that do again to a download what `act` did, and the undo of correlation `turn` took back.

    Raises:
        IllegalCommand: it cannot be done again, and why.
    """
    undone = [fact for fact in facts if fact.context.correlation == turn]
    event = _first(facts, act).event
    if not undone:
        return ()
    if not isinstance(event, e.Queued):
        return _again(event)
    return _restore(_state(facts, undone[0].version), state_of(facts), event)


def has_let_go(facts: Sequence[Fact]) -> bool:
    """Tell whether the file that a completed download had replaced was deleted, and lies at no path any more."""
    download: Download | None = None
    is_gone = False
    for fact in facts:
        before = download
        download = evolve(before, fact.event, stream=fact.stream, at_ns=fact.at_ns)
        if download.replaced is not None:
            is_gone = False
        elif before is not None and before.replaced is not None:
            is_gone = isinstance(fact.event, e.Discarded) and not before.litter
    return is_gone


def _first(facts: Sequence[Fact], act: UUID) -> Fact:
    return next(fact for fact in facts if fact.context.correlation == act and fact.context.causation is None)


def _state(facts: Sequence[Fact], version: int) -> Download | None:
    """Return the download as it was before the event of a version."""
    before = ((fact.event, fact.at_ns) for fact in facts if fact.version < version)
    return fold(facts[0].stream, before)


def state_of(facts: Sequence[Fact]) -> Download:
    """Return the download as all of its facts leave it."""
    now = _state(facts, facts[-1].version + 1)
    assert now is not None, "an act on a download leaves one"
    return now


# -- undoing -----------------------------------------------------------------------------------------------------------


def _unqueue(_: Download | None, now: Download, __: e.Event) -> Commands:
    return () if now.state in _GONE else (c.Remove(files=True),)


def _restore(before: Download | None, now: Download, _: e.Event) -> Commands:
    """Take back that it was given up: it comes to where it was, and what ran or had failed waits for its turn."""
    if before is None or now.state not in {_S.CANCELLED, _S.REMOVED}:
        raise IllegalCommand(
            f"the download {now.id} is {now.state.shown} now: it cannot be taken back",
            hint="`lading show ID` tells what has happened to it",
        )
    if before.durable and not now.durable and before.state is not _S.COMPLETED:
        raise IllegalCommand(
            f"the bytes of the download {now.id} are gone: they are not kept any longer",
            hint="`lading retry ID` begins a cancelled one anew; add a removed one again",
        )
    if before.state is _S.CANCELLED:
        return (c.Restore(), c.Cancel())
    return (c.Restore(paused=before.state in _TO_REST),)


def _unpause(_: Download | None, now: Download, __: e.Event) -> Commands:
    return (c.Resume(),) if now.state in {_S.PAUSED, _S.PAUSING} else ()


def _unresume(before: Download | None, now: Download, event: e.Event) -> Commands:
    if before is not None and before.state is _S.COMPLETED:
        raise _renewed(now, repair=isinstance(event, e.Resumed) and event.repair)
    if now.state in {_S.COMPLETED, _S.FAILED, _S.PAUSED}:
        return ()
    return (c.Cancel(),) if before is not None and before.state is _S.CANCELLED else (c.Pause(),)


def _renewed(now: Download, *, repair: bool) -> IllegalCommand:
    what = "a repair" if repair else "fetching a file again"
    kept = "" if now.replaced is None else f"; what lay at its path is kept as {now.replaced}"
    return IllegalCommand(
        f"{what} cannot be undone: the download {now.id} had been complete, and its file was not what was published",
        hint=f"`lading show {now.id}` tells what has come of it{kept}",
    )


def _unprioritise(before: Download | None, now: Download, _: e.Event) -> Commands:
    return () if before is None or now.state is _S.COMPLETED else (c.Prioritise(priority=before.priority),)


def _unlimit(before: Download | None, now: Download, _: e.Event) -> Commands:
    if before is None or now.state is _S.COMPLETED:
        return ()
    return (c.Limit(limit_rate=before.limit_rate, connections=before.connections),)


def _unreplace(before: Download | None, now: Download, event: e.Event) -> Commands:
    assert isinstance(event, e.SourceReplaced)
    assert before is not None, "only what was queued has a URL to replace"
    if now.state is _S.COMPLETED:
        return ()
    old = before.order.sources[event.source]
    if old.handle is not None:
        raise _secret(now)
    back = c.ReplaceSource(
        source=event.source, url=old.url, query=old.query, secret=before.order.secret, same=event.same
    )
    return (back, c.Pause()) if before.state is _S.FAILED else (back,)


def _unfinish(_: Download | None, now: Download, __: e.Event) -> Commands:
    raise IllegalCommand(
        f"a finish cannot be undone: the download {now.id} ended, or is to end, with what had arrived",
        hint="add it again to fetch more of it",
    )


def _unforget(_: Download | None, now: Download, __: e.Event) -> Commands:
    raise IllegalCommand(
        f"a forget cannot be undone: the secrets of the download {now.id} are gone",
        hint="`lading refresh-url ID URL` gives it a whole URL again, and --header its headers",
    )


_UNDO: dict[type[e.Event], Callable[[Download | None, Download, e.Event], Commands]] = {
    e.Queued: _unqueue,
    e.Cancelled: _restore,
    e.Removed: _restore,
    e.Paused: _unpause,
    e.Resumed: _unresume,
    e.Reprioritised: _unprioritise,
    e.LimitChanged: _unlimit,
    e.SourceReplaced: _unreplace,
    e.FinishRequested: _unfinish,
    e.Forgotten: _unforget,
}


# -- redoing -----------------------------------------------------------------------------------------------------------


def _again(event: e.Event) -> Commands:
    """Return the command that once made an event."""
    match event:
        case e.Cancelled():
            return (c.Cancel(reason=event.reason),)
        case e.Removed():
            return (c.Remove(files=event.files),)
        case e.Paused():
            return (c.Pause(),)
        case e.Resumed(repair=True):
            return (c.Repair(),)
        case e.Resumed():
            return (c.Retry(overwrite=event.overwrite),) if event.fresh else (c.Resume(),)
        case e.Reprioritised():
            return (c.Prioritise(priority=event.priority),)
        case e.LimitChanged():
            return (c.Limit(limit_rate=event.limit_rate, connections=event.connections),)
        case e.SourceReplaced():
            if event.handle is not None:
                raise _secret(None)
            return (
                c.ReplaceSource(
                    source=event.source, url=event.url, query=event.query, secret=event.secret, same=event.same
                ),
            )
        case _:
            raise IllegalCommand(f"{type(event).__name__} cannot be done again")


def _secret(now: Download | None) -> IllegalCommand:
    which = "" if now is None else f" of the download {now.id}"
    return IllegalCommand(
        f"the URL{which} that would come back had a secret part, which is not kept",
        hint="`lading refresh-url ID URL` takes the whole URL",
    )


def is_unsettled(download: Download) -> bool:
    """Tell whether an act on a download has not had its whole effect yet: its engine stops it or tidies up."""
    finishing = download.finishing and download.state in RUNNING
    return download.state in STOPPING or download.litter or download.returning or finishing or download.shredding
