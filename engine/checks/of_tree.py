"""The tree: computed anew from every record of the log, and held against all that was ever signed of it.

Checksums tell what a disk did to a log; that somebody changed it who knows how to write one is told by this alone, and
only as far as what was signed lies out of his reach: in checkpoints, in what the views have folded before, at anchors.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from lading.adapters.lmdb.residency import give_back
from lading.auditing import Audit, claims
from lading.checks.of_views import standing
from lading.checks.subject import Finding, Subject
from lading.domain.errors import LadingError
from lading.opening import open_notary
from lading.settings import Settings, load


def tree(subject: Subject) -> Iterator[Finding]:
    """Hold every event against the ledger that the views have, every checkpoint against the tree of its size."""
    notary = open_notary(subject.home, subject.log, subject.reading.views, _settings(subject), subject.log_url)
    head = subject.log.head()

    def progress(events: int) -> None:
        subject.progress(events, head)
        give_back()

    with standing(subject) as tiles:
        audit = Audit(subject.log, () if notary is None else claims(notary), tiles, progress)
        for found in audit.discrepancies():
            yield Finding("log", found.message, position=found.position)
        subject.counts["checkpoints"] = audit.checkpoints
        subject.counts["root"] = audit.root.hex()
        subject.counts["given_up"] = 0 if notary is None else notary.given_up()
    if notary is not None:
        try:
            notary.check_key()
        except LadingError as error:
            yield Finding("key", error.message)


def _settings(subject: Subject) -> Settings:
    """Return what is set; what cannot be read there is another check's business."""
    try:
        return load(subject.home.settings_path, os.environ)
    except LadingError:
        return Settings()
