"""How far a check has come: one bar a stage on a terminal's stderr, nothing to pipes and programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lading.tools.cli.frame import Frame

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Silent:
    """Shows nothing."""

    def __call__(self, stage: str, done: int, of: int | None) -> None:
        """Say nothing."""

    def rest(self) -> None:
        """There is nothing to take away."""


class Bar(Silent):
    """Shows the stage that is at work; `rest` takes the bar away, so that a line can be written."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stage: str | None = None
        self._task: TaskID | None = None

    def __call__(self, stage: str, done: int, of: int | None) -> None:
        """Show that so much of a stage is done, of how much if that is known."""
        if stage != self._stage or self._task is None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._stage, self._task = stage, self._progress.add_task(stage, total=of)
            self._progress.start()
        self._progress.update(self._task, completed=done, total=of)

    def rest(self) -> None:
        """Take the bar away; it comes again with the next call."""
        self._progress.stop()


@contextmanager
def shown(frame: Frame) -> Iterator[Silent]:
    """Show progress where somebody is looking."""
    if frame.json or not sys.stderr.isatty():
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    try:
        yield Bar(progress)
    finally:
        progress.stop()
