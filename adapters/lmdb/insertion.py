"""One insertion of a recorder: events and a tracking position, stored together or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from eventsourcing.persistence import IntegrityError, StoredEvent, Tracking

from lading.adapters.lmdb.record import Event, number, pack_number, stream_prefix
from lading.adapters.lmdb.tables import EventTables, VersionTaken

if TYPE_CHECKING:
    from lmdb import Transaction

_FIELDS = attrgetter("originator_id", "originator_version", "topic", "state")


class Insertion:
    """What is to be stored, and once that was tried, under which positions.

    Args:
        tables: where.
        stored_events: events, or snapshots when `is_log` is not set.
        tracking: how far the inserting application has followed another one.
        is_log: whether the events get positions.
    """

    def __init__(
        self,
        tables: EventTables,
        stored_events: Sequence[StoredEvent],
        tracking: Tracking | None = None,
        *,
        is_log: bool = True,
    ) -> None:
        self._tables = tables
        self._events: list[Event] = list(map(_FIELDS, stored_events))
        self._tracking = tracking
        self._is_log = is_log
        self._positions = range(0)

    def store(self) -> list[int]:
        """Store it, durable on return, and return the positions of the events.

        Raises:
            IntegrityError: a stream has one of the versions already, or the position was passed before.
        """
        if self._events or self._tracking:
            try:
                self._tables.write(self._put, self._landed)
            except VersionTaken:
                stream, version, *_ = self._events[0]
                message = (
                    f"{stream} has version {version} already, or another of the {len(self._events)} events to store"
                )
                raise IntegrityError(message) from None
        return list(self._positions)

    def _put(self, txn: Transaction[bytes]) -> None:
        if self._tracking:
            check_ahead(self._tables, txn, self._tracking)
            put_tracking(self._tables, txn, self._tracking)
        if self._is_log:
            self._positions = self._tables.put_events(txn, self._events)
        else:
            self._tables.put_snapshots(txn, self._events)

    def _landed(self, txn: Transaction[bytes]) -> bool:
        if self._tracking:
            return tracked(self._tables, txn, self._tracking.application_name) == self._tracking.notification_id
        if self._is_log:
            keys, name = [pack_number(position) for position in self._positions], self._tables.log
        else:
            keys = [stream_prefix(stream) + pack_number(version) for stream, version, *_ in self._events]
            name = self._tables.snap
        rows = self._tables.rows(self._tables.cursor(txn, name).getmulti(keys))
        return [row[1:] for row in rows] == self._events


def tracked(tables: EventTables, txn: Transaction[bytes], application: str) -> int | None:
    """Return how far an application has been followed, None when it has not."""
    held = txn.get(application.encode(), db=tables.environment.tables[tables.trk])
    return None if held is None else number(held)


def check_ahead(tables: EventTables, txn: Transaction[bytes], tracking: Tracking) -> None:
    """Make sure that an application has not been followed this far before.

    Raises:
        IntegrityError: it has.
    """
    held = tracked(tables, txn, tracking.application_name)
    if held is not None and held >= tracking.notification_id:
        wanted = f"{tracking.notification_id} was to be"
        raise IntegrityError(f"{tracking.application_name} has been tracked up to {held}, and {wanted} next")


def put_tracking(tables: EventTables, txn: Transaction[bytes], tracking: Tracking) -> None:
    """Put how far an application has been followed."""
    key, value = tracking.application_name.encode(), pack_number(tracking.notification_id)
    txn.put(key, value, db=tables.environment.tables[tables.trk])
