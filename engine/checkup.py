"""The checkup: takes the vitals of a home, for `lading.domain.health` to judge. All of it blocks.

The views tell what the queue is like, the system what the engine's process uses; nothing is walked that grows with the
history, and of the queue only the first of each state, to see which folders are in use.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lading.cursors import behind
from lading.domain import requirements
from lading.domain.disks import Disk
from lading.domain.errors import LadingError
from lading.domain.health import Health, Processes, Space, Told, Vitals, judge
from lading.domain.hooks import Cursor, Cursors
from lading.domain.ports import Reader
from lading.notary import Notary
from lading.projections import figures, hold, litter, progress, queue, roster, shares, upkeep
from lading.reading import Reading
from lading.settings import Settings
from lading.views import ROWS

MOST_FOLDERS = 16
LOOKED_AT = 64
MOST_INVALID = MOST_TO_SHRED = 10_000
KEPT_FOR_THE_LOG_BYTES = 16 * 1024 * 1024
"""Where less is free, an engine may soon have nothing to say."""
_IN_USE = ("active", "verifying", "stopping", "waiting", "queued")


class Checkup:
    """Looks a home over.

    Args:
        reading: its views and log.
        processes: tells what they use, and of files what they occupy.
        disk: tells what is free.
        is_vacant: tells whether no engine owns the home.
        home: where it lies; None for one in memory.
        roots: the folders that paths of the log are relative to, by name.
        settings: tells what is set now, which includes what is kept free.
        cursors: tell how far hooks have been told; None where there are none.
        notary: tells how far the log is signed; None where nobody signs it.
    """

    def __init__(
        self,
        reading: Reading,
        processes: Processes,
        *,
        disk: Disk,
        is_vacant: Callable[[], bool],
        home: Path | None,
        roots: Mapping[str, str],
        settings: Callable[[], Settings],
        cursors: Cursors | None = None,
        notary: Notary | None = None,
    ) -> None:
        self._reading = reading
        self._processes = processes
        self._disk = disk
        self._is_vacant = is_vacant
        self._home = home
        self._roots = roots
        self._settings = settings
        self._cursors = cursors
        self._notary = notary

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
        signed = None if self._notary is None else self._notary.standing()
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
                home=None if self._home is None else self._space(str(self._home), lambda _: KEPT_FOR_THE_LOG_BYTES),
                folders=tuple(self._space(folder, self._kept) for folder in self._folders(reader)),
                partial_bytes=counted.partial_bytes,
                partial_downloads=counted.partial_downloads,
                quarantined_bytes=counted.quarantined_bytes,
                invalid=sum(1 for _ in upkeep.invalid(reader, MOST_INVALID)),
                hooks=self._told(),
                signed=signed,
                to_shred=sum(1 for _ in litter.secrets(reader, MOST_TO_SHRED)),
            )

    def _told(self) -> dict[str, Told]:
        found: dict[str, Told] = {}
        if self._cursors is None:
            return found
        for name, hook in self._settings().hooks.items():
            try:
                cursor = self._cursors.load(name)
            except LadingError as error:
                found[name] = Told(error=error.message)
                continue
            lag = behind(self._reading, hook, cursor)
            at = cursor or Cursor(position=0)
            found[name] = Told(lag=lag, failures=at.failures, error=at.error, given_up=at.given_up)
        return found

    def _in_home(self, name: str) -> str:
        return str(self._home / name) if self._home is not None else name

    def _space(self, folder: str, kept: Callable[[str], int]) -> Space:
        try:
            return Space(folder=folder, free_bytes=self._disk.free(folder), kept_bytes=kept(folder))
        except (LadingError, OSError):
            return Space(folder=folder, free_bytes=None)

    def _kept(self, folder: str) -> int:
        settings = self._settings()
        return requirements.reserve(settings.reserve_bytes, settings.disk_free_percent, self._disk.capacity(folder))

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
