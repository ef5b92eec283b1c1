"""Follow an application's events as they come, from any process.

The subscription asks for the number of the last transaction first, then looks, then waits for a later one: what is
committed between the look and the wait is never missed. It remembers how far it has looked, not only what it found, so
that events of other topics are looked through once. It has no thread of its own: whoever iterates does the looking.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from eventsourcing.persistence import Notification, Subscription

from lading.adapters.lmdb.recorder_errors import speaks_both
from lading.domain.errors import StoreError

if TYPE_CHECKING:
    from lading.adapters.lmdb.recorders import LMDBApplicationRecorder

FETCH_LIMIT = 500
WAIT_S = 60.0
"""How long one wait lasts before it looks again without having been woken."""


class LMDBSubscription(Subscription["LMDBApplicationRecorder"]):
    """An endless iterator over events; `stop`, from any thread, ends it."""

    def __init__(self, recorder: LMDBApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder, gt, topics)
        self._scanned = gt or 0
        self._found: Iterator[Notification] = iter(())

    def stop(self) -> None:
        """End the iteration, also one that is waiting in another thread."""
        super().stop()
        self._recorder.datastore.environment.bell.ring()

    @speaks_both
    def __next__(self) -> Notification:
        """Return the next event, waiting until there is one.

        Raises:
            StopIteration: the subscription was stopped.
        """
        while not self._has_been_stopped:
            for notification in self._found:
                self._last_notification_id = notification.id
                return notification
            try:
                self._look()
            except StoreError:
                if not self._has_been_stopped:
                    raise
        raise StopIteration

    def _look(self) -> None:
        environment = self._recorder.datastore.environment
        seen = environment.last_transaction()
        found, self._scanned, is_last = self._recorder.scan(self._scanned, FETCH_LIMIT, topics=self._topics)
        self._found = iter(found)
        if is_last and not found:
            environment.bell.wait_beyond(seen, WAIT_S, lambda: self._has_been_stopped)
