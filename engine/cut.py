"""A log as it was: the same one, up to a position.

The past is read through this, by the very code that reads the present: views of a log that ends there are the views
as they stood then.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from lading.domain.errors import StoreUnavailable
from lading.domain.ports import Conflict, Entry, Log, Recorded

PAGE = 1000
_FARTHER = 16


class Cut:
    """A log up to a position, whatever it grows by meanwhile; implements `lading.domain.ports.Log`, but for appending.

    Args:
        log: the whole one, which stays open when this is closed.
        position: of the last event that there is; one beyond the head means all that there are now.
    """

    def __init__(self, log: Log, position: int) -> None:
        self._log = log
        self._end = _last(log, position)

    def append(self, requests: Sequence[Sequence[Entry]]) -> Sequence[tuple[int, ...] | Conflict]:
        """Refuse.

        Raises:
            StoreUnavailable: always.
        """
        said = f"the log as it was at position {self._end} takes none of {len(requests)} requests"
        raise StoreUnavailable(said, hint="append them to the log as it is")

    def read(self, after: int = 0, limit: int = PAGE) -> Sequence[Recorded]:
        """Return at most `limit` events after a position, in order of position."""
        return self._until(self._log.read(after, limit)) if after < self._end else ()

    def stream(self, stream: UUID, after: int = 0) -> Sequence[Recorded]:
        """Return the events of one stream after a version, in order of version."""
        return self._until(self._log.stream(stream, after))

    def head(self) -> int:
        """Return the position of the last event that there was."""
        return self._end

    def close(self) -> None:
        """Leave the log open: it is another's."""

    def _until(self, found: Sequence[Recorded]) -> Sequence[Recorded]:
        if not found or found[-1].position <= self._end:
            return found
        return [recorded for recorded in found if recorded.position <= self._end]


def _last(log: Log, position: int) -> int:
    """Return the last position up to one that has an event; positions may have gaps."""
    head = log.head()
    if position >= head:
        return head
    reach = 1
    while position > 0:
        after = at = max(0, position - reach)
        found = 0
        while (page := log.read(at, min(reach, PAGE))) and page[0].position <= position:
            found = max(recorded.position for recorded in page if recorded.position <= position)
            at = page[-1].position
        if found or not after:
            return found
        reach *= _FARTHER
    return 0
