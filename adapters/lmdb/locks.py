"""Locks between the processes that share an environment, as files beside it; the kernel frees them with their holder.

`open.lock` is held for moments: one process at a time opens the environment or grows its map. `users.lock` is held
shared for as long as a process has the environment open. Whoever finds nobody else there writes down where it runs;
a process that finds others there compares. LMDB tells live readers by process number and shares mutexes between
processes, so two PID namespaces or two C libraries on one environment would corrupt it: the second is refused.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lading.adapters.lmdb.faults import translate_os
from lading.domain.errors import StoreUnavailable

OPEN_LOCK = "open.lock"
USERS_LOCK = "users.lock"
LMDB_LOCK = "lock.mdb"
LINE_BYTES = 256
READER_BYTES = 64  # of LMDB's lock file for each reader, and two of them more for its head
OPEN_WAIT_S = 30.0
_RETRY_S = 0.01


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise translate_os(error, path) from error


@contextmanager
def opening(folder: Path, wait_s: float = OPEN_WAIT_S) -> Iterator[None]:
    """Be the one process that opens or grows the environment in `folder`.

    Raises:
        StoreUnavailable: another process holds on to it for longer than `wait_s` seconds.
    """
    descriptor = _open(folder / OPEN_LOCK)
    try:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StoreUnavailable(
                        f"another process has been opening {folder} for {wait_s:.0f} s", hint="see what it waits for"
                    ) from None
                time.sleep(_RETRY_S)
        yield
    finally:
        os.close(descriptor)


def whereabouts() -> str:
    """Return where this process runs, as far as sharing an environment asks: boot, PID namespace, C library."""
    boot, namespace, library = "?", "?", "?"
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    with suppress(OSError, ValueError):
        library = (os.confstr("CS_GNU_LIBC_VERSION") or "?").split(" ")[0]
    return f"boot={boot} namespace={namespace} libc={library}"


class Presence:
    """This process's mark on an environment that it has open; made within `opening`.

    `alone` tells whether nobody else had one.

    Raises:
        StoreUnavailable: the environment is in use from another container, machine or C library.
    """

    def __init__(self, folder: Path, here: str | None = None) -> None:
        path = folder / USERS_LOCK
        self._descriptor = _open(path)
        try:
            self.alone = self._is_alone()
            self._compare(folder, here or whereabouts())
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        except OSError as error:
            self.leave()
            raise translate_os(error, path) from error
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Take the mark away."""
        os.close(self._descriptor)

    def _is_alone(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _compare(self, folder: Path, here: str) -> None:
        line = here.encode().ljust(LINE_BYTES)
        there = os.pread(self._descriptor, LINE_BYTES, 0)
        if there == line:
            return
        if self.alone:
            os.pwrite(self._descriptor, line, 0)  # of one length, so that it needs no room but the first time
            return
        raise StoreUnavailable(
            f"{folder} is in use from elsewhere ({there.decode(errors='replace').strip()}; this process: {here})",
            hint="share it only between processes of one container, or stop the others first",
        )


def allocate_reader_table(folder: Path, readers: int) -> None:
    """Give LMDB's lock file its room on the disk, before LMDB maps it; only while nobody in this process has it open.

    LMDB makes it sparse, and touching a page of it that a full disk has no room for ends the process with SIGBUS.

    Raises:
        DiskFull: there is no room for it.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    path = folder / LMDB_LOCK
    descriptor = _open(path)
    try:
        os.posix_fallocate(descriptor, 0, max(os.fstat(descriptor).st_size, READER_BYTES * (readers + 2)))
    except OSError as error:
        raise translate_os(error, path) from error
    finally:
        os.close(descriptor)
