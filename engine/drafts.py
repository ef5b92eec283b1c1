"""How a file or a folder gets its final name whole and checked, or not at all, wherever its maker is killed.

It is made beside its place, under a name that begins with a dot and ends with `.draft`, and its maker holds a `flock`
on it. That ends with the maker: the next one for the same place finds the draft without a holder, and removes it. A
final name is given by a link, or a rename that never replaces, unless replacing was asked for; and then made durable.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lading.adapters.disk import folders, kernel
from lading.domain.errors import DestinationTaken, DiskFull, LadingError, StoreUnavailable
from lading.home import sync_folder

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_LINKS = frozenset({errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_OCCUPIED = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR})
TRIES_MAX = 16


def put_file(
    path: Path,
    fill: Callable[[BinaryIO], None],
    *,
    check: Callable[[Path], None] = lambda _: None,
    replace: bool = False,
    taken: str = "name another file",
) -> None:
    """Make the file `path`, durable and readable by its owner alone: filled, flushed, checked, and then named.

    Args:
        path: its name.
        fill: writes it.
        check: reads the draft back, and raises if it is not right.
        replace: whether it may take the place of another file.
        taken: the hint for when there is one already.

    Raises:
        DestinationTaken: something has that name, and it is not to be replaced.
        DiskFull, StoreUnavailable: it cannot be written; nothing of it is left.
    """
    try:
        clear(path.parent, _escaped(path.name))
        if not replace and os.path.lexists(path):
            raise DestinationTaken(f"{path} is there already", hint=taken)
        draft, descriptor = _begin(path, lambda name: os.open(name, _NEW, 0o600))
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(os.close, descriptor)
                with open(descriptor, "w+b", closefd=False) as file:
                    fill(file)
                os.fsync(descriptor)
                check(draft)
                _publish(draft, path, replace=replace, taken=taken)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise explain(error, path) from error


@contextmanager
def staged_folder(path: Path, *, keep: bool = True) -> Iterator[Path]:
    """Lend a folder, open to its owner only, that becomes `path` when the block ends well; missing or empty before.

    With `keep` unset it goes in any case. What is in the folder, the block has flushed; the folder itself is.

    Raises:
        StoreUnavailable: there is something at `path`, or it cannot be made.
        DiskFull: there is no room; nothing of it is left.
    """
    draft: Path | None = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        clear(path.parent, _escaped(path.name))
        draft, descriptor = _begin(path, _new_folder)
        try:
            yield draft
            if keep:
                sync_folder(draft)
                os.rename(draft, path)
                sync_folder(path.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            os.close(descriptor)
    except OSError as error:
        if error.errno in _OCCUPIED:
            raise StoreUnavailable(f"there is something at {path}", hint="name a folder that is not there") from error
        raise explain(error, path) from error


_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def _new_folder(path: Path) -> int:
    path.mkdir(mode=0o700)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _begin(path: Path, make: Callable[[Path], int]) -> tuple[Path, int]:
    """Make a draft and hold it; who clears up may have taken one away between the two."""
    for _ in range(TRIES_MAX):
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
        try:
            descriptor = make(draft)
        except FileExistsError:
            continue
        except FileNotFoundError:
            if not path.parent.is_dir():
                raise
            continue
        held = os.fstat(descriptor)
        if _hold(descriptor) and folders.identity(str(draft)) == (held.st_dev, held.st_ino):
            return draft, descriptor
        os.close(descriptor)
    raise StoreUnavailable(f"others make {path} all the time", hint="try again")


def _hold(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def clear(folder: Path, names: str) -> None:
    """Remove the drafts whose makers are gone, for files or folders of these names; what cannot be removed stays."""
    for draft in folder.glob(f".{names}.*.draft"):
        with contextlib.suppress(OSError):
            descriptor = os.open(draft, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if not _hold(descriptor):
                    continue
                if draft.is_dir():
                    shutil.rmtree(draft, ignore_errors=True)
                else:
                    draft.unlink()
            finally:
                os.close(descriptor)


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _publish(draft: Path, path: Path, *, replace: bool, taken: str) -> None:
    if replace:
        os.replace(draft, path)
        return
    try:
        try:
            os.link(draft, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with folders.opened(str(path.parent)) as folder:
                kernel.rename_no_replace(str(draft), path.name, folder)
    except FileExistsError:
        raise DestinationTaken(f"{path} is there already", hint=taken) from None


def explain(error: OSError, path: Path) -> LadingError:
    """Return the domain's error for one of the operating system's."""
    if error.errno in _FULL:
        return DiskFull(f"no room for {path}; nothing of it is left", hint="free some space, or choose another disk")
    return StoreUnavailable(f"{path} cannot be made: {error.strerror}", hint="check the path, its owner and its mode")
