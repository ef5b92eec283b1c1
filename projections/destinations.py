"""Who owns a final path: the downloads that write to it or have written it.

    dp ‖ text(root) ‖ text(path) ‖ 0 ‖ age (u64)                        → id   means to write it
    dp ‖ text(root) ‖ text(path) ‖ 1 ‖ ended (u64), newest first ‖ age  → id   has completed it

A path is claimed when an attempt starts or learns it from the server, and let go when the download fails, is cancelled
or removed, or takes another path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from lading.domain.download import Download
from lading.domain.ports import Reader
from lading.domain.states import State
from lading.projections.batch import Batch, Change
from lading.projections.keys import newest_first, number, text

CLAIM = b"dp"
_RELEASED = frozenset({State.FAILED, State.CANCELLED, State.REMOVED})


def apply(batch: Batch, changes: Sequence[Change]) -> None:
    """Enter new claims and strike out those that are let go."""
    for id, age, before, after, _ in changes:
        if before is not None and before.state is after.state and before.path == after.path:
            continue
        old = None if before is None else _claim(before, age)
        new = _claim(after, age)
        if old != new:
            if old is not None:
                batch.delete(old)
            if new is not None:
                batch.put(new, id.bytes)


def _claim(download: Download, age: int) -> bytes | None:
    if download.path is None or download.state in _RELEASED:
        return None
    claimed = _prefix(download.order.root, download.path)
    if download.state is State.COMPLETED:
        return claimed + b"\1" + newest_first(download.ended_at_ns or 0) + number(age)
    return claimed + b"\0" + number(age)


def _prefix(root: str, path: str) -> bytes:
    return CLAIM + text(root) + text(path)


def claims(reader: Reader, root: str, path: str) -> Iterator[UUID]:
    """Walk the downloads that claim `path` below `root`: those under way, then the completed ones, the last end first.

    An engine lets only one at a time be under way; the completed ones have overwritten each other.
    """
    for _, value in reader.scan(_prefix(root, path)):
        yield UUID(bytes=value)


def owner(reader: Reader, root: str, path: str) -> UUID | None:
    """Return the download that owns `path` below `root`: the one under way, else the last to complete it, else None."""
    return next(claims(reader, root, path), None)
