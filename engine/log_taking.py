"""Taking a log home: the valid prefix of one that lies in a database goes on as the home's own.

A database cannot be set aside as a folder can, and its rows are nobody's to delete. So nothing is written to it: its
prefix is copied into HOME/log, under a new id, and `LogRepaired` says of which log and why, as of any log that was
repaired (`lading.log_repair`). A crash leaves the home as it was, or with its new log; whoever opens it tells.

The positions of a database may have gaps, and those of the copy have none, so the places of hooks are counted anew.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from typing import NamedTuple
from uuid import UUID

import attrs

from lading.adapters import codec
from lading.adapters.durable import sync_folder
from lading.adapters.lmdb.ground import DATA_FILE
from lading.adapters.lmdb.log import LMDBLog
from lading.cursors import FOLDER, FileCursors
from lading.domain.errors import IntegrityError, LogDamaged, StoreLocked, UsageError
from lading.domain.events import LogRepaired
from lading.domain.facts import Context, Fact
from lading.domain.ports import Chance, Clock, Entry, Log, Recorded
from lading.home import REPAIRED, EngineLock, Home, announce_repair, expect_log, put_repaired, remember_log
from lading.log_prefix import OpenLog, Progress, copy, facts, pages, root
from lading.log_repair import Disowned, LogRepair
from lading.losses import Losses
from lading.version import VERSION
from lading.vouching import set_damaged_aside


class Outside(NamedTuple):
    """A log that lies outside of the home: opened, by which name it is signed, and where people find it."""

    log: Log
    name: str
    place: str


class LogTaker:
    """Takes a log into a home that has none of its own.

    Args:
        home: which it is the log of.
        clock, chance: for the one event that is written.
        context: in whose name.
        progress: told now and then how many events were copied.
    """

    def __init__(
        self, home: Home, clock: Clock, chance: Chance, context: Context, progress: Progress = lambda _, __: None
    ) -> None:
        self._home = home
        self._clock = clock
        self._chance = chance
        self._context = context
        self._progress = progress

    def run(
        self, outside: Outside, *, accept_loss: bool = False, disowned: Callable[[], Disowned | None] = lambda: None
    ) -> LogRepair:
        """Take the log if it is damaged, or if it is disowned; else all stays as it is.

        Args:
            outside: the log.
            accept_loss: go on though the prefix is empty, or ends at an event of a kind that only a newer Lading knows.
            disowned: tells of a log that is whole why it is not the one for which its checkpoints vouch.

        Raises:
            UsageError: the home has a log of its own.
            StoreLocked: an engine owns the home, or somebody writes to the log.
            LogDamaged: nothing of the log can be taken, and that is not accepted.
            StoreNewer: as `accept_loss` says.
            StoreUnavailable, DiskFull: the home cannot be written; it is as it was.
        """
        lock = EngineLock(self._home)
        if not lock.take():
            raise EngineLock.refuse(self._home)
        try:
            self._expect_room()
            return self._run(outside, accept_loss=accept_loss, disowned=disowned)
        finally:
            lock.release()

    def _expect_room(self) -> None:
        with contextlib.suppress(IntegrityError):
            expect_log(self._home)  # which finishes what was cut off
        if (self._home.log_path / DATA_FILE).exists():
            raise UsageError(
                f"the home has a log of its own, in {self._home.log_path}: there is no room for that of a database",
                hint="if an earlier repair made it, go on without --log; else move it out of the home, and try again",
            )

    def _run(self, outside: Outside, *, accept_loss: bool, disowned: Callable[[], Disowned | None]) -> LogRepair:
        made, head = self._home.path / REPAIRED, outside.log.head()
        shutil.rmtree(made, ignore_errors=True)
        source, target = _Marked(outside.log, self._places()), LMDBLog(made)
        done: LogRepair | None = None
        try:
            taken, reason = copy(source, target, accept_loss=accept_loss, progress=self._progress)
            why = Disowned(reason) if reason else disowned()
            if why is None:
                return LogRepair(said=None, log=None, taken=taken, losses=Losses())
            if not taken and not accept_loss:
                raise _nothing(why.reason)
            done = self._say(outside, target, taken, why)
            if outside.log.head() != head:
                done = None
                raise StoreLocked("somebody writes to the log meanwhile", hint="end what does, and try again")
        finally:
            target.close()
            if done is None:
                shutil.rmtree(made, ignore_errors=True)
        self._change_over(target.log_id, {name: min(ordinal, taken) for name, ordinal in source.ordinals.items()})
        return done

    def _say(self, outside: Outside, target: LMDBLog, taken: int, why: Disowned) -> LogRepair:
        """Put into the new log, as its first word, which it was and what was lost."""
        losses, lost = _losses(outside.log, taken, target)
        said = LogRepaired(
            before=UUID(outside.name),
            root=root(target),
            cut=taken + 1,
            lost=lost if why.vouched is None else max(0, why.vouched - taken),
            reason=why.reason,
            aside=outside.place,
            version=VERSION,
        )
        sealed = codec.seal(
            said, id=self._chance.uuid(self._clock.now_ns()), at_ns=self._clock.now_ns(), context=self._context
        )
        target.append([[Entry(target.log_id, 1, said.TOPIC, sealed)]])
        return LogRepair(said=said, log=target.log_id, taken=taken, losses=losses)

    def _change_over(self, log_id: UUID, ordinals: dict[str, int]) -> None:
        sync_folder(self._home.path / REPAIRED)
        sync_folder(self._home.path)
        cursors = FileCursors(self._home.path)
        for name, ordinal in ordinals.items():
            cursor = cursors.load(name)
            if cursor is not None and cursor.position != ordinal:
                cursors.save(name, attrs.evolve(cursor, position=ordinal, failures=0, error=None))
        home = announce_repair(self._home, str(log_id))
        put_repaired(home)
        remember_log(home, str(log_id))
        set_damaged_aside(home.path)

    def _places(self) -> dict[str, int]:
        """Return to which position of the database each hook has been told of it."""
        folder, cursors, found = self._home.path / FOLDER, FileCursors(self._home.path), dict[str, int]()
        for path in folder.iterdir() if folder.is_dir() else []:
            with contextlib.suppress(IntegrityError):
                cursor = None if path.name.startswith(".") else cursors.load(path.name)
                if cursor is not None:
                    found[path.name] = cursor.position
        return found


class _Marked(OpenLog):
    """A log that counts, while it is read, how many of its events lie at or before some positions."""

    def __init__(self, log: Log, places: dict[str, int]) -> None:
        super().__init__(log)
        self._places = places
        self.ordinals = dict.fromkeys(places, 0)

    def prefix(self) -> Iterator[Recorded | str]:
        """Yield as any open log does."""
        for found in super().prefix():
            if not isinstance(found, str):
                for name, position in self._places.items():
                    self.ordinals[name] += found.position <= position
            yield found


def _nothing(reason: str) -> LogDamaged:
    return LogDamaged(
        f"nothing of the log can be taken: {reason}",
        hint="put it back from a copy, or restore a backup into another home; `lading repair --log --accept-loss` goes "
        "on with an empty log in the home",
    )


def _losses(log: Log, taken: int, target: LMDBLog) -> tuple[Losses, int | None]:
    """Return what lies beyond the events that were taken, as far as it can be read, and how many rows, if known."""

    def kept(stream: UUID) -> list[Fact]:
        return [codec.open_envelope(recorded) for recorded in target.stream(stream)]

    losses, seen = Losses(), 0
    try:
        for page in pages(log):
            rows = [] if isinstance(page, LogDamaged) else page[max(0, taken - seen) :]
            for fact in facts(iter(rows)):
                losses.take(fact, kept)
            seen += 1 if isinstance(page, LogDamaged) else len(page)
    except LogDamaged:
        return losses, None
    return losses, seen - taken
