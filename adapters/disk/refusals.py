"""What the system says of a path, as the error for who must act: `DiskFull`, `InvalidDestination`, or as it is.

A log keeps the message and not the hint, so the message says in words what lies in the way; and it names the file that
the user knows, not the hidden part beside it.
"""

from __future__ import annotations

import errno
import os
import re
from types import TracebackType

from lading.domain.errors import DiskFull, InvalidDestination, LadingError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_LOCKS = ("that file system has no locks, which keep two workers off one file", "use -d for another folder")
_NO_FILE = ("something that is no file of ours lies there", "choose another name with -o")
_REFUSALS = {
    errno.EACCES: ("this user may not write there", "use -d for a folder that this user may write"),
    errno.EPERM: ("the system does not allow that there", "use -d for another folder"),
    errno.EROFS: ("that file system is mounted read-only", "use -d for another folder"),
    errno.ENOTDIR: ("something on that path is a file, not a folder", "-d takes a folder, -o the path of a file"),
    errno.EISDIR: ("a folder lies there", "choose another name with -o, or put the file into that folder with -d"),
    errno.EEXIST: _NO_FILE,
    errno.ENXIO: _NO_FILE,
    errno.ELOOP: ("a symbolic link lies there, and those are not followed", "choose another name with -o"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name with -o"),
    errno.EXDEV: (
        "a part and its final name must lie on one file system",
        "leave the part in the destination's folder",
    ),
    errno.ENOLCK: _NO_LOCKS,
    errno.EOPNOTSUPP: _NO_LOCKS,
}
_PART = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.[0-9]+\.(?:part|kept)")


def meaning(error: OSError, path: str) -> LadingError | OSError:
    """Return the error to raise in place of `error`: itself when the device, and nobody's choice, is at fault."""
    known = _known(path)
    if error.errno in _NO_ROOM:
        return DiskFull(f"no room for {known}: {error.strerror}")
    refusal = _REFUSALS.get(error.errno or 0)
    if refusal is None:
        return error
    reason, advice = refusal
    return InvalidDestination(f"{known} cannot be used: {reason} ({error.strerror})", hint=f"{reason}; {advice}")


class _Explained:
    """Raises the `meaning` of whatever the system says of `path` in this context."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, OSError):
            told = meaning(error, self._path)
            if told is not error:
                raise told from error
        elif isinstance(error, ValueError):
            raise InvalidDestination(f"{_known(self._path)!r} is no path: {error}") from error


explained = _Explained
"""What every step on a file is within; so no generator, which takes several times as long to enter and leave."""


def _known(path: str) -> str:
    """Return the path that the user knows: of a part, the final one beside which it lies."""
    folder, name = os.path.split(path)
    part = _PART.fullmatch(name)
    return path if part is None else os.path.join(folder, part["name"])
