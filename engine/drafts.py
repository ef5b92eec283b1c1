"""How a file or a folder gets its final name whole and checked, or not at all, wherever its maker is killed.

It is made beside its place, under a name that begins with a dot and ends with `.lading-draft`, and its maker holds a
`flock` on it. That ends with the maker: the next one for the same place finds the draft without a holder, and removes
it. A final name is given by a link, or a rename that never replaces, unless replacing was asked for; and then made
durable. Only a file or a link is ever replaced, and of a link what it leads to stays as it was.
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
from types import TracebackType
from typing import BinaryIO, Self

from lading.adapters.disk import folders, kernel, publishing
from lading.adapters.durable import sync_folder
from lading.domain.errors import DestinationTaken, DiskFull, LadingError, StoreUnavailable

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_LINKS = frozenset({errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_OCCUPIED = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR})
TRIES_MAX = 16
OTHER_FILE = "name another file"
_SUFFIX = ".lading-draft"


class Draft:
    """A file on its way to `path`; use it as a context, in which `publish` ends it well and anything else removes it.

    Args:
        path: where it is to be; this may be set anew before it is published, within its folder.
        replace: whether it may take the place of another file, or of a link; it never does of anything else.
        mode: who may do what with it.
        taken: the hint for when there is something already.

    Raises:
        DestinationTaken: something has that name, and it is not to be replaced, or no file.
        OSError: from here and from `publish`: whoever makes a file says it in his own words.
    """

    def __init__(self, path: Path, *, replace: bool = False, mode: int = 0o600, taken: str = OTHER_FILE) -> None:
        clear(path.parent, _escaped(path.name))
        publishing.expect_replaceable(str(path), hint=OTHER_FILE)
        if not replace and os.path.lexists(path):
            raise DestinationTaken(f"{path} is there already", hint=taken)
        self.path = path
        self._replace = replace
        self._taken = taken
        self._place, descriptor = _begin(path, lambda name: os.open(name, _NEW, mode))
        self.file: BinaryIO = open(descriptor, "w+b")  # noqa: SIM115 # it is closed by the context

    @property
    def inode(self) -> int:
        """The number of the file, which it keeps when it is published."""
        return os.fstat(self.file.fileno()).st_ino

    def publish(self, check: Callable[[Path], None] = lambda _: None) -> None:
        """Make the file durable, have it checked, and then let it appear under its name, durably too.

        Raises:
            DestinationTaken: something has appeared there meanwhile.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        check(self._place)
        _publish(self._place, self.path, replace=self._replace, taken=self._taken)
        self._place.unlink(missing_ok=True)
        sync_folder(self.path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._place.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # what could not be flushed was told where it was written
            self.file.close()


def put_file(
    path: Path,
    fill: Callable[[BinaryIO], None],
    *,
    check: Callable[[Path], None] = lambda _: None,
    replace: bool = False,
    taken: str = OTHER_FILE,
) -> None:
    """Make the file `path`, durable and readable by its owner alone: filled, flushed, checked, and then named.

    Args:
        path: its name.
        fill: writes it.
        check: reads the draft back, and raises if it is not right.
        replace: whether it may take the place of another file, or of a link.
        taken: the hint for when there is one already.

    Raises:
        DestinationTaken: something has that name, and it is not to be replaced, or no file.
        DiskFull, StoreUnavailable: it cannot be written; nothing of it is left.
    """
    try:
        with Draft(path, replace=replace, taken=taken) as draft:
            fill(draft.file)
            draft.publish(check)
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
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_SUFFIX}")
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


def clear(folder: Path, names: str = "*") -> None:
    """Remove the drafts whose makers are gone, for files or folders of these names; what cannot be removed stays."""
    for draft in folder.glob(f".{names}.*{_SUFFIX}"):
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
        publishing.expect_replaceable(str(path), hint=OTHER_FILE)
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
    if error.errno in FULL:
        return DiskFull(f"no room for {path}; nothing of it is left", hint="free some space, or choose another disk")
    return StoreUnavailable(f"{path} cannot be made: {error.strerror}", hint="check the path, its owner and its mode")
