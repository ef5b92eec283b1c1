"""Whose a path is, as the views have it: who is to make a file there, and who has made it last. All of it blocks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import UUID

from lading.domain.download import Download
from lading.domain.ports import Reader
from lading.domain.states import State
from lading.projections import destinations, progress
from lading.views import ROWS


class Claims:
    """Asks the views; `look` opens one look at them."""

    def __init__(self, look: Callable[[], AbstractContextManager[Reader]]) -> None:
        self._look = look

    def owner(self, root: str, path: str) -> UUID | None:
        """Return the download that is to make `path` below `root`; one that has made it owns it no more."""
        with self._look() as reader:
            id = destinations.owner(reader, root, path)
            holder = None if id is None else progress.get(reader, id, ROWS)
        return None if holder is None or holder.state is State.COMPLETED else holder.id

    def is_replaced(self, download: Download) -> bool:
        """Tell whether a later download has published its own file under the path of this one."""
        with self._look() as reader:
            for id in destinations.claims(reader, download.order.root, download.path or ""):
                claimant = progress.get(reader, id, ROWS)
                if claimant is not None and claimant.state is State.COMPLETED:
                    return id != download.id
        return False

    def is_anothers(self, download: Download, root: str, path: str) -> bool:
        """Tell whether another download is to make `path` below `root`, or has made it after this one did.

        Removed ones count not; nor do those whose files this one has replaced, which may come back.
        """
        with self._look() as reader:
            for id in destinations.claims(reader, root, path):
                claimant = None if id == download.id else progress.get(reader, id, ROWS)
                if claimant is not None and claimant.state is not State.COMPLETED:
                    return True
                if claimant is not None:
                    return (claimant.ended_at_ns or 0) >= (download.ended_at_ns or 0)
        return False
