"""What `PERSISTENCE_MODULE=lading.adapters.lmdb` constructs, and the keys of the environment that it reads."""

from __future__ import annotations

from typing import TypeVar

from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool

from lading.adapters.lmdb.datastore import LMDBDatastore, LMDBRecorder
from lading.adapters.lmdb.log import LOG_MAP_BYTES
from lading.adapters.lmdb.recorders import LMDBAggregateRecorder, LMDBApplicationRecorder, LMDBProcessRecorder
from lading.adapters.lmdb.tracking import LMDBTrackingRecorder

R = TypeVar("R", bound=LMDBRecorder)

MAP_BYTES_MIN = 64 * 1024


class LMDBFactory(InfrastructureFactory[LMDBTrackingRecorder]):
    """Makes recorders in the environment that `LMDB_PATH` names.

    Keys:
        LMDB_PATH: a folder; made when it is missing. Several applications can share one: each has its own tables in
            it, under its name. They then take turns at writing; `MYAPPLICATION_LMDB_PATH` gives one a folder of its
            own.
        LMDB_MAP_SIZE: the first size of the memory map in bytes (64 GiB of address space); it grows when it is full.
        LMDB_TRUST_FILE_SYSTEM: do not refuse a file system that is not known to be local.
        CREATE_TABLE: whether missing tables are made; they are unless this says no.
        APPLICATION_RECORDER_TOPIC, TRACKING_RECORDER_TOPIC, PROCESS_RECORDER_TOPIC: classes of one's own.

    Raises:
        OSError: a key is missing or cannot be understood.
        StoreUnavailable: the folder cannot hold an environment, or holds something else.
    """

    LMDB_PATH = "LMDB_PATH"
    LMDB_MAP_SIZE = "LMDB_MAP_SIZE"
    LMDB_TRUST_FILE_SYSTEM = "LMDB_TRUST_FILE_SYSTEM"
    CREATE_TABLE = "CREATE_TABLE"

    aggregate_recorder_class = LMDBAggregateRecorder
    application_recorder_class = LMDBApplicationRecorder
    tracking_recorder_class = LMDBTrackingRecorder
    process_recorder_class = LMDBProcessRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        path = self.env.get(self.LMDB_PATH)
        if not path:
            keys = ", ".join(self.env.create_keys(self.LMDB_PATH))
            raise OSError(f"no folder for LMDB in the environment: set one of the keys {keys}")
        self.datastore = LMDBDatastore(
            path, map_size=self._map_size(), trust_file_system=self._is_yes(self.LMDB_TRUST_FILE_SYSTEM, "no")
        )

    def aggregate_recorder(self, purpose: str = "events") -> LMDBAggregateRecorder:
        """Return a recorder of events by stream, or of snapshots."""
        return self._prepared(self.aggregate_recorder_class(self.datastore, self.env.name, purpose))

    def application_recorder(self) -> LMDBApplicationRecorder:
        """Return a recorder of an application's events."""
        chosen = self._class(self.APPLICATION_RECORDER_TOPIC, self.application_recorder_class)
        return self._prepared(chosen(self.datastore, self.env.name))

    def tracking_recorder(
        self, tracking_recorder_class: type[LMDBTrackingRecorder] | None = None
    ) -> LMDBTrackingRecorder:
        """Return a recorder of how far applications were processed, such as a view."""
        chosen = tracking_recorder_class or self._class(self.TRACKING_RECORDER_TOPIC, self.tracking_recorder_class)
        return self._prepared(chosen(self.datastore, self.env.name))

    def process_recorder(self) -> LMDBProcessRecorder:
        """Return a recorder of events that are made by processing another application's."""
        chosen = self._class(self.PROCESS_RECORDER_TOPIC, self.process_recorder_class)
        return self._prepared(chosen(self.datastore, self.env.name))

    def close(self) -> None:
        """Let go of the environment; recorders that were made here cannot be used any more."""
        self.datastore.close()

    def _class(self, key: str, default: type[R]) -> type[R]:
        topic = self.env.get(key)
        if not topic:
            return default
        chosen: type[R] = resolve_topic(topic)
        if not issubclass(chosen, default):
            raise OSError(f"{key} names {topic}, which is not a subclass of {default.__qualname__}")
        return chosen

    def _prepared(self, recorder: R) -> R:
        if self._is_yes(self.CREATE_TABLE, "yes"):
            recorder.create_table()
        return recorder

    def _is_yes(self, key: str, default: str) -> bool:
        return bool(strtobool(self.env.get(key, default) or default))

    def _map_size(self) -> int:
        asked = (self.env.get(self.LMDB_MAP_SIZE) or "").strip()
        if not asked:
            return LOG_MAP_BYTES
        if not asked.isdecimal() or int(asked) < MAP_BYTES_MIN:
            raise OSError(f"{self.LMDB_MAP_SIZE} is {asked!r}, and a number of bytes from {MAP_BYTES_MIN} on is needed")
        return int(asked)
