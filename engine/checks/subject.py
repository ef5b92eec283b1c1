"""What checks look at: a home, opened as far as a check needs it, and what they say of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs

from lading.domain import commands as c
from lading.domain.ports import Log
from lading.home import Home, open_home
from lading.logs import DEFAULT
from lading.opening import open_own_log, open_views
from lading.reading import Reading

EVERY_S = 0.1

Word = tuple[UUID, c.Invalidate | c.Confirm]


@attrs.frozen
class Finding:
    """One thing that is not as it was stored.

    `kind` is log, key, view, vault, settings, hook, file or part; `damaged` are the bytes of a file, in spans, where
    pieces tell which.
    """

    kind: str
    message: str
    id: str | None = None
    path: str | None = None
    position: int | None = None
    damaged: list[list[int]] | None = None


class Subject:
    """A home to be checked; what is opened stays open until `close`.

    Args:
        path: the home.
        log_url: its log, None for its own.
        downloads: the download folder of the program that the home belongs to, if it has one.
        progress: told of how far a check has come, of how much if that is known; a few times a second.
        say: told of what the log does not know yet of a published file.
    """

    def __init__(
        self,
        path: Path,
        log_url: str | None = None,
        downloads: Path | None = None,
        *,
        progress: Callable[[int, int | None], None] = lambda _, __: None,
        say: Callable[[Word], None] = lambda _: None,
    ) -> None:
        self.home: Home = open_home(path, new_id=None)
        self.log_url = log_url
        self.roots: Mapping[str, Path] = {"/": Path("/")} | ({"downloads": downloads} if downloads else {})
        self.say = say
        self.counts: dict[str, Any] = {}
        self._progress = progress
        self._told_s = 0.0
        self._log: Log | None = None
        self._reading: Reading | None = None

    @property
    def lmdb_folder(self) -> Path | None:
        """The folder of the log when that is LMDB, which is opened by nobody for that; else None."""
        scheme, _, rest = (self.log_url or DEFAULT).strip().partition(":")
        return self.home.path / Path(rest or "log").expanduser() if scheme.lower() == "lmdb" else None

    @property
    def log(self) -> Log:
        """The log, opened."""
        if self._log is None:
            self._log = open_own_log(self.home, self.log_url)
        return self._log

    @property
    def reading(self) -> Reading:
        """Log and views, opened; the views stand where they stood."""
        if self._reading is None:
            self._reading = Reading(self.log, open_views(self.home, self.log))
        return self._reading

    def progress(self, done: int, of: int | None = None) -> None:
        """Tell how far a check has come."""
        now_s = time.monotonic()
        if now_s - self._told_s >= EVERY_S:
            self._told_s = now_s
            self._progress(done, of)

    def close(self) -> None:
        """Let go of what was opened."""
        if self._reading is not None:
            self._reading.close()
        elif self._log is not None:
            self._log.close()
        self._log = self._reading = None
