"""Files of the user's that a setting, or a custom, names: they are read only if they are files.

Opening a pipe waits for its writer, which may never come (law 9).
"""

from __future__ import annotations

import os
import stat


def check(path: str) -> None:
    """Refuse what is not a regular file.

    Raises:
        OSError: nothing lies there, it may not be looked at, or it is something else.
        ValueError: it is no path.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(0, "it is no regular file")
