"""Where files are asked to go, judged before anything is queued as far as it can be seen from here.

Whoever works the home looks again when the download starts; but then its bytes may already have been fetched.
"""

from __future__ import annotations

import os


def check(path: str | None, folder: str | None, if_exists: str) -> None:
    """Refuse a file where a folder must be, and a folder where a file must be.

    Raises:
        InvalidDestination: it lies there now.
    """
    from lading.domain.errors import InvalidDestination

    final = os.path.abspath(os.path.join(folder or "", path or ""))
    if path is not None and os.path.isdir(final) and if_exists != "rename":
        raise InvalidDestination(f"{final} is a folder", hint="-o names a file; -d takes a folder to put it in")
    there = final if path is None else os.path.dirname(final)
    while not os.path.lexists(there) and there != os.path.dirname(there):
        there = os.path.dirname(there)
    if os.path.exists(there) and not os.path.isdir(there):
        raise InvalidDestination(f"{there} is a file, not a folder", hint="-d takes a folder, -o the path of a file")
