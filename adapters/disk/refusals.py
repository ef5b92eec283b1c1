"""What the system says of a path, as the error for who must act: `DiskFull`, `InvalidDestination`, or as it is."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from lading.domain.errors import DiskFull, InvalidDestination, LadingError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_LOCKS = "that file system has no locks, which keep two workers off one file; use -d for another folder"
_HINTS = {
    errno.EACCES: "this user may not write there; use -d for a folder that it may write",
    errno.EPERM: "the system does not allow that there; use -d for another folder",
    errno.EROFS: "that file system is mounted read-only; use -d for another folder",
    errno.ENOTDIR: "something on that path is a file, not a folder; use -d for another folder",
    errno.EISDIR: "a folder lies there already; choose another name with -o",
    errno.EEXIST: "something that is no file of ours lies there; choose another name with -o",
    errno.ENXIO: "something that is no file of ours lies there; choose another name with -o",
    errno.ELOOP: "a symbolic link lies there, and those are not followed; choose another name with -o",
    errno.ENAMETOOLONG: "choose a shorter name with -o",
    errno.EXDEV: "a part and its final name must lie on one file system; leave the part in the destination's folder",
    errno.ENOLCK: _NO_LOCKS,
    errno.EOPNOTSUPP: _NO_LOCKS,
}


def meaning(error: OSError, path: str) -> LadingError | OSError:
    """Return the error to raise in place of `error`: itself when the device, and nobody's choice, is at fault."""
    if error.errno in _NO_ROOM:
        return DiskFull(f"no room for {path}: {error.strerror}")
    hint = _HINTS.get(error.errno or 0)
    return error if hint is None else InvalidDestination(f"{path} cannot be used: {error.strerror}", hint=hint)


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Raise the `meaning` of whatever the system says of `path` in this context."""
    try:
        yield
    except OSError as error:
        told = meaning(error, path)
        if told is error:
            raise
        raise told from error
    except ValueError as error:
        raise InvalidDestination(f"{path!r} is no path: {error}") from error
