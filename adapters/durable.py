"""Small files that must be there, whole, after any crash: keys, for one. The other adapters may stand on this one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def put(path: Path, text: str, *, mode: int = 0o600, replace: bool = False) -> None:
    """Put `text` at `path`, whole and durable; without `replace` what is there already stays: a link never replaces.

    The folder is made, for its owner alone. Drafts that a killed program left are removed; should that take the draft
    of one who is at it in this moment, he was second.

    Raises:
        OSError: it cannot be made.
    """
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sync_folder(folder.parent)
    for left in folder.glob(f".{path.name}.*"):
        left.unlink(missing_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)  # O_EXCL, mode 0600
    draft = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        (os.replace if replace else os.link)(draft, path)
    except (FileExistsError, FileNotFoundError):
        pass  # another process was first
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
