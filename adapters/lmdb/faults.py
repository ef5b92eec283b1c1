"""What LMDB's errors mean, in the words of the domain: which of them stored nothing, who must act, and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import lmdb

from lading.domain.errors import DiskFull, LadingError, LogDamaged, StoreUnavailable

ROOM_LOW_BYTES = 16 * 1024 * 1024
"""Below this much free space an input/output error is read as a full disk: LMDB reports a short write as EIO."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class CommitUnknown(Exception):
    """A commit failed, and only a look at what is stored can tell whether it took place; `error` is why it failed."""

    def __init__(self, error: LadingError) -> None:
        super().__init__(str(error))
        self.error = error


class Gone:
    """Stands where an open environment was: whatever is asked of it, it says why there is none."""

    def __init__(self, message: str, hint: str) -> None:
        self._message = message
        self._hint = hint

    def __getattr__(self, name: str) -> object:
        raise StoreUnavailable(self._message, hint=self._hint)


def translate_os(error: OSError, path: Path) -> LadingError:
    """Return the domain's error for one of the operating system's."""
    if error.errno in _FULL:
        return DiskFull(f"no room for {path}: nothing was stored")
    return StoreUnavailable(f"{path} cannot be used: {error.strerror}", hint="check the path, its owner and its mode")


def translate(error: lmdb.Error, folder: Path) -> LadingError:
    """Return the domain's error for one of LMDB's."""
    code = getattr(error, "code", 0)
    if code in _FULL or (code == errno.EIO and _room(folder) < ROOM_LOW_BYTES):
        return DiskFull(f"no room for {folder}: nothing was stored")
    if code == errno.EIO:
        return StoreUnavailable(
            f"the disk under {folder} reported an input/output error", hint="look into the system's log"
        )
    if code in _FORBIDDEN:
        return StoreUnavailable(f"{folder} cannot be written: {os.strerror(code)}", hint="check its owner and mode")
    if isinstance(error, lmdb.CorruptedError | lmdb.PageNotFoundError | lmdb.InvalidError | lmdb.VersionMismatchError):
        return LogDamaged(f"the pages of {folder} are damaged: {error}")
    if isinstance(error, lmdb.ReadersFullError):
        return StoreUnavailable(
            f"{folder} has too many readers at once", hint="close some of the programs that read it"
        )
    if isinstance(error, lmdb.TxnFullError):
        return StoreUnavailable(f"too much for one transaction of {folder}", hint="write it in smaller batches")
    return StoreUnavailable(f"{folder} cannot be used: {error}", hint="close it and open it again")


def _room(folder: Path) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize
