"""How far is this download: the whole state of each, by id, as the fold of its events left it.

    pp ‖ id → age (u64) ‖ row        `row` as the codec dumps a `Download`

Every other view keeps ids only and looks the rest up here. Rates and estimates are made when they are asked for; an
engine that has live ones puts them in the place of the durable ones.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Protocol
from uuid import UUID

from lading.domain import checkpoints, estimate
from lading.domain.download import Download
from lading.domain.errors import ViewsDamaged
from lading.domain.ports import Reader
from lading.domain.requests import Order
from lading.domain.states import State
from lading.projections.batch import Batch, Change, RowCodec
from lading.projections.instants import iso
from lading.projections.keys import number, read_number

ROW = b"pp"
STALE_S = 15.0


class Live(Protocol):
    """What an engine knows of a running transfer at this moment; sizes in bytes, times in seconds, None: unknown."""

    @property
    def received(self) -> int: ...  # noqa: D102
    @property
    def total(self) -> int | None: ...  # noqa: D102
    @property
    def rate(self) -> float | None: ...  # noqa: D102
    @property
    def eta(self) -> float | None: ...  # noqa: D102
    @property
    def percent(self) -> float | None: ...  # noqa: D102


def apply(batch: Batch, changes: Sequence[Change]) -> None:
    """Write the row of every download that changed."""
    dump = batch.codec.dump
    for change in changes:
        batch.put(ROW + change.id.bytes, number(change.age) + dump(change.after))


def find(reader: Reader, id: UUID, codec: RowCodec) -> tuple[int, Download] | None:
    """Return age and state of a download, or None when the views know of none with this id.

    Raises:
        ViewsDamaged: its row cannot be read.
    """
    row = reader.get(ROW + id.bytes)
    if row is None:
        return None
    try:
        return read_number(row[:8]), codec.load(row[8:])
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, struct.error) as error:
        raise ViewsDamaged(f"the row of {id} cannot be read", stream=id) from error


def get(reader: Reader, id: UUID, codec: RowCodec) -> Download | None:
    """Return the state of a download, or None when the views know of none with this id.

    Raises:
        ViewsDamaged: its row cannot be read.
    """
    found = find(reader, id, codec)
    return None if found is None else found[1]


def ids(reader: Reader, *, after: UUID | None = None, limit: int | None = None) -> Iterator[UUID]:
    """Walk the ids of all downloads, which are in order of time, from behind `after`."""
    start = None if after is None else ROW + after.bytes + b"\0"
    for found, _ in islice(reader.scan(ROW, start=start), limit):
        yield UUID(bytes=bytes(found[len(ROW) :]))


class Surroundings(Protocol):
    """What is around a download that waits for its turn."""

    def keeps(self, download: Download) -> str | None: ...  # noqa: D102 # `lading.projections.around` says it


def listing(
    download: Download,
    now_ns: int,
    live: Live | None = None,
    *,
    running: int = 1,
    around: Surroundings | None = None,
) -> dict[str, Any]:
    """Return a download as `list --json` shows it; unknown is None, times are ISO 8601 in UTC.

    Args:
        download: its state.
        now_ns: UTC, to tell whether the last measured rate is still worth something.
        live: the figures of the engine that runs it, used instead of the durable ones.
        running: how many downloads run together; the more, the further apart are their checkpoints.
        around: what is around it, when that is known.
    """
    order = download.order
    if live is None:
        received, total, rate = download.received, download.total, _durable_rate(download, now_ns, running)
        eta, percent = estimate.eta(received, total, rate), estimate.percent(received, total)
    else:
        received, total, rate = live.received, live.total, live.rate
        eta, percent = live.eta, live.percent
    return {
        "id": str(download.id),
        "key": order.key,
        "url": order.url,
        "state": download.state.shown,
        "received": received,
        "total": total,
        "percent": percent,
        "rate": rate,
        "eta": eta,
        "path": path(download),
        "priority": download.priority,
        "tags": list(order.tags),
        "attempts": download.attempt,
        "error": error(download),
        "why": why(download, around),
        "bundle": None if order.bundle is None else str(order.bundle),
        "added_at": iso(download.added_at_ns),
        "updated_at": iso(download.updated_at_ns),
    }


def path(download: Download) -> str | None:
    """Return where the file is or will be, below the order's root; absolute when that is `/`; None when unknown yet."""
    order = download.order
    found = download.path
    if found is None and order.name is not None:
        found = f"{order.folder}/{order.name}" if order.folder else order.name
    return below(order, found)


def below(order: Order, path: str | None) -> str | None:
    """Return a path as people see it: below the order's root, absolute when that is `/`."""
    return f"/{path.lstrip('/')}" if path is not None and order.root == "/" else path


def error(download: Download) -> str | None:
    """Return what the last attempt failed of, when that is why the download does not run; else None."""
    waits = download.state is State.WAITING and download.blocked is None
    faltered = waits or download.state is State.FAILED or (download.state is State.PAUSED and download.failed)
    return _of(download.cause, download.message) if faltered else None


def why(download: Download, around: Surroundings | None = None) -> str:
    """Return in one short sentence why the download is in the state in which it is.

    Of one that is to replace what it had published, it is told as well what is wrong with that.
    """
    said = _why(download, around)
    if download.wrong is None or download.state is State.COMPLETED:
        return said
    return f"{said}; at its path lies still what is not what was published: {download.wrong}"


def _why(download: Download, around: Surroundings | None) -> str:
    kept = None if around is None else around.keeps(download)
    if kept is not None:
        return kept
    match download.state:
        case State.WAITING if download.blocked is not None:
            return f"blocked by {_of(download.blocked, download.message)}"
        case State.WAITING:
            return f"waiting until {iso(download.not_before_ns)} after {error(download) or 'a failed attempt'}"
        case State.FAILED:
            return f"failed of {error(download) or 'an unknown cause'}"
        case State.PAUSED if download.failed:
            return f"paused after it had failed of {error(download) or 'an unknown cause'}"
        case State.COMPLETED if download.invalid is not None:
            return f"complete, but {download.invalid}"
        case State.COMPLETED:
            return f"complete, {vouched(download.assurance)}"
        case State.CANCELLED if download.message:
            return f"cancelled: {download.message}"
        case state:
            return _OF_STATES[state].format(download)


READY = "ready to run when its turn comes"
"""Why a download is queued that nothing keeps from its turn."""

_OF_STATES = {
    State.QUEUED: READY,
    State.ACTIVE: "attempt {0.attempt} is running",
    State.VERIFYING: "attempt {0.attempt} has everything and publishes it",
    State.PAUSING: "asked to be paused, attempt {0.attempt} is stopping",
    State.CANCELLING: "asked to be cancelled, attempt {0.attempt} is stopping",
    State.REMOVING: "asked to be removed, attempt {0.attempt} is stopping",
    State.PAUSED: "paused by request",
    State.CANCELLED: "cancelled by request",
    State.REMOVED: "removed by request",
}


def vouched(assurance: str | None) -> str:
    """Return what vouches for a file that is complete, if anything does."""
    return f"vouched for by its {assurance}" if assurance and assurance != "none" else "and nothing vouches for it"


def _of(cause: str | None, message: str | None) -> str | None:
    return f"{cause}: {message}" if cause and message else cause or message


def _durable_rate(download: Download, now_ns: int, running: int) -> float | None:
    """Return the rate between the last two checkpoints, None when the next should have come and did not.

    Between checkpoints the log is silent for as long as the download needs for the bytes of one, stretched by how many
    run; 15 seconds after that the rate is stale.
    """
    if download.state is not State.ACTIVE or download.pace is None or download.paced_ns is None:
        return None
    soon_s = checkpoints.SMALL_BYTES / download.pace if download.pace > 0 else checkpoints.LATE_S
    stretch = max(1.0, running / (checkpoints.MOST_PER_SECOND * checkpoints.SOON_S))
    expected_s = min(max(checkpoints.SOON_S, soon_s), checkpoints.LATE_S) * stretch
    stale = now_ns - download.paced_ns > (expected_s + STALE_S) * 1e9
    return None if stale else download.pace
