"""Repairing a log: a damaged one is set aside, whole, and another goes on from its valid prefix.

    HOME/log.repaired/   the new log while it is made: the prefix, and `LogRepaired`
    HOME/log.damaged-N/  the damaged one, from then on; nothing ever deletes it

In this order: the new log is made, and is durable; `home.json` says that it is to be the home's own; the damaged folder
gets its other name, and the new one its place; `home.json` says that it is the home's own. Whoever opens the home after
a crash finds the damaged log as it was, or the repaired one, which `lading.home` puts into its place; and repairing
again begins anew, or finds nothing to repair.

A log that is whole, and yet not the one for which its checkpoints vouch, is treated likewise: an older copy that was
put back, or one with another history, goes on under an id of its own, and says so for ever.

The prefix ends before the first event that is missing, cannot be read, is of no kind that is known, or does not follow
on its stream. Views are of a log by its id, so that they are begun anew; hooks that had been told of lost events go on
from where the logs part.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs

from lading.adapters import codec
from lading.adapters.durable import sync_folder
from lading.adapters.lmdb.ground import DATA_FILE
from lading.adapters.lmdb.locks import USERS_LOCK
from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.lmdb.pages import State as PagesState
from lading.adapters.lmdb.salvage import DamagedLog
from lading.adapters.lmdb.structure import structure
from lading.adapters.lmdb.verify import examine
from lading.cursors import FOLDER, FileCursors
from lading.domain import events as e
from lading.domain.errors import IntegrityError, LogDamaged, StoreLocked, StoreUnavailable
from lading.domain.facts import Context, Fact
from lading.domain.ports import Chance, Clock, Entry
from lading.home import REPAIRED, EngineLock, Home, announce_repair, expect_log, put_repaired, remember_log
from lading.log_prefix import Progress, copy, facts, root, unreadable
from lading.losses import Losses
from lading.version import VERSION
from lading.vouching import set_damaged_aside

ASIDE = "log.damaged"


@attrs.frozen(kw_only=True)
class LogRepair:
    """What was done: `said` is the first word of the new log `log`, and None when there was nothing to repair.

    `taken` is how many events it went on with, `losses` what was lost, as far as that can still be read.
    """

    said: e.LogRepaired | None
    log: UUID | None
    taken: int
    losses: Losses

    def row(self) -> dict[str, Any]:
        """Return it as `lading repair --log --json` shows it."""
        said = self.said
        return {
            "kind": "log_repair",
            "repaired": said is not None,
            "log": None if self.log is None else str(self.log),
            "before": None if said is None or said.before is None else str(said.before),
            "root": None if said is None else said.root,
            "events": self.taken,
            "cut": None if said is None else said.cut,
            "lost": 0 if said is None else said.lost,
            "reason": None if said is None else said.reason,
            "aside": None if said is None else said.aside,
            "downloads": self.losses.count,
        }


@attrs.frozen
class Disowned:
    """Why a log is not the one for which somebody vouches, and for how many events he does, where that can be told."""

    reason: str
    vouched: int | None = None


@attrs.frozen(kw_only=True)
class _Prefix:
    """How many events could be taken from which state of the file, why no more, and how many there had been."""

    taken: int
    reason: str
    entries: int | None
    log_id: UUID | None
    state: PagesState | None


class LogRepairer:
    """Repairs the log of a home that nobody else uses.

    Args:
        home: whose own LMDB log it is.
        clock, chance: for the one event that is written.
        context: in whose name.
        progress: told now and then how many events were looked at, of how many if that is known.
    """

    def __init__(
        self,
        home: Home,
        clock: Clock,
        chance: Chance,
        context: Context,
        progress: Progress = lambda _, __: None,
    ) -> None:
        self._home = home
        self._clock = clock
        self._chance = chance
        self._context = context
        self._progress = progress

    def run(self, *, accept_loss: bool = False, disowned: Callable[[], Disowned | None] = lambda: None) -> LogRepair:
        """Repair the log if it is damaged, or if it is disowned.

        Args:
            accept_loss: go on though the prefix is empty, or ends at an event of a kind that only a newer Lading knows.
            disowned: tells of a log that is whole why it is not the one for which its checkpoints vouch, if it is not.
                All of it is taken then: what it says may be true, and under another id nobody takes it for what was
                signed.

        Raises:
            StoreLocked: an engine owns the home, or another program has the log open.
            LogDamaged: nothing of the log can be taken, and that is not accepted.
            StoreNewer: as `accept_loss` says.
            StoreUnavailable, DiskFull: the home cannot be written; it is as it was.
        """
        lock = EngineLock(self._home)
        if not lock.take():
            raise EngineLock.refuse(self._home)
        try:
            with _alone(self._home):
                return self._run(accept_loss=accept_loss, disowned=disowned)
        finally:
            lock.release()

    def _run(self, *, accept_loss: bool, disowned: Callable[[], Disowned | None]) -> LogRepair:
        with contextlib.suppress(IntegrityError):
            expect_log(self._home)  # which finishes what was cut off
        why = None
        if self._is_sound() and (why := disowned()) is None:
            with DamagedLog(self._home.log_path) as whole:
                remember_log(self._home, str(whole.log_id))
                return LogRepair(said=None, log=whole.log_id, taken=whole.entries or 0, losses=Losses())
        self._check_its_own()
        made = self._home.path / REPAIRED
        prefix = self._take_longest(made, accept_loss=accept_loss)
        if not prefix.taken and not accept_loss:
            shutil.rmtree(made, ignore_errors=True)
            raise LogDamaged(
                f"nothing of the log can be taken: {prefix.reason}",
                hint="put it back from a copy; `lading repair --log --accept-loss` goes on with an empty log",
            )
        log = LMDBLog(made)
        try:
            log_id = log.log_id
            losses = self._losses(prefix, log)
            if why is not None:
                prefix = attrs.evolve(prefix, reason=why.reason, entries=max(why.vouched or 0, prefix.taken))
            said = self._word(prefix, root(log), losses)
            sealed = codec.seal(
                said, id=self._chance.uuid(self._clock.now_ns()), at_ns=self._clock.now_ns(), context=self._context
            )
            log.append([[Entry(log_id, 1, said.TOPIC, sealed)]])
        finally:
            log.close()
        self._change_over(log_id, said)
        return LogRepair(said=said, log=log_id, taken=prefix.taken, losses=losses)

    # -- looking ---------------------------------------------------------------------------------------------------

    def _is_sound(self) -> bool:
        """Tell whether every record of the log is there and can be read."""
        folder = self._home.log_path
        try:
            if not (folder / DATA_FILE).exists() or structure(folder):
                return False
            if next(iter(examine(folder, strict=True)), None) is not None:
                return False
        except (LogDamaged, StoreUnavailable):  # it looks like another program's; whether it is, its pages will tell
            return False
        with DamagedLog(folder) as log:
            return all(unreadable(found) is None for found in log.prefix())

    def _check_its_own(self) -> None:
        """Refuse to go on from a log that was never this home's."""
        if not (self._home.log_path / DATA_FILE).exists():
            return
        with DamagedLog(self._home.log_path) as log:
            known = {self._home.log, self._home.repaired} - {None}
            if log.log_id is not None and known and str(log.log_id) not in known and log.entries:
                remember_log(self._home, str(log.log_id))  # which says so

    # -- taking ----------------------------------------------------------------------------------------------------

    def _take_longest(self, made: Path, *, accept_loss: bool) -> _Prefix:
        """Make the new log of the longest prefix that any state of the file has: of its last, or of the one before."""
        best = self._take(made, None, accept_loss=accept_loss)
        for state in self._states()[1:]:
            if best.entries is not None and best.taken == best.entries:
                break
            with DamagedLog(self._home.log_path, state) as log:
                count = sum(1 for _ in takewhile(lambda found: unreadable(found) is None, log.prefix()))
            if count > best.taken:
                best = self._take(made, state, accept_loss=accept_loss)
        return best

    def _states(self) -> list[PagesState]:
        try:
            with DamagedLog(self._home.log_path) as log:
                return log.states
        except OSError:
            return []

    def _take(self, made: Path, state: PagesState | None, *, accept_loss: bool) -> _Prefix:
        """Make a log in `made`, in place of whatever lies there, of what can be taken."""
        shutil.rmtree(made, ignore_errors=True)
        target = LMDBLog(made)
        try:
            with DamagedLog(self._home.log_path, state) as source:
                taken, reason = copy(source, target, accept_loss=accept_loss, progress=self._progress)
                return _Prefix(
                    taken=taken,
                    reason=reason or "none of its events is damaged, but pages or indexes around them are",
                    entries=source.entries,
                    log_id=source.log_id,
                    state=state,
                )
        except FileNotFoundError:
            return _Prefix(taken=0, reason="its file is gone", entries=None, log_id=None, state=state)
        except OSError as error:
            raise StoreUnavailable(f"the log of {self._home.path} cannot be read: {error.strerror}") from error
        finally:
            target.close()

    def _losses(self, prefix: _Prefix, log: LMDBLog) -> Losses:
        losses = Losses()

        def kept(stream: UUID) -> list[Fact]:
            return [codec.open_envelope(recorded) for recorded in log.stream(stream)]

        with contextlib.suppress(OSError), DamagedLog(self._home.log_path, prefix.state) as source:
            for fact in facts(source.beyond(prefix.taken)):
                losses.take(fact, kept)
            for stream, _ in source.indexed(prefix.taken):
                losses.miss(stream, kept)
        return losses

    def _word(self, prefix: _Prefix, root: str, losses: Losses) -> e.LogRepaired:
        known = [count for count in (prefix.entries,) if count is not None and count >= prefix.taken]
        lost = max(known[0] - prefix.taken, losses.events) if known else losses.events or None
        before = self._home.log or (None if prefix.log_id is None else str(prefix.log_id))
        return e.LogRepaired(
            before=None if before is None else UUID(before),
            root=root,
            cut=prefix.taken + 1,
            lost=lost,
            reason=prefix.reason,
            aside=self._aside(),
            version=VERSION,
        )

    # -- changing over ---------------------------------------------------------------------------------------------

    def _aside(self) -> str:
        number = 1
        while (self._home.path / f"{ASIDE}-{number}").exists():
            number += 1
        return f"{ASIDE}-{number}"

    def _change_over(self, log_id: UUID, said: e.LogRepaired) -> None:
        sync_folder(self._home.path / REPAIRED)
        sync_folder(self._home.path)
        self._take_hooks_back(said.cut - 1)
        home = announce_repair(self._home, str(log_id))
        if home.log_path.exists():
            home.log_path.rename(home.path / said.aside)
            sync_folder(home.path)
        put_repaired(home)
        remember_log(home, str(log_id))
        set_damaged_aside(home.path)

    def _take_hooks_back(self, position: int) -> None:
        """Let hooks that have been told of events which are lost go on from `position`, where the logs part."""
        cursors, folder = FileCursors(self._home.path), self._home.path / FOLDER
        names = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
        for name in names:
            with contextlib.suppress(IntegrityError):
                cursor = cursors.load(name)
                if cursor is not None and cursor.position > position:
                    cursors.save(name, attrs.evolve(cursor, position=position, failures=0, error=None))


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Be the only one that uses the log of a home, as far as others mark that they do.

    Raises:
        StoreLocked: another program has it open.
    """
    path = home.log_path / USERS_LOCK
    if not path.exists():
        yield
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # the child that examines it takes its own
        yield
    except BlockingIOError:
        raise StoreLocked(
            f"another program has the log of {home.path} open", hint="end what reads it, and try again"
        ) from None
    finally:
        os.close(descriptor)
