"""Room on the disks: what is free, less what is left alone, less what those that run have still to receive.

It is looked at before a download begins and again when its size has become known, so that a disk is not filled up only
to find that nothing fits; whoever meets a full disk all the same is blocked, and loses nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from lading.domain import requirements
from lading.domain.amounts import size
from lading.holding import PREALLOCATE_MOST
from lading.services import Services


class Space(NamedTuple):
    """How many bytes are free on a disk, and how many it has."""

    free: int
    capacity: int


class Room:
    """Answers whether there is room; every method blocks."""

    def __init__(self, services: Services) -> None:
        self._s = services

    def look(self, folder: str) -> Space:
        """Return what there is where `folder` lies.

        Raises:
            InvalidDestination, OSError: the folder cannot be looked at.
        """
        return Space(self._s.disk.free(folder), self._s.disk.capacity(folder))

    def lack(self, folder: str, wanted: int, *, promised: int = 0, space: Space | None = None) -> str | None:
        """Tell why so many more bytes do not fit where `folder` lies, None when they do.

        Args:
            folder: where they are to go.
            wanted: how many they are.
            promised: how many bytes of what is free are somebody else's.
            space: what there is, of who has looked a moment ago.

        Raises:
            InvalidDestination, OSError: the folder cannot be looked at.
        """
        settings = self._s.settings
        free, capacity = space or self.look(folder)
        if not capacity:  # no place for files, such as /proc: whoever tries will be told
            return None
        kept = requirements.reserve(settings.reserve_bytes, settings.disk_free_percent, capacity)
        if free - promised > kept + wanted:
            return None
        setting = "disk_free_percent" if kept > settings.reserve_bytes else "reserve_bytes"
        said = [f"{size(free)} are free in {folder}", f"{size(kept)} are kept free ({setting})"]
        said += [f"{size(wanted)} are wanted"] if wanted else []
        said += [f"{size(promised)} promised to others"] if promised else []
        return ", ".join(said)

    def promised(self, storage: str) -> int:
        """Return how many bytes running transfers to a storage have still to receive, and have no blocks for yet."""
        gauges = (
            gauge for gauge in self._s.board.gauges.values() if gauge.storage == storage and gauge.total is not None
        )
        return sum(max(0, (gauge.total or 0) - gauge.received - PREALLOCATE_MOST) for gauge in gauges)
