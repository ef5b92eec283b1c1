"""Opening what somebody names to be read: a regular file or a refusal, and never a wait.

A pipe that nobody writes to, a terminal or a device would be waited for without end, or read without end. So a name is
opened without waiting, and what was opened, not what lay there before, is asked what it is. The other adapters may
stand on this one, which stands on none.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

NOT_PLAIN = "it is not a regular file"


def open_plain(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file to read its bytes.

    Raises:
        OSError: there is none; its `strerror` says why.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, NOT_PLAIN, os.fspath(path))
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_plain(path: Path) -> bytes:
    """Return all bytes of a regular file, which is known to be small.

    Raises:
        OSError: there is none.
    """
    with open_plain(path) as file:
        return file.read()
