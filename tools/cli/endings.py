"""How downloads ended, said as they end: the path of the file on stdout, what went wrong on stderr."""

from __future__ import annotations

import sys
from typing import Any

from lading.domain.download import Download
from lading.domain.faults import BLOCK_HINTS, HINTS, Cause
from lading.domain.states import State
from lading.projections import progress
from lading.tools.cli import trouble
from lading.tools.cli.answers import plain, write_json
from lading.tools.cli.display import Display, name
from lading.tools.cli.frame import Frame
from lading.tools.cli.naming import with_id

SKIPPED = "skipped"
"""How the reason begins when `--if-exists skip` is content with what lies at the destination."""


class Endings:
    """Reports each ending, and knows the exit code at the end.

    Args:
        frame: whether to answer in JSON.
        display: makes room for the lines.
        demanding: whether a download that somebody gave up counts as failed too, because its file was asked for.
    """

    def __init__(self, frame: Frame, display: Display, *, demanding: bool) -> None:
        self._frame = frame
        self._display = display
        self._demanding = demanding
        self._is_for_people = sys.stdout.isatty()
        self.count = 0
        self.failed = 0

    def report(self, download: Download, reason: str) -> None:
        """Say how a download ended; `reason` is why it was given up, where there is one."""
        self.count += 1
        there = download.state is State.COMPLETED or reason.startswith(SKIPPED)
        failed = download.state is State.FAILED or download.stuck or (self._demanding and not there)
        self.failed += failed
        if self._frame.json:
            write_json(outcome(download, reason))
        elif there:
            path = progress.path(download) or ""
            self._display.answer(plain(path) if self._is_for_people else path)
        elif failed:
            row = outcome(download, reason)
            otherwise = progress.why(download) if download.stuck else f"the download was {download.state.shown}"
            told = f"{name(download)}: {row['error'] or otherwise}"
            hint = row["hint"] or with_id("`lading why ID` tells more, `lading retry ID` goes on with it", download.id)
            with self._display.aside():
                trouble.tell(trouble.Trouble(told, hint, "TransferError", trouble.FAILED), as_json=False)

    def conclude(self) -> int:
        """Say it in one object to programs when something failed, and return the exit code."""
        if not self.failed:
            return trouble.DONE
        if self._frame.json:
            told = f"{self.failed} of {self.count} downloads failed"
            hint = "`lading why ID` tells why, `lading retry ID` tries again"
            trouble.tell(trouble.Trouble(told, hint, "TransferError", trouble.FAILED), as_json=True)
        return trouble.FAILED


def outcome(download: Download, reason: str = "") -> dict[str, Any]:
    """Return how a download ended as `get --json` and `wait --json` show it."""
    done = download.state is State.COMPLETED
    skipped = reason.startswith(SKIPPED)
    return {
        "id": str(download.id),
        "key": download.order.key,
        "url": download.order.url,
        "state": download.state.shown,
        "path": progress.path(download) if done or skipped else None,
        "digest": download.digest if done else None,
        "size": download.total if done else None,
        "assurance": download.assurance,
        "transport": download.transport,
        "tier": download.tier,
        "attempts": download.attempt,
        "resumed_from": download.resumed_from,
        "cached": download.cached,
        "skipped": skipped,
        "error": None if done or skipped else progress.error(download) or reason or None,
        "hint": hint(download),
    }


def hint(download: Download) -> str | None:
    """Return what to do about the cause that keeps a download from running, or None."""
    if download.state is State.PAUSED and download.failed:
        return with_id("`lading retry ID` tries again", download.id)
    if download.state not in {State.FAILED, State.WAITING}:
        return None
    if download.blocked is not None:
        found = BLOCK_HINTS.get(download.blocked)
    else:
        try:
            found = HINTS.get(Cause(download.cause or ""))
        except ValueError:
            found = None
    return None if found is None else with_id(found, download.id)
