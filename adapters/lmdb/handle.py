"""LMDB's own handle on an environment: how it is opened and mapped, and what becomes of it in a panic or a fork.

The map is large and sparse, and grows when it is full, in one process at a time. Another process may have grown it:
then ours is adopted to it. Both need the map alone, so readers pass a gate. Nothing here but `begin` may be called by
two threads at once: whoever maps, opens anew or closes has the environment's write turn.

`writemap` and `sync=False` are never used: with them a full disk kills the process, or a power cut the store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import lmdb

from lading.adapters.lmdb.faults import Gone, translate
from lading.adapters.lmdb.gate import Gate
from lading.adapters.lmdb.locks import opening

if TYPE_CHECKING:
    from lmdb import Transaction
    from lmdb import _Database as Table

FILE_MODE = 0o600
LMDB_MAJOR = 0  # of the engine, whose data format LMDB 1.0 has changed
TABLES_MAX = 256


@attrs.frozen(kw_only=True)
class Settings:
    """How an environment is opened.

    Args:
        map_size: the map's first size in bytes.
        metasync: whether each commit flushes the page that makes it count too.
        readers: how many read transactions of all processes can be open at once.
    """

    map_size: int
    metasync: bool = True
    readers: int = 1024


class Handle:
    """An open LMDB environment; the caller sees to it that no other process opens it at the same moment."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        self.gate = Gate()
        self.lmdb: Any = self._open()
        self.page_bytes: int = self.lmdb.stat()["psize"]

    def _open(self) -> lmdb.Environment:
        try:
            opened = lmdb.Environment(
                os.fspath(self.folder),
                map_size=self.settings.map_size,
                metasync=self.settings.metasync,
                mode=FILE_MODE,
                create=False,
                max_readers=self.settings.readers,
                max_dbs=TABLES_MAX,
                lib_version=LMDB_MAJOR,
            )
            opened.reader_check()
        except lmdb.Error as error:
            raise translate(error, self.folder) from error
        return opened

    def begin(self) -> Transaction[bytes]:
        """Begin a read transaction, to be ended by `gate.leave`."""
        return self.gate.enter(self.lmdb.begin)

    def used_bytes(self) -> int:
        """Return the end of the last page that was ever used."""
        last: int = self.lmdb.info()["last_pgno"]
        return (last + 1) * self.page_bytes

    def adopt(self) -> None:
        """Take over the size to which other processes have grown the map."""
        self._remap(0)

    def grow(self) -> None:
        """Double the map, unless another process has just grown it."""
        with opening(self.folder):
            before = self.map_size()
            self._remap(0)
            if self.map_size() <= before:
                self._remap(2 * before)

    def map_size(self) -> int:
        """Return the map's size in bytes."""
        size: int = self.lmdb.info()["map_size"]
        return size

    def _remap(self, size: int) -> None:
        with self.gate.alone():
            try:
                self.lmdb.set_mapsize(size)
            except lmdb.Error as error:
                raise translate(error, self.folder) from error

    def reopen(self, tables: Iterable[bytes]) -> dict[bytes, Table]:
        """Open anew, which alone ends a panic, and return these tables."""
        with self.gate.alone(), opening(self.folder):
            self.lmdb.close()
            self.lmdb = self._open()
            with self.lmdb.begin(write=True) as txn:
                return {name: self.lmdb.open_db(name, txn=txn, create=False) for name in tables}

    def close(self) -> None:
        """Close, once the readers of this process have left or a bounded time has passed."""
        opened = self.lmdb
        if isinstance(opened, Gone):
            return
        with self.gate.alone():
            self.lmdb = Gone(f"{self.folder} is closed", "open it again")
            opened.close()

    def forsake(self) -> Callable[[], None] | None:
        """Disown what a fork left in the child; return what closes it there, None when a reader was inside."""
        opened, idle = self.lmdb, self.gate.idle
        self.lmdb = Gone(
            f"{self.folder} was opened before a fork, and LMDB does not survive one", "open it again in the child"
        )
        self.gate = Gate()
        _inherited.append(opened)
        return opened.close if idle and not isinstance(opened, Gone) else None


_inherited: list[Any] = []
"""What was open before a fork, never collected: closing it mid-transaction would end the parent's readers."""
