"""What the recorders of one factory share: their environment, held once, and the names of their tables in it."""

from __future__ import annotations

from pathlib import Path

from lading.adapters.lmdb.format import check_format
from lading.adapters.lmdb.handle import Settings
from lading.adapters.lmdb.log import LOG_MAP_BYTES
from lading.adapters.lmdb.recorder_errors import speaks_both
from lading.adapters.lmdb.registry import hold, open_environment
from lading.adapters.lmdb.tables import EventTables


class LMDBDatastore:
    """An LMDB environment for recorders, held until it is closed or nothing refers to it any more.

    Args:
        folder: where the environment lies; made when it is missing.
        map_size: the first size of the map in bytes; it grows when it is full.
        trust_file_system: do not ask what kind of file system the folder lies on.
    """

    @speaks_both
    def __init__(self, folder: str | Path, *, map_size: int = LOG_MAP_BYTES, trust_file_system: bool = False) -> None:
        self.environment = open_environment(
            Path(folder), Settings(map_size=map_size), trust_file_system=trust_file_system
        )
        self._let_go = hold(self, self.environment)
        try:
            self.log_id = check_format(self.environment)
        except BaseException:
            self._let_go()
            raise

    def close(self) -> None:
        """Let go of the environment; a second call does nothing."""
        self._let_go()


class LMDBRecorder:
    """What all recorders have: the tables of one application, named after it.

    Args:
        datastore: the environment.
        name: the application's or the projection's name; those with the same one share their tables.
    """

    def __init__(self, datastore: LMDBDatastore, name: str = "") -> None:
        self.datastore = datastore
        self.tables = EventTables(datastore.environment, name.lower())

    @speaks_both
    def create_table(self) -> None:
        """See to it that the tables are there."""
        self.tables.open()
