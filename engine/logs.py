"""Which log a log URL names: the one table of the logs that there are, each imported only when it is asked for.

    lmdb:              the default: the folder `log` in the home
    lmdb:PATH          a folder of its own
    sqlite:PATH        one SQLite file
    postgresql://…     a table in a PostgreSQL database, as libpq reads such URLs; `schema=NAME` chooses the schema
    memory:            this process's memory, gone with it

Relative paths lie in the home, so that a URL means the same log wherever the command is typed; `~` works.
"""

from __future__ import annotations

from pathlib import Path

from lading.domain.errors import InvalidSetting, StoreUnavailable
from lading.domain.ports import Log
from lading.home import require_text

DEFAULT = "lmdb:"
ALLOWED = "lmdb:, lmdb:PATH, sqlite:PATH, postgresql://USER@HOST/DATABASE or memory:"


def open_log(url: str, home: Path) -> Log:
    """Open the log that `url` names, made when it is missing.

    Args:
        url: one of the forms above.
        home: the home's folder; paths are relative to it.

    Raises:
        InvalidSetting: not a log URL. The message does not repeat it: it may hold a password.
        StoreUnavailable, StoreNewer, LogDamaged, DiskFull: that log cannot be used as it is.
    """
    scheme, colon, rest = url.strip().partition(":")
    match scheme.lower() if colon else "":
        case "lmdb":
            return _open_lmdb(_path(rest or "log", home))
        case "sqlite" if rest.strip("/"):
            return _open_sqlite(_path(rest, home))
        case "postgresql" | "postgres" if rest.startswith("//"):
            return _open_postgres(url.strip())
        case "memory" if not rest:
            return _open_memory()
        case _:
            raise InvalidSetting("this is not the URL of a log", hint=f"allowed is {ALLOWED}")


def is_missing(url: str, home: Path) -> bool:
    """Tell whether a URL names a file that is not there; what a server has is not asked for."""
    scheme, _, rest = url.strip().partition(":")
    return scheme.lower() == "sqlite" and bool(rest.strip("/")) and not _path(rest, home).exists()


def place_of(url: str, home: Path) -> str:
    """Return where the log lies that a URL names: equal for all URLs of one log, and with no login in it.

    The URL is one with which `open_log` has opened it.
    """
    scheme, _, rest = url.strip().partition(":")
    match scheme.lower():
        case "lmdb":
            return f"lmdb:{_path(rest or 'log', home).resolve()}"
        case "sqlite":
            return f"sqlite:{_path(rest, home).resolve()}"
        case "postgresql" | "postgres":
            from lading.adapters import postgres_recorder

            return f"postgresql:{postgres_recorder.place_of(url.strip())}"
        case _:
            return url.strip()


def _path(text: str, home: Path) -> Path:
    return home.absolute() / Path(text).expanduser()


def _open_lmdb(folder: Path) -> Log:
    from lading.adapters.lmdb.log import LMDBLog

    require_text(folder)
    return LMDBLog(folder)


def _open_sqlite(path: Path) -> Log:
    from lading.adapters import sqlite_recorder
    from lading.adapters.recorder_log import RecorderLog

    recorder = sqlite_recorder.open_recorder(path)
    return RecorderLog(recorder, explain=sqlite_recorder.explain, close=recorder.datastore.close)


def _open_postgres(url: str) -> Log:
    try:
        from lading.adapters import postgres_recorder
    except ImportError:
        raise StoreUnavailable(
            "PostgreSQL logs need a package that is not installed", hint="python -m pip install 'lading[postgres]'"
        ) from None
    from lading.adapters.recorder_log import RecorderLog

    recorder = postgres_recorder.open_recorder(url)
    return RecorderLog(recorder, explain=postgres_recorder.explainer(recorder), close=recorder.datastore.close)


def _open_memory() -> Log:
    from lading.adapters.memory_recorder import MemoryRecorder
    from lading.adapters.recorder_log import RecorderLog

    return RecorderLog(MemoryRecorder(), lasting=False)
