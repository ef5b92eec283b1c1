"""A home: the folder in which one engine keeps its log, views, vault and settings, and the lock that says whose it is.

HOME/home.json      format and id of the home, and the id of its log once it has one; never rewritten in place
HOME/log.damaged-N  a log that was set aside when it was repaired
HOME/engine.lock    held by `flock` by the one engine that runs here; taken over at once when its holder dies
HOME/log/           the log, when it is LMDB (the default)
HOME/views, views-N the current generation of views, and its store
HOME/vault/         secrets, made when there is the first one
HOME/cache/         files that may be wanted again; it may be deleted at any time
HOME/settings.toml  settings of this home
HOME/keys/          what signs checkpoints of the log, and what checks them
HOME/checkpoints/   signed checkpoints, a file for each log
HOME/hooks/         how far each hook has been told of the log, made when there is the first one
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID
from zlib import crc32

import attrs
import orjson

from lading.adapters.durable import sync_folder, write_durably
from lading.domain.errors import IntegrityError, LogDamaged, StoreLocked, StoreNewer, StoreUnavailable

FORMAT = 1
MARKER = "home.json"
REPAIRED = "log.repaired"


@attrs.frozen
class Home:
    """An opened home folder: where it is, and which it is; `log` names the log that it had when it was opened last.

    `repaired` names the log that is to take its place, while that is being done. `names` has by which name checkpoints
    are kept of a log that came from elsewhere, by the one that it would have here.
    """

    path: Path
    id: UUID
    log: str | None = None
    repaired: str | None = None
    names: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def log_path(self) -> Path:
        """The folder of the LMDB log."""
        return self.path / "log"

    @property
    def vault_path(self) -> Path:
        """The folder of the vault."""
        return self.path / "vault"

    @property
    def cache_path(self) -> Path:
        """The folder of the cache."""
        return self.path / "cache"

    @property
    def settings_path(self) -> Path:
        """The file of this home's settings."""
        return self.path / "settings.toml"


def open_home(path: Path, *, new_id: UUID | None) -> Home:
    """Open the home at `path`; when there is none yet, make it with the id `new_id`.

    Raises:
        StoreUnavailable: it is a file, cannot be read or written, or is missing and `new_id` is None; or its path is
            not UTF-8.
        StoreNewer: a newer Lading made it.
        IntegrityError: its marker cannot be read.
    """
    path = path.absolute()
    require_text(path)
    marker = path / MARKER
    try:
        if path.exists() and not path.is_dir():
            raise StoreUnavailable(f"the home {path} is a file", hint="name a folder with --home or LADING_HOME")
        if not marker.exists():
            if new_id is None:
                raise StoreUnavailable(f"there is no home at {path}", hint="`lading add` or `lading get` makes one")
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(marker, marker_words(new_id), replace=False)
        for draft in path.glob(f".{MARKER}.*"):
            draft.unlink(missing_ok=True)
        return Home(path, *_read_marker(marker))
    except OSError as error:
        raise StoreUnavailable(
            f"the home {path} cannot be used: {error.strerror}", hint="check its owner and mode, or choose another"
        ) from error


def require_text(path: Path) -> None:
    """Refuse a folder for a home or a log whose path is not UTF-8, as LMDB takes only text.

    Raises:
        StoreUnavailable: it is not.
    """
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        raise StoreUnavailable(f"{path} cannot be used: its path is not UTF-8", hint="name another folder") from None


def marker_words(id: UUID, names: Mapping[str, str] | None = None, **logs: str) -> bytes:
    """Return what the marker of a home says, with a checksum of it."""
    words: dict[str, Any] = {"format": FORMAT, "id": id.hex} | logs
    if names:
        words["names"] = dict(names)
    return orjson.dumps(words | {"sum": crc32(orjson.dumps(words))})


def _read_marker(marker: Path) -> tuple[UUID, str | None, str | None, dict[str, str]]:
    """Return what the marker tells of a home, in the order of `Home`; its log is None while it has had none.

    The format is read first: all else may differ in a newer one.
    """
    try:
        words: Any = orjson.loads(marker.read_bytes())
        form = words["format"]
        if type(form) is not int or form < FORMAT:
            raise ValueError("no home was ever of that format")
        if form > FORMAT:
            raise StoreNewer(f"the home {marker.parent} has format {form}; this version of Lading reads up to {FORMAT}")
        told = words.pop("sum", None)
        if told is not None and told != crc32(orjson.dumps(words)):
            raise ValueError("its checksum does not fit")
        names = {str(known): str(name) for known, name in words.get("names", {}).items()}
        return UUID(hex=words["id"]), words.get("log"), words.get("repaired"), names
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{marker} is damaged: it does not tell format and id of the home") from error


def expect_log(home: Home) -> None:
    """Refuse a home whose own log is gone: an empty one in its place would look like a home where nothing happened.

    Raises:
        LogDamaged: it had one, and there is none.
    """
    data = home.path / "log" / "data.mdb"
    if home.repaired is not None and not home.log_path.exists():
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            put_repaired(home)
    if home.log is not None and not (data.exists() and data.stat().st_size):
        raise LogDamaged(f"the log of this home is gone: {data}", hint=_LOST)


def remember_log(home: Home, log_id: str) -> None:
    """Note which log is the home's own; one that may only be read stays as it is.

    Raises:
        LogDamaged: another log lies in its place.
    """
    if home.log is None or log_id == home.repaired:
        with contextlib.suppress(OSError):
            write_durably(home.path / MARKER, marker_words(home.id, home.names, log=log_id))
    elif home.log != log_id:
        raise LogDamaged(f"the log in {home.path / 'log'} is not the one that this home had", hint=_LOST)


def announce_repair(home: Home, log_id: str) -> Home:
    """Note durably that the repaired log `log_id` is to take the place of the home's own; return the home as it is now.

    From here on a crash leaves one of them as the home's log, whichever lies in its place.
    """
    own = {} if home.log is None else {"log": home.log}
    write_durably(home.path / MARKER, marker_words(home.id, home.names, repaired=log_id, **own))
    return attrs.evolve(home, repaired=log_id)


def put_repaired(home: Home) -> None:
    """Put the repaired log into the place of the home's own, which nothing has.

    Raises:
        FileNotFoundError: it lies there already.
    """
    (home.path / REPAIRED).rename(home.log_path)
    sync_folder(home.path)


_LOST = "put it back from a copy; `lading repair --log` goes on from what is left of it, if anything"


def _lock(descriptor: int, wait_s: float) -> bool:
    time.sleep(wait_s)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        raise
    return True


LOOK_S = 0.01
"""Longer than anybody holds the lock just to see whether it is free."""


class EngineLock:
    """The right to be the engine of a home: an exclusive `flock`, let go of when the process ends in any way."""

    def __init__(self, home: Home) -> None:
        self._path = home.path / "engine.lock"
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Try to become the owner and tell whether that worked; waits only as long as somebody may just be looking.

        Raises:
            StoreUnavailable: the lock cannot be opened by this user, or the file system has no locks.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"{self._path} cannot be opened: {error.strerror}") from error
        try:
            taken = any(_lock(descriptor, wait_s) for wait_s in (0.0, LOOK_S, LOOK_S))
        except OSError as error:
            os.close(descriptor)
            raise StoreUnavailable(
                f"this file system does not lock files: {error.strerror}", hint="put the home on a local disk"
            ) from error
        if not taken:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def sign(self) -> None:
        """Write into the lock which process holds it, for those who ask what that uses; a full disk is no matter."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Stop being the owner; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_vacant(self) -> bool:
        """Tell whether no engine owns the home at this moment."""
        try:
            return self.take()
        finally:
            self.release()

    @staticmethod
    def refuse(home: Home) -> StoreLocked:
        """Return the error for work that only the owner may do."""
        return StoreLocked(f"another engine owns the home {home.path}")
