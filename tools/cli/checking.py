"""Whether what is stored is what was stored: the checks of `lading.checks`, asked for, counted and told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lading.checks import Finding
from lading.checks.process import Examination, chosen
from lading.tools.cli import homes
from lading.tools.cli.frame import Frame
from lading.tools.cli.progress_bar import Silent
from lading.tools.cli.telling import MOST_WORDS, Words


class Check:
    """One pass over a home; `findings` makes it, and the counts tell what was looked at.

    Args:
        frame: the home.
        views: whether to hold the views against a fresh fold.
        files: whether to hold files and parts against their digests.
        downloads: where the download folder of the home's own program is, if it has one.
        progress: shows how far it has come.
    """

    def __init__(
        self, frame: Frame, *, views: bool, files: bool, downloads: Path | None, progress: Silent | None = None
    ) -> None:
        self._frame = frame
        self._asked = [name for name, is_asked in (("views", views), ("files", files)) if is_asked]
        self._downloads = downloads
        self._progress = progress or Silent()
        self._done: Examination | None = None
        self.words = Words()
        self.damage = 0

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong. On a damaged log nothing else is tried: nothing else could be believed.

        Raises:
            StoreUnavailable: the home cannot be opened.
        """
        examination = Examination(
            homes.existing(self._frame).path,
            log=self._frame.log,
            downloads=self._downloads,
            progress=self._progress,
        )
        for finding in examination.findings(chosen(self._asked)):
            self.damage += 1
            self._progress.rest()
            yield finding
        self.words.said += examination.words[:MOST_WORDS]
        self._done = examination

    def row(self) -> dict[str, Any]:
        """Return what was looked at and whether it was sound."""
        counts = {} if self._done is None or self._done.stopped else self._done.counts
        return {
            "kind": "summary",
            "ok": self.damage == 0,
            "findings": self.damage,
            "events": counts.get("events"),
            "root": counts.get("root"),
            "checkpoints": counts.get("checkpoints"),
            "given_up": counts.get("given_up"),
            "views": counts.get("views"),
            "files": counts.get("files"),
            "parts": counts.get("parts"),
            "unchecked": counts.get("unchecked", 0),
        }
