"""Following other applications: how far each has been processed, and views that move together with that.

A view is a subclass of the tracking recorder. It reads with `look` and writes with `update`, which stores what the
block puts and the tracking position in one transaction, so that each event counts exactly once:

    class Totals(LMDBTrackingRecorder):
        def add(self, amount: int, tracking: Tracking) -> None:
            with self.update(tracking) as view:
                view.put(b"total", str(int(view.get(b"total") or b"0") + amount).encode())
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from threading import Event
from typing import Self

from eventsourcing.persistence import Tracking, TrackingRecorder, WaitInterruptedError

from lading.adapters.lmdb.datastore import LMDBDatastore, LMDBRecorder
from lading.adapters.lmdb.insertion import Insertion, check_ahead, put_tracking, tracked
from lading.adapters.lmdb.recorder_errors import speaks_both
from lading.adapters.lmdb.store import StoreReader, StoreTransaction

INTERRUPT_POLL_S = 0.05


class LMDBTrackingRecorder(LMDBRecorder, TrackingRecorder):
    """How far other applications have been processed, and the view that was made of them."""

    def __init__(self, datastore: LMDBDatastore, name: str = "") -> None:
        super().__init__(datastore, name)
        self._view = (f"{name.lower()}.view" if name else "view").encode()

    @speaks_both
    def create_table(self) -> None:
        """See to it that the tables are there."""
        super().create_table()
        self.datastore.environment.open_tables([self._view])

    @speaks_both
    def insert_tracking(self, tracking: Tracking) -> None:
        """Store how far an application has been processed.

        Raises:
            IntegrityError: it has been processed that far before.
        """
        Insertion(self.tables, (), tracking).store()

    @speaks_both
    def max_tracking_id(self, application_name: str) -> int | None:
        """Return how far an application has been processed, None when it has not."""
        return self.tables.read(lambda txn: tracked(self.tables, txn, application_name))

    def look(self) -> AbstractContextManager[StoreReader]:
        """Open a consistent look at the view; keep it short."""
        self.datastore.environment.open_tables([self._view], create=False)
        return StoreReader(self.datastore, self.datastore.environment, self._view)

    def update(self, tracking: Tracking) -> AbstractContextManager[StoreTransaction]:
        """Open a write transaction on the view that also stores `tracking`, both when the block ends well.

        Raises (on entering):
            IntegrityError: the application has been processed that far before.
        """
        self.tables.open(create=False)
        self.datastore.environment.open_tables([self._view], create=False)
        return _TrackedTransaction(self, self._view, tracking)

    @speaks_both
    def wait(
        self,
        application_name: str,
        notification_id: int | None,
        timeout: float = 1.0,
        interrupt: Event | None = None,
    ) -> None:
        """Return when an application has been processed as far as `notification_id`, in this process or another.

        Raises:
            TimeoutError: not within `timeout` seconds.
            WaitInterruptedError: `interrupt` was set before.
        """
        environment = self.datastore.environment
        deadline = time.monotonic() + timeout
        while True:
            seen = environment.last_transaction()
            if self.has_tracking_id(application_name, notification_id):
                return
            if interrupt is not None and interrupt.is_set():
                raise WaitInterruptedError
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(f"{application_name!r} was not processed up to {notification_id} within {timeout} s")
            environment.bell.wait_beyond(seen, left_s if interrupt is None else min(left_s, INTERRUPT_POLL_S))


class _TrackedTransaction(StoreTransaction):
    """A write transaction on a view that moves its tracking position too."""

    __slots__ = ("_tables", "_tracking")

    def __init__(self, recorder: LMDBTrackingRecorder, view: bytes, tracking: Tracking) -> None:
        super().__init__(recorder.datastore, recorder.datastore.environment, view)
        self._tables = recorder.tables
        self._tracking = tracking

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            check_ahead(self._tables, self._txn, self._tracking)
        except BaseException:
            self._environment.end_write(self._txn)
            raise
        return self

    def _has_changes(self) -> bool:
        return True

    def _apply(self, items: list[tuple[bytes, bytes | None]]) -> None:
        put_tracking(self._tables, self._txn, self._tracking)
        super()._apply(items)
