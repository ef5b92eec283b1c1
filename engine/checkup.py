"""The checkup: takes the vitals of a home, for `lading.domain.health` to judge. All of it blocks.

The views tell what the queue is like, the system what the engine's process uses; nothing is walked that grows with the
history, and of the queue only the first of each state, to see which folders are in use.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lading.domain.errors import LadingError
from lading.domain.health import Health, Processes, Vitals, judge
from lading.domain.ports import Reader
from lading.projections import figures, hold, progress, queue, roster, shares
from lading.reading import Reading
from lading.views import ROWS

MOST_FOLDERS = 16
LOOKED_AT = 64
_IN_USE = ("active", "verifying", "stopping", "waiting", "queued")


class Checkup:
    """Looks a home over.

    Args:
        reading: its views and log.
        processes: tells what they use, and of files what they occupy.
        free: tells the bytes that are free where a folder lies.
        is_vacant: tells whether no engine owns the home.
        home: where it lies; None for one in memory.
        roots: the folders that paths of the log are relative to, by name.
        reserve_bytes: what downloads leave free.
    """

    def __init__(
        self,
        reading: Reading,
        processes: Processes,
        *,
        free: Callable[[str], int],
        is_vacant: Callable[[], bool],
        home: Path | None,
        roots: Mapping[str, str],
        reserve_bytes: int,
    ) -> None:
        self._reading = reading
        self._processes = processes
        self._free = free
        self._is_vacant = is_vacant
        self._home = home
        self._roots = roots
        self._reserve_bytes = reserve_bytes

    def look(self, now_ns: int, *, owner: bool) -> Health:
        """Return what is to be said of the home now; `owner` tells that this process is its engine."""
        return judge(self.vitals(now_ns, owner=owner))

    def vitals(self, now_ns: int, *, owner: bool) -> Vitals:
        """Return what the home is like, its views caught up after it was seen how far behind they were."""
        lag = self._reading.lag()
        self._reading.catch_up()
        working = owner or not self._is_vacant()
        pid = (
            None if owner or not working or self._home is None else self._processes.holder(self._in_home("engine.lock"))
        )
        log = None if self._home is None else self._processes.occupied(self._in_home("log/data.mdb"))
        with self._reading.views.read() as reader:
            counted, held = figures.read(reader), hold.get(reader)
            recent = shares.of_days(reader, now_ns // shares.DAY_NS - 1)
            return Vitals(
                working=working,
                process=self._processes.process(pid) if owner or pid is not None else None,
                position=self._reading.log.head(),
                log_bytes=log,
                lag=lag,
                states=roster.counts(reader),
                blocked=queue.reasons(reader),
                paused=held.paused,
                held=held.blocked,
                completed=recent["completed"],
                failed=recent["failed"],
                home=None if self._home is None else (str(self._home), self._room(str(self._home))),
                folders={folder: self._room(folder) for folder in self._folders(reader)},
                reserve_bytes=self._reserve_bytes,
                partial_bytes=counted.partial_bytes,
                partial_downloads=counted.partial_downloads,
                quarantined_bytes=counted.quarantined_bytes,
            )

    def _in_home(self, name: str) -> str:
        return str(self._home / name) if self._home is not None else name

    def _room(self, folder: str) -> int | None:
        try:
            return self._free(folder)
        except (LadingError, OSError):
            return None

    def _folders(self, reader: Reader) -> list[str]:
        """Return the folders that the engine has, and those in which downloads of the queue lie or are to lie."""
        found = dict.fromkeys(path for path in self._roots.values() if path != "/")
        for folder in self._wanted(reader):
            if len(found) == MOST_FOLDERS:
                break
            found[folder] = None
        return list(found)

    def _wanted(self, reader: Reader) -> Iterator[str]:
        for state in _IN_USE:
            for id in roster.by_state(reader, state, LOOKED_AT):
                download = progress.get(reader, id, ROWS)
                base = self._roots.get(download.order.root) if download is not None else None
                if download is not None and base is not None:
                    yield posixpath.join(base, download.order.folder) if download.order.folder else base
