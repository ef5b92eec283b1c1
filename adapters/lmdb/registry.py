"""Each environment is opened once per process, however many logs, stores and recorders stand on it.

LMDB forbids to open a file twice in one process: its locks belong to the process and the file. So environments are
known here by device and inode, counted, and closed when the last holder lets go.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import lmdb

from lading.adapters.lmdb import ground
from lading.adapters.lmdb.environment import Environment
from lading.adapters.lmdb.faults import translate, translate_os
from lading.adapters.lmdb.handle import FILE_MODE, LMDB_MAJOR, Settings
from lading.adapters.lmdb.locks import Presence, allocate_reader_table, opening
from lading.domain.errors import StoreUnavailable

Identity = tuple[int, int]


class _Held:
    """An open environment, this process's mark on it, and how many hold it."""

    def __init__(self, environment: Environment, presence: Presence) -> None:
        self.environment = environment
        self.presence = presence
        self.holders = 0


class _Registry:
    """The environments that this process has open, and those that it inherited through a fork."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a holder may be collected, and let go, in the midst of an opening
        self.held: dict[Identity, _Held] = {}
        self.forsaken: dict[Identity, Callable[[], None] | None] = {}

    def start_over(self) -> None:
        """Disown, in a forked child, what the parent has open."""
        self.lock = threading.RLock()
        for identity, held in self.held.items():
            self.forsaken[identity] = held.environment.forsake()
        self.held.clear()


_registry = _Registry()
os.register_at_fork(after_in_child=_registry.start_over)


def open_environment(
    folder: Path, settings: Settings, *, create: bool = True, trust_file_system: bool = False
) -> Environment:
    """Return the environment in `folder`, opened now or before; each call is one more holder, until `let_go`.

    Args:
        folder: where it lies; made, open to its owner only, when it is missing.
        settings: what it is opened with; one that is open already keeps its map, and must have the same durability.
        create: whether it may be made.
        trust_file_system: do not ask what kind of file system it lies on.

    Raises:
        StoreUnavailable: missing, not a folder, not writable, on a foreign file system, or in use from elsewhere.
        LogDamaged: its data file is cut short or does not begin as one.
        ValueError: it is open with another durability.
    """
    ground.prepare_folder(folder, create=create)
    with _registry.lock:
        identity = _identity(folder)
        held = _registry.held.get(identity) if identity else None
        if held is None:
            if identity is None and not create:
                raise StoreUnavailable(f"there is no store in {folder}", hint="check the path")
            if not trust_file_system:
                ground.check_file_system(folder)
            _close_inherited(folder, identity)
            held = _open_new(folder, settings)
            _registry.held[held.environment.identity] = held
        elif held.environment.settings.metasync != settings.metasync:
            raise ValueError(f"{folder} is open in this process with another durability")
        held.holders += 1
        return held.environment


def let_go(environment: Environment) -> None:
    """Give up one hold on an environment; the last one closes it."""
    with _registry.lock:
        held = _registry.held.get(environment.identity)
        if held is None or held.environment is not environment:
            return  # inherited through a fork
        held.holders -= 1
        if held.holders == 0:
            del _registry.held[environment.identity]
            environment.close()
            held.presence.leave()


def hold(holder: object, environment: Environment) -> Callable[[], object]:
    """Return what gives up one hold, once: when it is called, or when `holder` is collected."""
    release = weakref.finalize(holder, let_go, environment)
    release.atexit = False  # threads may still be reading then, and the kernel clears up
    return release


def _identity(folder: Path) -> Identity | None:
    try:
        found = (folder / ground.DATA_FILE).stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise translate_os(error, folder) from error
    return found.st_dev, found.st_ino


def _close_inherited(folder: Path, identity: Identity | None) -> None:
    """Close what this process had open before it was forked; LMDB refuses to open the same file beside it."""
    if identity is None or identity not in _registry.forsaken:
        return
    close = _registry.forsaken[identity]
    if close is None:
        raise StoreUnavailable(
            f"this process was forked within a transaction on {folder}, and can never open it",
            hint="fork between transactions, or start processes with spawn",
        )
    close()
    del _registry.forsaken[identity]


def _open_new(folder: Path, settings: Settings) -> _Held:
    with opening(folder):
        presence = Presence(folder)
        try:
            if _identity(folder) is None:
                _make(folder, settings.map_size)
            ground.check_length(folder)
            if presence.alone:
                allocate_reader_table(folder, settings.readers)
            environment = Environment(folder, settings)
        except BaseException:
            presence.leave()
            raise
    return _Held(environment, presence)


def _make(folder: Path, map_size: int) -> None:
    """Make an empty data file, whole or not at all, and its name durable; within `opening`."""
    draft = folder / "data.new"
    try:
        draft.unlink(missing_ok=True)
        lmdb.Environment(
            os.fspath(draft), map_size, subdir=False, mode=FILE_MODE, lock=False, lib_version=LMDB_MAJOR
        ).close()
        _flush(draft)
        draft.rename(folder / ground.DATA_FILE)
        _flush(folder)
        _flush(folder.parent)
    except lmdb.Error as error:
        draft.unlink(missing_ok=True)
        raise translate(error, folder) from error
    except OSError as error:
        raise translate_os(error, folder) from error


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
