"""What the kernel can do for files and Python has no name for; each is Linux's own and says ENOSYS elsewhere."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os

NOT_HERE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY})
"""What a kernel or a file system answers to a call that it does not have."""

_CANNOT_CLONE = NOT_HERE | {errno.EXDEV, errno.EPERM, errno.EBADF, errno.ETXTBSY}
_FICLONE = 0x40049409
_FALLOC_FL_KEEP_SIZE = 1
_RENAME_NOREPLACE = 1
_SYNC_FILE_RANGE_WRITE = 2
_AT_FDCWD = -100
_FS_IOC_GETFSUUID = 0x80111500

_libc = ctypes.CDLL(None, use_errno=True)


def allocate(descriptor: int, end: int) -> None:
    """Set blocks aside from byte 0 to `end` without changing the file's size (fallocate(2)).

    Raises:
        OSError: no room; or one of `NOT_HERE`.
    """
    call = getattr(_libc, "fallocate64", None) or getattr(_libc, "fallocate", None)
    if call is None:
        raise _failure(errno.ENOSYS)
    while call(descriptor, _FALLOC_FL_KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(end)) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise _failure(number)


def clone(target: int, source: int) -> bool:
    """Let one open file be what another is, sharing its blocks until one is written (ioctl_ficlone(2)).

    Returns:
        Whether that could be: they must lie on one file system, and it must know how.

    Raises:
        OSError: there is no room, or the device failed.
    """
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT_CLONE:
            return False
        raise
    return True


def begin_writing(descriptor: int) -> None:
    """Begin to write out what of an open file is in the page cache only (sync_file_range(2)); where it can be done.

    What fails here is told by the flush that must follow.
    """
    call = getattr(_libc, "sync_file_range", None)
    if call is not None:
        call(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), _SYNC_FILE_RANGE_WRITE)


def reopen_past_cache(descriptor: int) -> int:
    """Return a second descriptor of an open file, for aligned writes that leave no copy in the page cache (O_DIRECT).

    Raises:
        OSError: one of `NOT_HERE`, or why it cannot be opened.
    """
    if not hasattr(os, "O_DIRECT"):
        raise _failure(errno.ENOSYS)
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        raise _failure(errno.ENOSYS) from None


def rename_no_replace(source: str, name: str, folder: int, source_folder: int = _AT_FDCWD) -> None:
    """Rename `source` to `name` in the open `folder`, and fail rather than replace (renameat2(2)).

    `source` is a path, or a name in the open `source_folder`.

    Raises:
        FileExistsError: something lies there.
        OSError: whatever else a rename can say; or one of `NOT_HERE`.
    """
    call = getattr(_libc, "renameat2", None)
    if call is None:
        raise _failure(errno.ENOSYS)
    if call(source_folder, os.fsencode(source), folder, os.fsencode(name), _RENAME_NOREPLACE) != 0:
        raise _failure(ctypes.get_errno())


def file_system_uuid(folder: int) -> str | None:
    """Return the UUID, in hex, of an open folder's file system (Linux 6.9); None for none, or a blank one."""
    answer = bytearray(17)
    try:
        fcntl.ioctl(folder, _FS_IOC_GETFSUUID, answer)
    except OSError:
        return None
    uuid = answer[1 : 1 + answer[0]]
    return uuid.hex() if any(uuid) else None


def umask() -> int:
    """Return this process's umask: from /proc, since asking the system means setting it under other threads' feet."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except OSError:
        pass
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))
