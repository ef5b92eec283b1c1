"""Which history is closed, so that it can leave the views for an archive, and how much of it at a time.

Closed is what has ended and has nothing left on the disk that an engine would have to look after: no part, nothing put
aside that somebody may want back, no file on its way. Whatever happens to such a download later brings it back into the
views, as its own events make it; what `HistoryArchived` says of it holds for the version that it names and no other.

What one event archives is bounded, since a view takes it in at once, and since a file of it is made in memory.
"""

from __future__ import annotations

from uuid import UUID, uuid5

from lading.domain.download import Download
from lading.domain.events import ARCHIVES
from lading.domain.states import ENDED

MOST_DOWNLOADS = 1000
MOST_ROWS = 4000
"""Rows of a file, those of attempts among them; passed at most by the attempts of one download."""


def is_closed(download: Download) -> bool:
    """Tell whether a download can leave the views."""
    return (
        download.state in ENDED
        and not download.archived
        and not download.durable
        and not download.litter
        and not download.returning
        and download.quarantined_until_ns is None
        and download.replaced is None
    )


def stream_of(digest: str) -> UUID:
    """Return the stream on which an archive of that digest is told."""
    return uuid5(ARCHIVES, digest)
