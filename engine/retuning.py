"""Settings that change while an engine works: from its home's file, looked at once a second, or by the embedder.

Limits and numbers of things at once are taken over; what has been built from its setting when the engine was opened
(time limits of the network, proxies, certificates) stays as it is until the next one. A file that has become wrong
changes nothing: that is said once, as a `SettingsWarning`, and again only when it has been written again.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import trio

from lading.domain.errors import DiskFull, InvalidSetting, StoreError
from lading.services import Services
from lading.settings import LIVE, TABLES, Settings

LOOK_S = 1.0
SELDOM_S = 60.0
"""How often to look where neither a file nor the time of day can bring anything new."""


class SettingsWarning(UserWarning):
    """The settings of a running engine could not be taken over; the old ones hold."""


def _warn(text: str) -> None:
    with contextlib.suppress(SettingsWarning):  # where warnings are errors, an engine must not end of one
        warnings.warn(text, SettingsWarning, stacklevel=2)


class SettingsFile:
    """The file of a home's settings, and what it was like when it was last read.

    Args:
        path: where it lies, whether it is there or not.
        load: reads it, together with all else that settings come from.
    """

    def __init__(self, path: Path, load: Callable[[], Settings]) -> None:
        self._path = path
        self._load = load
        self._seen = self._look()

    def changed(self) -> Settings | None:
        """Return the settings when the file has changed since it was last asked for, else None; blocks for a moment.

        Raises:
            InvalidSetting: it has changed, and cannot be used.
        """
        looks = self._look()
        if looks == self._seen:
            return None
        self._seen = looks
        return self._load()

    def _look(self) -> tuple[int, int, int] | None:
        with contextlib.suppress(OSError):
            found = os.stat(self._path)
            return found.st_mtime_ns, found.st_size, found.st_ino
        return None


class Retuning:
    """Has an engine go by other settings.

    `say` is told of a file that has become wrong; unless it is set, a `SettingsWarning` is given.

    Args:
        services: whose settings are changed.
        wake: has the scheduler look what runs.
        look: has it looked what keeps the queue from running: called when a pause by the schedule begins or ends.
        file: where they come from, if they do not come from the caller alone.
    """

    def __init__(
        self,
        services: Services,
        wake: Callable[[], None],
        look: Callable[[], Awaitable[object]],
        file: SettingsFile | None,
    ) -> None:
        self._s = services
        self._wake = wake
        self._look = look
        self._file = file
        self._news = trio.Event()
        self._was_paused = False
        self.say: Callable[[str], None] = _warn

    async def run(self) -> None:
        """Look at the file and at the time of day about once a second, for as long as the engine is open."""
        self._was_paused = self._s.throttle.is_paused
        while True:
            self._news = trio.Event()
            is_live = self._file is not None or self._s.settings.schedule
            with trio.move_on_after(LOOK_S if is_live else SELDOM_S):
                await self._news.wait()
            with self._s.mishaps.survived("the look at the settings", StoreError, DiskFull):
                await self._turn()

    async def _turn(self) -> None:
        """Look once; a pause that cannot be told now is told at the next look around."""
        if self._file is not None:
            try:
                settings = await self._s.threads.run(self._file.changed)
            except InvalidSetting as error:
                hint = f" ({error.hint})" if error.hint else ""
                self.say(f"{error}{hint}; the old settings hold")
                settings = None
            if settings is not None:
                self.adopt(settings)
        self._s.throttle.refresh()
        if self._was_paused != self._s.throttle.is_paused:
            self._was_paused = not self._was_paused
            await self._look()

    def adopt(self, settings: Settings) -> None:
        """Take over of these settings what can change while an engine works."""
        before = self._s.settings
        tables = {name: held for name, held in before.tables.items() if not TABLES[name].live}
        tables |= {name: held for name, held in settings.tables.items() if TABLES[name].live}
        changed = {name: getattr(settings, name) for name in LIVE}
        self._s.settings = attrs.evolve(before, **changed, tables=tables, origins=settings.origins)
        self._s.throttle.adopt(self._s.settings)
        self._news.set()
        self._s.slots.tell()
        self._wake()
