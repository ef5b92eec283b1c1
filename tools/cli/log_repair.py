"""`lading repair --log`, asked and told: what was set aside, what goes on, and what was lost."""

from __future__ import annotations

import getpass
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from lading.tools.cli.frame import Frame

if TYPE_CHECKING:
    from lading.log_repair import Disowned, LogRepair


def repair(frame: Frame, *, accept_loss: bool) -> int:
    """Repair the log of the home that is meant, and tell what came of it.

    On a terminal somebody is asked before an empty log takes the place of one of which nothing can be read.

    Raises:
        UsageError: the log does not lie in the home, and cannot be taken into it.
        StoreError, LogDamaged: as `LogRepairer.run` and `LogTaker.run` say; the home is as it was.
    """
    from lading.adapters.system import SystemChance, SystemClock
    from lading.domain.errors import LogDamaged
    from lading.domain.facts import Context
    from lading.tools.cli import homes, progress_bar

    context = Context(actor=getpass.getuser(), host=socket.gethostname())
    with progress_bar.shown(frame) as progress:
        home = homes.existing(frame)
        is_own = homes.lmdb_folder(frame, home) == home.log_path
        parts = (home, SystemClock(), SystemChance(), context, lambda n, of: progress("log", n, of))
        run = _own(parts) if is_own else _outside(frame, parts)
        try:
            done = run(accept_loss=accept_loss, disowned=lambda: _disowned(frame))
        except LogDamaged as error:
            if accept_loss or frame.json or not sys.stdin.isatty():
                raise
            progress.rest()
            click.echo(f"{error.message}", err=True)
            click.confirm("Go on with an empty log? The damaged one is kept aside.", abort=True, err=True)
            done = run(accept_loss=True, disowned=lambda: _disowned(frame))
    return _tell(frame, done, is_own=is_own)


def _own(parts: Any) -> Callable[..., LogRepair]:
    from lading.log_repair import LogRepairer

    return LogRepairer(*parts).run


def _outside(frame: Frame, parts: Any) -> Callable[..., LogRepair]:
    """Return what takes the log that is meant into the home.

    Raises:
        UsageError: it is LMDB, or ends with the process.
    """
    from lading.domain.errors import UsageError
    from lading.log_taking import LogTaker, Outside
    from lading.logs import place_of
    from lading.opening import name_for_signing, open_own_log
    from lading.tools.cli import homes

    home, url = parts[0], frame.log or ""
    folder = homes.lmdb_folder(frame, home)
    if folder is not None:
        raise UsageError(
            f"the log in {folder} does not lie in the home",
            hint=f"move that folder to {home.log_path}, and repair it there, without --log",
        )

    def run(**how: Any) -> LogRepair:
        log = open_own_log(home, url)
        try:
            name = name_for_signing(home, log, url)
            if name is None:
                raise UsageError("a log in memory ends with this program", hint="name one that lasts with --log")
            place = " ".join(place_of(url, home.path).split("\n"))
            return LogTaker(*parts).run(Outside(log, name, place), **how)
        finally:
            log.close()

    return run


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


def _tell(frame: Frame, done: LogRepair, *, is_own: bool) -> int:
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
    if not is_own:
        told += "; the home has a log of its own from now on: leave out --log"
    answer(frame, row, plain(told))
    return 0
