"""How work under way is shown: bars on a terminal, a line now and then in a pipe, nothing to a program.

All of it goes to stderr. The figures are the engine's; nothing is estimated here.
"""

from __future__ import annotations

import math
import posixpath
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, Self

from lading.domain import estimate
from lading.domain import events as e
from lading.tools.cli import sentences, units
from lading.tools.cli.answers import plain
from lading.tools.cli.frame import Frame

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lading.domain.download import Download
    from lading.domain.facts import Fact
    from lading.outcome import Overall

EVERY_S = 5.0
"""Shortest time between two lines on one download."""

_TOLD = (e.Restarted, e.ResourceChanged, e.FellBack, e.RetryScheduled, e.Blocked, e.Unblocked, e.Paused, e.Resumed)
_TOLD_IN_LINES = (*_TOLD, e.Started, e.Completed, e.Cancelled, e.Removed, e.Stopped)

Rows = Sequence[dict[str, Any]]


class Display(Protocol):
    """What shows the work; entered before it begins and left after it. `sums_up` tells whether it shows an overall."""

    interval_s: float
    sums_up: bool

    def fact(self, fact: Fact, download: Download) -> None:
        """Something happened to a download, which is now in this state."""
        ...

    def queue(self, fact: Fact) -> None:
        """Something came to hold the whole queue, or has passed."""
        ...

    def figures(self, rows: Rows, overall: Overall | None) -> None:
        """What runs, as `list --json` shows it, and everything taken together, where that is shown."""
        ...

    def answer(self, text: str) -> None:
        """Print a line of stdout."""
        ...

    def flush(self) -> None:
        """Let be seen what was printed: many lines are one write."""
        ...

    def aside(self) -> AbstractContextManager[None]:
        """Make room for lines that somebody else prints."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def choose(frame: Frame) -> Display:
    """Return the display that fits where stderr goes."""
    if frame.json:
        return Silence()
    return Bars() if sys.stderr.isatty() else Lines()


def name(download: Download) -> str:
    """Return what to call a download in a line: its file's name, else the end of its URL."""
    from lading.domain import urls
    from lading.projections import progress

    path = progress.path(download)
    return posixpath.basename(path) if path else urls.last_segment(download.order.url) or download.order.url


def _row_name(row: dict[str, Any]) -> str:
    return str(row["path"] or row["url"]).rstrip("/").rpartition("/")[2] or str(row["url"])


class Silence:
    """Shows nothing."""

    interval_s = math.inf
    sums_up = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def fact(self, fact: Fact, download: Download) -> None:
        """Say nothing."""

    def queue(self, fact: Fact) -> None:
        """Say nothing."""

    def figures(self, rows: Rows, overall: Overall | None) -> None:
        """Say nothing."""

    def answer(self, text: str) -> None:
        """Print a line of stdout, to be flushed later."""
        sys.stdout.write(f"{text}\n")

    def flush(self) -> None:
        """Flush stdout."""
        sys.stdout.flush()

    def aside(self) -> AbstractContextManager[None]:
        """Nothing is in the way."""
        return nullcontext()


def _is_echo(fact: Fact, download: Download) -> bool:
    """Tell whether an attempt stopped for just the reason for which its download was given up, which was told then."""
    return isinstance(fact.event, e.Stopped) and download.ended and fact.event.reason == download.message


class Lines(Silence):
    """Says in plain lines what begins, goes on and ends; of each download at most one line of figures in 5 seconds."""

    interval_s = 1.0

    def __init__(self) -> None:
        self._said_s: dict[str, float] = {}
        self._lines: list[str] = []

    def fact(self, fact: Fact, download: Download) -> None:
        """Print the event, if it is one that people wait for."""
        if isinstance(fact.event, e.Started):
            self._said_s[str(download.id)] = time.monotonic()
        if download.ended:
            self._said_s.pop(str(download.id), None)
        if isinstance(fact.event, _TOLD_IN_LINES) and not _is_echo(fact, download):
            self._say(f"{name(download)}: {sentences.sentence(fact)}")

    def queue(self, fact: Fact) -> None:
        """Print it."""
        self._say(sentences.sentence(fact))

    def figures(self, rows: Rows, overall: Overall | None) -> None:  # noqa: ARG002
        """Print the figures of those of which nothing was said for a while."""
        now_s = time.monotonic()
        for row in rows:
            if row["state"] == "active" and now_s - self._said_s.setdefault(row["id"], now_s) >= EVERY_S:
                self._said_s[row["id"]] = now_s
                figures = (
                    units.percent(row["percent"]) if row["percent"] is not None else "",
                    units.share(row["received"], row["total"]),
                    units.rate(row["rate"]) if row["rate"] is not None else "",
                    units.left(row["eta"]),
                )
                self._say(f"{_row_name(row)}: {', '.join(filter(None, figures))}")
        self.flush()

    def flush(self) -> None:
        """Print what is to be said, all at once."""
        if self._lines:
            said, self._lines = "".join(self._lines), []
            sys.stderr.write(said)
            sys.stderr.flush()
        super().flush()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Say first what was to be said before."""
        self.flush()
        yield

    def _say(self, text: str) -> None:
        self._lines.append(f"{plain(text)}\n")


class Bars(Silence):
    """A bar for each download that runs, as many as the terminal has room for, and one line for all of them."""

    interval_s = 0.25
    sums_up = True

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False)
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        self.flush()

    def fact(self, fact: Fact, download: Download) -> None:
        """Print above the bars what a bar cannot show."""
        if isinstance(fact.event, _TOLD):
            self._console.print(plain(f"{name(download)}: {sentences.sentence(fact)}"), markup=False, style="dim")

    def queue(self, fact: Fact) -> None:
        """Print it above the bars."""
        self._console.print(plain(sentences.sentence(fact)), markup=False, style="dim")

    def figures(self, rows: Rows, overall: Overall | None) -> None:
        """Draw the bars anew."""
        from rich.table import Table

        table = Table.grid(padding=(0, 1))
        for row in rows[: max(1, self._console.height - 3)]:
            running = row["state"] == "active"
            rate = _rate(row["rate"]) if running else row["state"]
            left = units.left(row["eta"]) if running else row["error"] or ""
            table.add_row(*self._cells(_row_name(row), row["received"], row["total"], rate, left))
        if overall is not None and overall.active + overall.queued + overall.waiting > 1:
            counts = f"{overall.active} active, {overall.queued} queued, {overall.waiting} waiting"
            left = units.left(overall.eta)
            table.add_row(*self._cells(counts, overall.received, overall.total, _rate(overall.rate), left))
        self._live.update(table, refresh=True)

    def _cells(self, called: str, received: int, total: int | None, rate: str, left: str) -> Iterator[RenderableType]:
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        room = max(12, self._console.width - 84)
        called = plain(called)
        yield Text(called if len(called) <= room else f"{called[: room - 1]}…", no_wrap=True)
        yield ProgressBar(total=total, completed=received, width=20, pulse=total is None)
        done = estimate.percent(received, total)
        yield Text("" if done is None else units.percent(done), justify="right", no_wrap=True)
        yield Text(units.share(received, total), justify="right", no_wrap=True)
        yield Text(rate, justify="right", no_wrap=True)
        yield Text(plain(left), no_wrap=True)

    def answer(self, text: str) -> None:
        """Print a line of stdout; where that is the same terminal, the bars must not be in its way."""
        with self.aside():
            print(text, flush=True)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bars away for a moment."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()


def _rate(bytes_a_second: float | None) -> str:
    return "" if bytes_a_second is None else units.rate(bytes_a_second)
