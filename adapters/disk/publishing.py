"""How a part gets its final name: whole, at once, and never over somebody else's file unless the user said so."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat

from lading.adapters.disk import folders, kernel
from lading.adapters.disk.part import LocalPart
from lading.domain.errors import DestinationTaken, InvalidDestination

_NO_LINKS = frozenset({errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_BESIDE = ".new"
_ANOTHER_NAME = "choose another name with -o"


def publish(part: LocalPart, name: str, folder: int, *, replace: bool) -> None:
    """Give the part `name` in the open `folder`, which is to be flushed then; nothing when it has it already.

    Raises:
        DestinationTaken: something else has that name.
        InvalidDestination: the file system has neither links nor a rename that never replaces.
        OSError: what else the system says.
    """
    if not replace and _link(part, name, folder):
        if _has_proc():
            return
    elif not _has(part, name, folder):
        (_replace if replace else _move)(part, name, folder)
    if not _has(part, name, folder):
        raise DestinationTaken(f"something else took the name {name} while it was being published")


def clear(path: str, identity: folders.Identity) -> None:
    """Remove what a publisher that was killed left beside the part at `path`: another name of the same file."""
    beside = path + _BESIDE
    if path.endswith((".part", ".kept")) and folders.identity(beside) == identity:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)


def set_aside(name: str, to: str, folder: int, *, stay: bool) -> bool:
    """Give the file `name` in the open `folder`, which is to be flushed then, the name `to`; never replacing.

    A file system without links moves it although it was to `stay`.

    Raises:
        FileNotFoundError: it has gone.
        DestinationTaken: something has the name `to`.
        InvalidDestination: the file system has neither links nor a rename that never replaces.
    """
    mode = os.lstat(name, dir_fd=folder).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        return False
    try:
        if stay:
            try:
                os.link(name, to, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
            else:
                return True
        _rename(name, to, folder)
    except FileExistsError:
        raise DestinationTaken(f"something lies at {to} already") from None
    except OSError as error:
        if error.errno in kernel.NOT_HERE | _NO_LINKS:
            raise InvalidDestination(
                f"the file system of {name} has neither links nor a rename that never replaces",
                hint="set retention_s to 0: then nothing is put aside",
            ) from error
        raise
    return True


def _rename(name: str, to: str, folder: int) -> None:
    """Rename within the open `folder` without ever replacing, by a link where the kernel cannot."""
    try:
        kernel.rename_no_replace(name, to, folder, folder)
    except OSError as error:
        if error.errno not in kernel.NOT_HERE:
            raise
        os.link(name, to, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(name, dir_fd=folder)


def _link(part: LocalPart, name: str, folder: int) -> bool:
    """Link the inode that we hold, not whatever has its name by now; return False where there are no links."""
    source = f"/proc/self/fd/{part.descriptor}" if _has_proc() else part.path
    try:
        os.link(source, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=True)
    except FileExistsError:
        if not _has(part, name, folder):
            raise DestinationTaken(f"something lies at {name} already") from None
    except FileNotFoundError:
        raise _lost(part) from None
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


@functools.cache
def _has_proc() -> bool:
    return os.path.isdir("/proc/self/fd")


def _has(part: LocalPart, name: str, folder: int) -> bool:
    return folders.identity(name, folder) == part.identity


def _replace(part: LocalPart, name: str, folder: int) -> None:
    """Link beside, under a name that follows from the part's, which we hold, and rename that over `name`."""
    expect_replaceable(name, folder)
    beside = os.path.basename(part.path) + _BESIDE
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside, dir_fd=folder)
    linked = _link(part, beside, folder)
    try:
        if linked:
            os.replace(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            os.replace(_own_name(part), name, dst_dir_fd=folder)
    except OSError as error:
        if linked:
            os.unlink(beside, dir_fd=folder)
        if isinstance(error, IsADirectoryError):
            raise DestinationTaken(f"a folder lies at {name}", hint=_ANOTHER_NAME) from None
        raise


def expect_replaceable(name: str, folder: int | None = None, *, hint: str = _ANOTHER_NAME) -> None:
    """Refuse to replace what is neither a file nor a link: a device or a pipe is not there to be overwritten.

    A link loses its name, and what it leads to stays; but who names a link to a device means the device.

    Args:
        name: the path, below the open `folder` if that is given.
        folder: where it lies.
        hint: what to do instead.

    Raises:
        DestinationTaken: a folder, a device, a pipe or a socket lies there.
    """
    with contextlib.suppress(FileNotFoundError):
        mode = os.lstat(name, dir_fd=folder).st_mode
        if stat.S_ISDIR(mode):
            raise DestinationTaken(f"a folder lies at {name}", hint=hint)
        if stat.S_ISLNK(mode):
            mode = _mode_behind(name, folder)
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
            raise DestinationTaken(f"{name} is a device, a pipe or a socket", hint=hint)


def _mode_behind(link: str, folder: int | None) -> int:
    """Return the mode of what a link leads to, that of a link where it leads nowhere."""
    try:
        return os.stat(link, dir_fd=folder).st_mode
    except OSError:
        return stat.S_IFLNK


def _move(part: LocalPart, name: str, folder: int) -> None:
    """Rename the part without ever replacing, for file systems without links."""
    try:
        kernel.rename_no_replace(_own_name(part), name, folder)
    except FileExistsError:
        raise DestinationTaken(f"something lies at {name} already") from None
    except OSError as error:
        if error.errno in kernel.NOT_HERE:
            raise InvalidDestination(
                f"the file system of {part.path} has neither links nor a rename that never replaces",
                hint="use -d for a folder on another file system, or say --if-exists overwrite",
            ) from error
        raise


def move(source: str, name: str, folder: int) -> None:
    """Rename the file or folder `source` to `name` in the open `folder`, which is to be flushed then; never replace.

    Raises:
        DestinationTaken: something else has that name.
        InvalidDestination: the file system has no rename that never replaces.
        OSError: what else the system says.
    """
    try:
        kernel.rename_no_replace(source, name, folder)
    except FileExistsError:
        raise DestinationTaken(f"something lies at {name} already") from None
    except OSError as error:
        if error.errno in kernel.NOT_HERE:
            raise InvalidDestination(
                f"the file system of {source} has no rename that never replaces",
                hint="use -d for a folder on another file system",
            ) from error
        raise


def _own_name(part: LocalPart) -> str:
    if folders.identity(part.path) != part.identity:
        raise _lost(part)
    return part.path


def _lost(part: LocalPart) -> OSError:
    return FileNotFoundError(errno.ENOENT, "the part was moved or removed by another program", part.path)
