"""Opening a home for a verb: to look at it without an engine, to ask something of it, or to work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading.tools.cli.frame import Frame

if TYPE_CHECKING:
    from lading.engine import Engine
    from lading.home import Home
    from lading.notary import Notary
    from lading.reading import Reading


ABANDONED = "no engine works on this home; `lading run` recovers it and goes on"
UNWORKED = "no engine works on this home; `lading run` does what waits"
_WORKED_ON = frozenset({"active", "verifying", "stopping"})
_TO_BE_WORKED_ON = frozenset({"queued", "waiting"})


def folder(frame: Frame) -> Path:
    """Return the folder of the home that is meant, whether it is there or not."""
    from lading.opening import default_home

    return frame.home if frame.home is not None else default_home()


def existing(frame: Frame) -> Home:
    """Open the home that is meant.

    Raises:
        StoreUnavailable: there is none, or it cannot be used.
    """
    from lading.home import open_home

    return open_home(folder(frame), new_id=None)


def lmdb_folder(frame: Frame, home: Home) -> Path | None:
    """Return the folder of the home's log when that is LMDB, without opening it; else None."""
    from lading.logs import DEFAULT

    scheme, _, rest = (frame.log or DEFAULT).strip().partition(":")
    return home.path / Path(rest or "log").expanduser() if scheme.lower() == "lmdb" else None


@contextmanager
def looking(frame: Frame, *, caught_up: bool = True) -> Iterator[Reading]:
    """Open the read side of the home that is meant, its views caught up with its log."""
    from lading.opening import open_reading

    reading = open_reading(existing(frame), frame.log)
    try:
        if caught_up:
            reading.catch_up()
        yield reading
    finally:
        reading.close()


@contextmanager
def signing(frame: Frame) -> Iterator[tuple[Reading, Notary | None]]:
    """Open the read side of the home that is meant, and who signs for its log: nobody if that ends with the process."""
    import os

    from lading.opening import open_notary, open_reading
    from lading.settings import load

    home = existing(frame)
    reading = open_reading(home, frame.log)
    try:
        settings = load(home.settings_path, os.environ)
        yield reading, open_notary(home, reading.log, reading.views, settings, frame.log)
    finally:
        reading.close()


def working(frame: Frame, *, role: str = "auto", **more: Any) -> AbstractAsyncContextManager[Engine]:
    """Open an engine on the home that is meant, made when it is missing; files go to the current folder."""
    from lading.bootstrap import open_engine

    return open_engine(folder(frame), role=role, log=frame.log, **more)


def is_vacant(home: Path) -> bool:
    """Tell whether no engine owns the home at this moment."""
    from lading.home import EngineLock, open_home

    return EngineLock(open_home(home, new_id=None)).is_vacant()


def unworked(frame: Frame, states: Iterable[str]) -> str | None:
    """Return what is to be told of downloads in these states because no engine owns the home, or None."""
    states = set(states)
    if is_abandoned(frame, states):
        return ABANDONED
    return UNWORKED if _is_vacant_and(frame, states, _TO_BE_WORKED_ON) else None


def is_abandoned(frame: Frame, states: Iterable[str]) -> bool:
    """Tell whether one of these states says that somebody is at work, and no engine owns the home.

    So it is after an engine has ended without a word: the log knows nothing of that until the next one recovers it.
    """
    return _is_vacant_and(frame, states, _WORKED_ON)


def _is_vacant_and(frame: Frame, states: Iterable[str], those: frozenset[str]) -> bool:
    from lading.domain.errors import StoreError

    try:
        return not those.isdisjoint(states) and is_vacant(folder(frame))
    except StoreError:  # a home that may only be read does not tell
        return False
