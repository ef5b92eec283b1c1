"""`lading repair --log`, asked and told: what was set aside, what goes on, and what was lost."""

from __future__ import annotations

import getpass
import socket
import sys
from typing import TYPE_CHECKING, Any

import click

from lading.tools.cli.frame import Frame

if TYPE_CHECKING:
    from lading.log_repair import Disowned


def repair(frame: Frame, *, accept_loss: bool) -> int:
    """Repair the log of the home that is meant, and tell what came of it.

    On a terminal somebody is asked before an empty log takes the place of one of which nothing can be read.

    Raises:
        UsageError: the log is none of the home's own.
        StoreError, LogDamaged: as `LogRepairer.run` says; the home is as it was.
    """
    from lading.adapters.system import SystemChance, SystemClock
    from lading.domain.errors import LogDamaged, UsageError
    from lading.domain.facts import Context
    from lading.log_repair import LogRepairer
    from lading.logs import DEFAULT
    from lading.tools.cli import homes, progress_bar

    if (frame.log or DEFAULT) != DEFAULT:
        raise UsageError(
            "only the log that lies in the home can be repaired", hint="a database has tools of its own for that"
        )
    context = Context(actor=getpass.getuser(), host=socket.gethostname())
    with progress_bar.shown(frame) as progress:
        home = homes.existing(frame)
        repairer = LogRepairer(home, SystemClock(), SystemChance(), context, lambda n, of: progress("log", n, of))
        try:
            done = repairer.run(accept_loss=accept_loss, disowned=lambda: _disowned(frame))
        except LogDamaged as error:
            if accept_loss or frame.json or not sys.stdin.isatty():
                raise
            progress.rest()
            click.echo(f"{error.message}", err=True)
            click.confirm("Go on with an empty log? The damaged one is kept aside.", abort=True, err=True)
            done = repairer.run(accept_loss=True, disowned=lambda: _disowned(frame))
    return _tell(frame, done)


def _disowned(frame: Frame) -> Disowned | None:
    """Return why the log is not the one for which its checkpoints vouch; None where it is, or where nobody can tell."""
    from lading.domain.errors import HistoryChanged, LadingError, NoteDamaged
    from lading.log_repair import Disowned
    from lading.tools.cli.homes import signing

    try:
        with signing(frame) as (_, notary):
            if notary is not None:
                notary.review()
    except HistoryChanged as error:
        return Disowned(error.message, error.vouched)
    except NoteDamaged as error:
        return Disowned(error.message)
    except LadingError:  # what is wrong with it will be found
        return None
    return None


def _tell(frame: Frame, done: Any) -> int:
    from lading.tools.cli.answers import answer, plain

    for loss in done.losses.listed:
        row = loss.row()
        name = row["key"] or row["url"] or row["id"]
        text = f"lost of {name}: {row['events']} events; it was {row['before'] or 'unknown'}, "
        answer(frame, row, plain(text + (f"and is {row['after']}" if row["after"] else "and is unknown now")))
    row = done.row()
    if not row["repaired"]:
        answer(frame, row, f"sound: {row['events']} events; there is nothing to repair")
        return 0
    lost = "an unknown number of events was" if row["lost"] is None else f"{row['lost']} events were"
    told = (
        f"repaired: {row['events']} events were taken, {lost} lost from position {row['cut']} on ({row['reason']}); "
        f"the log as it was lies in {row['aside']}"
    )
    answer(frame, row, plain(told))
    return 0
