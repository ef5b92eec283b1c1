"""One LMDB environment as this process has it open: its tables and its transactions.

Rules that LMDB leaves to its users, and that this module keeps for all of ours:

- A write transaction belongs to the thread that began it. Within the process writers take turns at a lock of ours,
  with a bounded wait; between processes at LMDB's, which is freed at once when its holder dies.
- A map that is full grows and the work is done again; a map that another process has grown is adopted to; a panic is
  ended by opening anew. See `lading.adapters.lmdb.handle`.
- An environment whose file was deleted or replaced goes on accepting commits that nobody will ever see. So each write
  begins by asking whether the file under the path is still the one that is open.
- After a fork LMDB must not be touched through what was inherited: the child's copy says so, and can be opened
  afresh.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import lmdb

from lading.adapters.lmdb.bell import CommitBell
from lading.adapters.lmdb.faults import CommitUnknown, translate
from lading.adapters.lmdb.ground import DATA_FILE
from lading.adapters.lmdb.handle import Handle, Settings
from lading.adapters.lmdb.headroom import lay
from lading.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from lmdb import Transaction
    from lmdb import _Database as Table

T = TypeVar("T")

WRITE_WAIT_S = 60.0
TRIES_MAX = 32
"""How often a transaction is begun again because the map changed; doubled that often, it exceeds any address space."""


class Environment:
    """One open LMDB environment; opened and shared by `lading.adapters.lmdb.registry`.

    `folder` is where it lies, `identity` device and inode of its data file, `tables` what is open by name, `bell`
    rings at each commit.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        self.tables: dict[bytes, Table] = {}
        self.bell = CommitBell(self.last_transaction)
        self._handle = Handle(folder, settings)
        self._data = os.fspath(folder / DATA_FILE)
        found = os.stat(self._data)
        self.identity = (found.st_dev, found.st_ino)
        self._opening_tables = threading.Lock()
        self._turn = threading.Lock()
        self._writer = 0

    # Tables

    def open_tables(self, names: Iterable[bytes], *, create: bool = True) -> None:
        """See to it that `tables` has these; missing ones are made when `create` is set.

        Raises:
            StoreUnavailable: one is missing, and `create` is not set.
        """
        with self._opening_tables:  # LMDB allows one transaction of a process at a time to open tables
            self._open_tables([name for name in names if name not in self.tables], create=create)

    def _open_tables(self, wanted: list[bytes], *, create: bool) -> None:
        if not wanted:
            return
        missing: list[bytes] = []
        found: dict[bytes, Table] = {}

        def find(txn: Transaction[bytes]) -> None:  # a handle outlives only a transaction that could write
            for name in wanted:
                try:
                    found[name] = self._handle.lmdb.open_db(name, txn=txn, create=create)
                except lmdb.NotFoundError:
                    missing.append(name)

        self.write(find)
        if missing:
            raise StoreUnavailable(
                f"{self.folder} lacks the table {missing[0].decode()!r}",
                hint="open it once with leave to create its tables",
            )
        self.tables.update(found)

    def table_names(self) -> list[bytes]:
        """Return the names of all tables in the environment, whoever made them."""
        return self.read(lambda txn: list(self._handle.lmdb.dbs(txn=txn)))

    # Reading

    def read(self, work: Callable[[Transaction[bytes]], T]) -> T:
        """Return what `work` finds in a read transaction; keep it short.

        Raises:
            LogDamaged: LMDB finds its pages damaged.
            StoreUnavailable: as `begin_read`.
        """
        txn = self.begin_read()
        try:
            return work(txn)
        except lmdb.Error as error:
            raise translate(error, self.folder) from error
        finally:
            self.end_read(txn)

    def begin_read(self) -> Transaction[bytes]:
        """Begin a read transaction, to be ended soon by `end_read`: an open one keeps old pages alive.

        Raises:
            StoreUnavailable: the environment is closed, inherited through a fork, or out of reader slots.
        """
        for _ in range(TRIES_MAX):
            try:
                return self._handle.begin()
            except lmdb.MapResizedError:
                self._as_writer(self._handle.adopt)
            except lmdb.PanicError:
                self._as_writer(self._reopen)
            except lmdb.ReadersFullError as error:
                if not self._handle.lmdb.reader_check():
                    raise translate(error, self.folder) from error
            except lmdb.Error as error:
                raise translate(error, self.folder) from error
        raise self.restless()

    def end_read(self, txn: Transaction[bytes]) -> None:
        """End a read transaction; one that is over already does no harm."""
        self._handle.gate.leave(txn)

    def last_transaction(self) -> int:
        """Return the number of the last commit of any process that a reader can see; takes about a microsecond.

        Not from `info()["last_txnid"]`, which is ahead while a commit is being flushed: whoever looked then, found
        nothing new, and waited for a later number, would sleep through that commit.
        """
        return self.read(lambda txn: txn.id())

    # Writing

    def write(self, work: Callable[[Transaction[bytes]], T]) -> T:
        """Run `work` as `attempt` does, for a change that can be made again: an error leaves open whether it was made.

        Raises:
            DiskFull: no room; nothing was stored.
            StoreUnavailable: the message says why.
        """
        try:
            return self.attempt(work)
        except CommitUnknown as unknown:
            raise unknown.error from unknown

    def attempt(self, work: Callable[[Transaction[bytes]], T]) -> T:
        """Run `work` in a write transaction and commit it, durable on return.

        When the map has to grow, `work` runs again from its start, in a new transaction.

        Raises:
            CommitUnknown: only a look can tell whether the commit took place.
            DiskFull: no room; nothing was stored, and the same call succeeds once there is some.
            StoreUnavailable: nothing was stored, and the message says why.
        """
        txn = self.begin_write()
        try:
            for _ in range(TRIES_MAX):
                try:
                    result = work(txn)
                    self.commit(txn)
                except lmdb.MapFullError:
                    txn = self.regrow(txn)
                except lmdb.Error as error:
                    raise translate(error, self.folder) from error
                else:
                    return result
            raise self.restless()
        finally:
            self.end_write(txn)

    def begin_write(self) -> Transaction[bytes]:
        """Begin the one write transaction, in this thread, to be ended in it by `end_write` whatever happens.

        Raises:
            StoreUnavailable: another writer does not end, or the environment's file is not the one that was opened.
            RuntimeError: this thread is within a write transaction of this environment already.
        """
        self._take_turn()
        try:
            size = self._check_in_place()
            txn = self._begin_write()
        except BaseException:
            self._pass_turn()
            raise
        try:
            lay(self._data, size, self._handle.used_bytes())
        except BaseException:
            self.end_write(txn)
            raise
        return txn

    def commit(self, txn: Transaction[bytes]) -> None:
        """Commit, durable on return.

        Raises:
            lmdb.MapFullError: the map must grow; nothing was stored.
            CommitUnknown: as `attempt`.
        """
        if not self._writer:
            raise StoreUnavailable(
                "a write transaction cannot be committed after a fork", hint="commit it where it was begun"
            )
        try:
            txn.commit()
        except lmdb.MapFullError:
            raise
        except lmdb.Error as error:
            raise CommitUnknown(translate(error, self.folder)) from error
        self.bell.ring()

    def regrow(self, txn: Transaction[bytes]) -> Transaction[bytes]:
        """Drop a write transaction that found the map full, grow the map, and begin another in its place."""
        txn.abort()
        self._handle.grow()
        return self._begin_write()

    def end_write(self, txn: Transaction[bytes]) -> None:
        """End a write transaction: undone, unless it was committed."""
        if self._writer:
            try:
                txn.abort()
            finally:
                self._pass_turn()

    def _begin_write(self) -> Transaction[bytes]:
        for _ in range(TRIES_MAX):
            try:
                txn: Transaction[bytes] = self._handle.lmdb.begin(write=True)
            except lmdb.MapResizedError:
                self._handle.adopt()
            except lmdb.PanicError:
                self._reopen()
            except lmdb.Error as error:
                raise translate(error, self.folder) from error
            else:
                return txn
        raise self.restless()

    def _take_turn(self) -> None:
        me = threading.get_ident()
        if self._writer == me:
            raise RuntimeError("a write transaction cannot be begun within another of the same environment")
        if not self._turn.acquire(timeout=WRITE_WAIT_S):
            raise StoreUnavailable(
                f"another thread has been writing to {self.folder} for {WRITE_WAIT_S:.0f} s",
                hint="keep write transactions short",
            )
        self._writer = me

    def _pass_turn(self) -> None:
        self._writer = 0
        self._turn.release()

    def _as_writer(self, work: Callable[[], None]) -> None:
        self._take_turn()
        try:
            work()
        finally:
            self._pass_turn()

    def _check_in_place(self) -> int:
        """Return the length of the data file, after making sure that it is still the one that was opened."""
        try:
            found = os.stat(self._data)
        except OSError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self.identity:
            raise StoreUnavailable(
                f"{self.folder} was deleted or replaced while it was open; what is written now is never found again",
                hint="start again, so that it is opened afresh",
            )
        return found.st_size

    def _reopen(self) -> None:
        self.tables.update(self._handle.reopen(list(self.tables)))

    def restless(self) -> StoreUnavailable:
        """Return the error for a map that changes each time it is tried."""
        return StoreUnavailable(
            f"the map of {self.folder} does not come to rest", hint="try again; use a larger first map size"
        )

    # Letting go

    def close(self) -> None:
        """Close it, after the writer and the readers of other threads have left or a bounded time has passed."""
        took = self._writer != threading.get_ident() and self._turn.acquire(timeout=WRITE_WAIT_S)
        try:
            self._handle.close()
        finally:
            if took:
                self._turn.release()
        self.bell.ring()

    def forsake(self) -> Callable[[], None] | None:
        """Disown what a fork left in the child; return what closes it there, None when a transaction was under way."""
        was_writing = self._writer != 0
        close = self._handle.forsake()
        self.bell = CommitBell(self.last_transaction)
        self._opening_tables, self._turn, self._writer = threading.Lock(), threading.Lock(), 0
        return None if was_writing else close
