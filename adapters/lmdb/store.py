"""An ordered key-value store on LMDB, for views and for the vault; implements `lading.domain.ports.Store`.

A write transaction keeps what it writes in an overlay beside the unchanged tree, and puts it into the tree, sorted
and each key once, when it commits. That makes a counter that is put a thousand times cost one put; and it lets the
commit be repeated when the map turns out to be full, which the body of a `with` block could not be. LMDB's own
write lock is taken on entry, so that what the block reads cannot change under it, in this process or another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import lmdb

from lading.adapters.lmdb.environment import TRIES_MAX, Environment
from lading.adapters.lmdb.faults import CommitUnknown, translate
from lading.adapters.lmdb.format import check_format
from lading.adapters.lmdb.handle import Settings
from lading.adapters.lmdb.overlay import Item, Overlay
from lading.adapters.lmdb.registry import hold, open_environment
from lading.domain.errors import LogDamaged, StoreUnavailable

if TYPE_CHECKING:
    from types import TracebackType

    from lmdb import Transaction as LMDBTransaction
    from lmdb import _Database as Table

STORE_MAP_BYTES = 64 * 1024**3
KEY_BYTES_MAX = 511


class LMDBStore:
    """An ordered key-value store in a table of an LMDB environment, for use from any thread.

    Args:
        folder: where the environment lies; made when it is missing. name: the table's name, of several that may
            share an environment and its write transactions. metasync: flush the meta page at each commit too.
            Without it commits are cheaper and a power cut may take the last ones back, never a part of one: right
            for views, which can be replayed.
        map_size: the first size of the map in bytes; it grows when it is full.
        create: whether a missing store may be made.
        trust_file_system: do not ask what kind of file system the folder lies on.

    Raises:
        StoreUnavailable: the folder cannot hold a store, or holds something else.
        StoreNewer: a later program wrote it.
        LogDamaged: its file is cut short.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        name: str = "data",
        metasync: bool = True,
        map_size: int = STORE_MAP_BYTES,
        create: bool = True,
        trust_file_system: bool = False,
    ) -> None:
        settings = Settings(map_size=map_size, metasync=metasync)
        self.environment = open_environment(Path(folder), settings, create=create, trust_file_system=trust_file_system)
        self._let_go = hold(self, self.environment)
        self._name = name.encode()
        try:
            self.store_id = check_format(self.environment, create=create)
            self.environment.open_tables([self._name], create=create)
        except BaseException:
            self._let_go()
            raise

    def read(self) -> AbstractContextManager[StoreReader]:
        """Open a consistent look; keep it short, an open reader keeps old pages alive."""
        return StoreReader(self, self.environment, self._name)

    def write(self) -> AbstractContextManager[StoreTransaction]:
        """Open the one write transaction: committed when the context ends well, undone when it raises.

        Raises (on leaving the context):
            DiskFull: no room; nothing was stored.
            StoreUnavailable: nothing was stored, or the message says that this is open.
        """
        return StoreTransaction(self, self.environment, self._name)

    def close(self) -> None:
        """Let go of the store; a second call does nothing."""
        self._let_go()


