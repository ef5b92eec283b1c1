"""`decide`: which events answer a command, given the state. The only door to the events of a download.

The decisions themselves are in `control`, `reports` and `tending`. Here is what holds for all of them: no event that
the table of transitions does not know, and no report of a worker that no longer owns the download. That raises
`Fenced`: the worker must stop, whatever it has in hand (law 6).
"""

from __future__ import annotations

from typing import Any, get_args

from lading.domain import commands as c
from lading.domain import control, reports, tending
from lading.domain import events as e
from lading.domain.deciding import Events
from lading.domain.download import Download
from lading.domain.errors import Fenced, IllegalCommand
from lading.domain.states import RUNNING, STOPPING, TRANSITIONS, State

_S = State
_DECISIONS = control.DECISIONS | reports.DECISIONS | tending.DECISIONS


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
