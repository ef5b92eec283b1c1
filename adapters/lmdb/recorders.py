"""Recorders of `eventsourcing` on the log's own tables: what the library asks of a persistence module.

They store any version once, and demand no more: a stream may begin at version 0 or skip some, as the library
allows. An insertion is one write transaction, so it is stored whole or not at all, and the positions of two never
interleave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    Notification,
    ProcessRecorder,
    StoredEvent,
    Tracking,
)

from lading.adapters.lmdb.datastore import LMDBDatastore, LMDBRecorder
from lading.adapters.lmdb.insertion import Insertion
from lading.adapters.lmdb.record import stream_prefix
from lading.adapters.lmdb.recorder_errors import speaks_both
from lading.adapters.lmdb.subscription import LMDBSubscription
from lading.adapters.lmdb.tables import VERSION_MAX, Span
from lading.adapters.lmdb.tracking import LMDBTrackingRecorder


class LMDBAggregateRecorder(LMDBRecorder, AggregateRecorder):
    """Events by stream.

    Args:
        datastore: the environment.
        name: the application's name.
        purpose: `events` for those of the log; anything else, such as `snapshots`, for what has no position.
    """

    def __init__(self, datastore: LMDBDatastore, name: str = "", purpose: str = "events") -> None:
        super().__init__(datastore, name)
        self._is_log = purpose == "events"

    @speaks_both
    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Store these events, all or none.

        Raises:
            IntegrityError: a stream has one of these versions already, or twice among these.
        """
        Insertion(self.tables, stored_events, is_log=self._is_log).store()
        return None

    @speaks_both
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return events of one stream in order of version."""
        span = Span(
            stream_prefix(originator_id),
            first=0 if gt is None else gt + 1,
            last=VERSION_MAX if lte is None else lte,
            descending=desc,
            limit=limit,
        )
        find = self.tables.events_of if self._is_log else self.tables.snapshots_of
        items = self.tables.read(lambda txn: find(txn, span))
        return [StoredEvent(*row[1:]) for row in self.tables.rows(items)]


class LMDBApplicationRecorder(LMDBAggregateRecorder, ApplicationRecorder):
    """Events by stream and in the order of the log."""

    def __init__(self, datastore: LMDBDatastore, name: str = "") -> None:
        super().__init__(datastore, name)

    @speaks_both
    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Store these events, all or none, and return their positions.

        Raises:
            IntegrityError: a stream has one of these versions already, or twice among these.
        """
        return Insertion(self.tables, stored_events).store()

    @speaks_both
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return at most `limit` events from `start` to `stop`, of `topics` if any are named."""
        found: list[Notification] = []
        after, is_last = 0 if start is None else max(start - inclusive_of_start, 0), False
        while len(found) < limit and not is_last:
            page, after, is_last = self.scan(after, limit - len(found), stop, topics)
            found.extend(page)
        return found

    @speaks_both
    def scan(
        self, after: int, limit: int, stop: int | None = None, topics: Sequence[str] = ()
    ) -> tuple[list[Notification], int, bool]:
        """Return events from one look after a position, up to which position it looked, and whether that is the end."""
        page = self.tables.read(lambda txn: self.tables.page(txn, after, limit, stop, topics))
        found = [
            Notification(stream, version, topic, state, position)
            for position, stream, version, topic, state in self.tables.rows(page.items)
        ]
        return found, page.scanned, page.is_last

    @speaks_both
    def max_notification_id(self) -> int | None:
        """Return the position of the last event, None when there is none."""
        return self.tables.read(self.tables.last_position) or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> LMDBSubscription:
        """Iterate over the events after position `gt` and, waiting for them, over those to come."""
        return LMDBSubscription(self, gt, topics)


class LMDBProcessRecorder(LMDBTrackingRecorder, LMDBApplicationRecorder, ProcessRecorder):
    """Events in the order of the log, stored together with how far another application was processed to make them."""

    @speaks_both
    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Store these events and the position `tracking`, all or none, and return the events' positions.

        Raises:
            IntegrityError: a stream has one of the versions already, or the position was passed before.
        """
        tracking: Tracking | None = kwargs.get("tracking")
        return Insertion(self.tables, stored_events, tracking).store()
