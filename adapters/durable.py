"""Small files that must be there, whole, after any crash: keys, pointers, cursors. Other adapters may stand on this."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from pathlib import Path


def write_durably(
    path: Path, data: bytes, *, draft: Path | None = None, replace: bool = True, mode: int | None = None
) -> None:
    """Put `data` at `path` so that a crash leaves the old file or the new one, whole, and at most a draft beside it.

    Without `replace`, a file that is there already wins and `data` is dropped; then drafts may be removed by anybody.
    Without `mode` it is for its owner alone, as far as the file system knows owners.

    Raises:
        OSError: it cannot be made.
    """
    draft = draft or path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(draft, path)
        else:
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


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
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)  # O_EXCL: nobody else's
    os.close(descriptor)
    try:
        write_durably(path, text.encode(), draft=Path(name), replace=replace, mode=mode)
    except FileNotFoundError:  # another process was first
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