class StoreReader:
    """A consistent look at a store, valid within its `with` block; it keeps `owner`, which holds the environment.

    What LMDB says of damaged pages within the block leaves it as the domain's error.
    """

    __slots__ = ("_environment", "_name", "_owner", "_table", "_txn")
    _txn: LMDBTransaction[bytes]
    _table: Table

    def __init__(self, owner: object, environment: Environment, name: bytes) -> None:
        self._owner = owner
        self._environment = environment
        self._name = name

    def __enter__(self) -> Self:
        self._txn = self._environment.begin_read()
        self._table = self._environment.tables[self._name]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._environment.end_read(self._txn)
        if isinstance(error, lmdb.Error):
            raise translate(error, self._environment.folder) from error

    def get(self, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""
        return self._txn.get(key, db=self._table)

    def scan(self, prefix: bytes, *, start: bytes | None = None, reverse: bool = False) -> Iterator[Item]:
        """Walk the keys that begin with `prefix` in byte order; see `lading.domain.ports.Reader`."""
        if reverse:
            return _backwards(self._txn, self._table, prefix, _last_key(prefix, start))
        return _forwards(self._txn, self._table, prefix, max(prefix, start or b""))


class StoreTransaction:
    """The one write transaction of a store, valid within its `with` block and in the thread that entered it.

    A scan meets what is written while it runs, where it has not passed yet. It keeps `owner`, as a reader does.
    """

    __slots__ = ("_environment", "_name", "_overlay", "_owner", "_table", "_txn")
    _txn: LMDBTransaction[bytes]
    _table: Table

    def __init__(self, owner: object, environment: Environment, name: bytes) -> None:
        self._owner = owner
        self._environment = environment
        self._name = name
        self._overlay = Overlay()

    def __enter__(self) -> Self:
        self._txn = self._environment.begin_write()
        self._table = self._environment.tables[self._name]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._has_changes():
                self._commit()
        finally:
            self._environment.end_write(self._txn)
        if isinstance(error, lmdb.Error):
            raise translate(error, self._environment.folder) from error

    def get(self, key: bytes) -> bytes | None:
        """Return the value under `key`, or None."""
        if key in self._overlay.values:
            return self._overlay.values[key]
        return self._txn.get(key, db=self._table)

    def put(self, key: bytes, value: bytes) -> None:
        """Store `value` under `key`.

        Raises:
            ValueError: the key has not 1 to 511 bytes.
        """
        if not 0 < len(key) <= KEY_BYTES_MAX:
            raise ValueError(f"a key has 1 to {KEY_BYTES_MAX} bytes, this one has {len(key)}")
        self._overlay.set(key, value)

    def delete(self, key: bytes) -> None:
        """Remove `key` if it is there."""
        self._overlay.set(key, None)

    def change(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Store each value under its key, and remove the keys that have None.

        Raises:
            ValueError: a key has not 1 to 511 bytes; nothing was changed.
        """
        lengths = list(map(len, rows))
        if lengths and not 0 < min(lengths) <= max(lengths) <= KEY_BYTES_MAX:
            raise ValueError(f"keys have 1 to {KEY_BYTES_MAX} bytes, these {min(lengths)} to {max(lengths)}")
        self._overlay.update(rows)

    def scan(self, prefix: bytes, *, start: bytes | None = None, reverse: bool = False) -> Iterator[Item]:
        """Walk the keys that begin with `prefix` in byte order; see `lading.domain.ports.Reader`."""
        if reverse:
            last = _last_key(prefix, start)
            return self._overlay.backwards(_backwards(self._txn, self._table, prefix, last), prefix, last)
        first = max(prefix, start or b"")
        return self._overlay.forwards(_forwards(self._txn, self._table, prefix, first), prefix, first)

    def _has_changes(self) -> bool:
        return bool(self._overlay.values)

    def _commit(self) -> None:
        items = self._overlay.items()
        for _ in range(TRIES_MAX):
            try:
                number = self._txn.id()
                self._apply(items)
                self._environment.commit(self._txn)
            except lmdb.MapFullError:
                self._regrow(number)
            except lmdb.Error as error:
                raise translate(error, self._environment.folder) from error
            except CommitUnknown as unknown:
                raise unknown.error from unknown
            else:
                return
        raise self._environment.restless()

    def _regrow(self, number: int) -> None:
        """Begin again in a larger map, if nobody has written since this transaction, of that number, was begun."""
        self._txn = self._environment.regrow(self._txn)
        self._table = self._environment.tables[self._name]
        if self._txn.id() != number:
            raise StoreUnavailable(
                f"another process wrote to {self._environment.folder} while its map grew; nothing was stored",
                hint="do it again",
            )

    def _apply(self, items: list[tuple[bytes, bytes | None]]) -> None:
        puts = [(key, value) for key, value in items if value is not None]
        consumed, _ = self._txn.cursor(self._table).putmulti(puts)
        if consumed != len(puts):
            raise LogDamaged(f"{self._environment.folder} took {consumed} of {len(puts)} values")
        for key, value in items:
            if value is None:
                self._txn.delete(key, db=self._table)


def _forwards(txn: LMDBTransaction[bytes], table: Table, prefix: bytes, first: bytes) -> Iterator[Item]:
    cursor = txn.cursor(table)
    if not (cursor.set_range(first) if first else cursor.first()):
        return
    for item in cursor:
        if not item[0].startswith(prefix):
            return
        yield item


def _backwards(txn: LMDBTransaction[bytes], table: Table, prefix: bytes, end: bytes) -> Iterator[Item]:
    cursor = txn.cursor(table)
    # A set_range that fails leaves the cursor nowhere, and iterating would then begin at the first key.
    found = (cursor.key() == end or cursor.prev()) if cursor.set_range(end) else cursor.last()
    if not found:
        return
    for item in cursor.iterprev():
        if not item[0].startswith(prefix):
            return
        yield item


def _last_key(prefix: bytes, start: bytes | None) -> bytes:
    """Return the highest key with which a backwards scan can begin."""
    highest = prefix.ljust(KEY_BYTES_MAX, b"\xff")
    return highest if start is None else min(start, highest)
