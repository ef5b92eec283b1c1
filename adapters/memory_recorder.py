"""The library's recorder in memory, with its index opened to questions about streams: the log `memory:`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from eventsourcing.persistence import Notification
from eventsourcing.popo import POPOApplicationRecorder


class MemoryRecorder(POPOApplicationRecorder):
    """Keeps events in lists of this process; implements `Indexed` of `lading.adapters.recorder_log`."""

    def last_versions(self, streams: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the last version of each of these streams that has one."""
        with self._database_lock:
            indexes = {stream: self._stored_events_index.get(str(stream)) for stream in streams}
            return {stream: next(reversed(index)) for stream, index in indexes.items() if index}

    def select_stream(self, stream: UUID, after: int) -> Sequence[Notification]:
        """Return the events of a stream beyond version `after`, in order, with their positions."""
        with self._database_lock:
            index = self._stored_events_index.get(str(stream), {})
            found = [(at + 1, self._stored_events[at]) for version, at in index.items() if version > after]
        return [
            Notification(s.originator_id, s.originator_version, s.topic, s.state, position) for position, s in found
        ]
