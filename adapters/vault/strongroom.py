"""The room in which a vault's records lie: who may be in it when, and how it is left for a new one.

    vault/            the first store, beside the key
    vault/store-N     the store that took its place, N from 2 on: of several the highest counts
    vault/.store-N    one that is being written; it counts for nothing

A store frees the pages of what is deleted and does not wipe them. So what is to be gone for good is gone only when what
is left has been written into a new store. That one is made under another name, durable and complete before one rename
makes it the one that counts; then the old one is overwritten and removed. A kill at any moment leaves the old store or
the new one, and at most remains, which the next writing anew takes away. It is another folder because LMDB's locks
belong to a data file: two of them under one lock file would damage each other.

Any process may have the vault open. Each looks, under a shared lock on the folder, which store counts before it touches
one; who writes it anew has that lock alone. So nobody is inside a store that is taken away, and no write is lost in it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from lading.adapters.durable import sync_folder
from lading.domain.errors import IntegrityError, LadingError, StoreUnavailable
from lading.domain.ports import Store

WAIT_S = 60.0
PAGE = 1000
WIPE_BYTES = 1024**2

_RETRY_S = 0.002
_FILES = frozenset({"data.mdb", "data.new", "lock.mdb", "open.lock", "users.lock"})
"""What the first store has in the folder that it shares with the key; whatever else lies there is somebody's own."""
_STORE = re.compile(r"store-([1-9]\d*)")
_DRAFT = re.compile(r"\.store-[1-9]\d*")


def newest(folder: Path) -> tuple[int, Path]:
    """Return the store that counts in the folder of a vault: its number, 1 for the first, and where it lies."""
    numbers = [int(found[1]) for name in os.listdir(folder) if (found := _STORE.fullmatch(name))]
    number = max(numbers, default=1)
    return number, folder if number == 1 else folder / f"store-{number}"


class Strongroom:
    """Gives out the store that counts, and writes it anew.

    Args:
        folder: of the vault; it must exist when anything is asked.
        open_store: opens a store, given its folder; makes one where there is none.
    """

    def __init__(self, folder: Path, open_store: Callable[[Path], Store]) -> None:
        self._folder = folder
        self._open_store = open_store
        self._lock = threading.Lock()
        self._opened: tuple[int, Store] | None = None

    @contextmanager
    def inside(self) -> Iterator[Store]:
        """Have the store that counts, for as long as the block lasts; keep it short.

        Raises:
            StoreUnavailable: the vault is being written anew for too long, or the store cannot be opened.
        """
        with self._locked(fcntl.LOCK_SH):
            yield self._store()

    def write_anew(self) -> None:
        """Write all records into a new store, make that the one that counts, and wipe and remove what was before.

        Raises:
            DiskFull, StoreUnavailable: the vault is as it was, or is written anew and the old store is not all gone.
            IntegrityError: the copy is not what it should be; the vault is as it was.
        """
        with self._locked(fcntl.LOCK_EX):
            number, place = newest(self._folder)
            self.close()
            try:
                self._clear(but=number)
                made = self._folder / f"store-{number + 1}"
                draft = self._folder / f".{made.name}"
                self._copy(place, draft)
                os.rename(draft, made)
                sync_folder(self._folder)
                self._clear(but=number + 1)
            except OSError as error:
                raise StoreUnavailable(
                    f"the vault {self._folder} cannot be written anew: {error.strerror}",
                    hint="check its owner and mode",
                ) from error

    def close(self) -> None:
        """Let go of the store; whoever asks next has it opened again."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].close()

    def _store(self) -> Store:
        number, place = newest(self._folder)
        with self._lock:
            if self._opened is not None and self._opened[0] != number:
                self._opened[1].close()
                self._opened = None
            if self._opened is None:
                self._opened = (number, self._open_store(place))
            return self._opened[1]

    def _copy(self, place: Path, draft: Path) -> None:
        """Put every record of one store into a new one, durably, a page at a time."""
        old = self._open_store(place)
        try:
            new = self._open_store(draft)
            try:
                with old.read() as reader:
                    rows = iter(reader.scan(b""))
                    while page := dict(islice(rows, PAGE)):
                        with new.write() as transaction:
                            transaction.change(page)
                self._compare(old, new)
            finally:
                new.close()
        except LadingError:
            with suppress(OSError):
                shutil.rmtree(draft)
            raise
        finally:
            old.close()
        sync_folder(draft)

    def _compare(self, old: Store, new: Store) -> None:
        with old.read() as before, new.read() as after:
            same = all(one == other for one, other in zip(before.scan(b""), after.scan(b""), strict=True))
        if not same:
            raise IntegrityError(f"the vault {self._folder} was not copied as it is", hint="`lading doctor`")

    def _clear(self, but: int) -> None:
        """Wipe and remove every store but one, and what was never finished."""
        for name in sorted(os.listdir(self._folder)):
            place, found = self._folder / name, _STORE.fullmatch(name)
            if _DRAFT.fullmatch(name) or (found and int(found[1]) != but):
                for file in place.iterdir():
                    _wipe(file)
                place.rmdir()
            elif but > 1 and name in _FILES:
                _wipe(place)
        sync_folder(self._folder)

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        try:
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreUnavailable(
                f"the vault {self._folder} cannot be opened: {error.strerror}", hint="check its owner and mode (0700)"
            ) from error
        try:
            deadline_s = time.monotonic() + WAIT_S
            while not _has(descriptor, how):
                if time.monotonic() > deadline_s:
                    raise StoreUnavailable(
                        f"others have been using the vault {self._folder} for {WAIT_S:.0f} s",
                        hint="see what they wait for, and try again",
                    )
                time.sleep(_RETRY_S)
            yield
        finally:
            os.close(descriptor)


def _has(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wipe(file: Path) -> None:
    """Overwrite a file and remove it. A lock is only removed: processes that are about to let go of it have it mapped.

    Where the disk or the file system writes elsewhere than it is told to, old blocks may stay for a while.
    """
    if "lock" not in file.name:
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size, at, zeros = os.fstat(descriptor).st_size, 0, bytes(WIPE_BYTES)
            while at < size:
                at += os.pwrite(descriptor, zeros[: size - at], at)
            os.fdatasync(descriptor)
        except OSError:
            pass  # it goes, wiped or not; on a disk that is full and never overwrites in place, that is all there is
        finally:
            os.close(descriptor)
    os.unlink(file)
