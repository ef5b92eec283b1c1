"""Where a byte came from, said to programs as one object and to people as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lading.domain.errors import UsageError
from lading.tools.cli import units
from lading.tools.cli.answers import plain, write_json
from lading.tools.cli.frame import Frame

if TYPE_CHECKING:
    from lading.domain.provenance import Delivery, Provenance
    from lading.domain.validators import Validator


def answer(frame: Frame, provenance: Provenance) -> None:
    """Print where a byte came from, or that nothing vouches for it yet.

    Raises:
        UsageError: the file has no such byte.
    """
    download, byte = provenance.download, provenance.byte
    if provenance.is_beyond:
        total = download.total or 0
        hint = f"its bytes are 0 to {total - 1}" if total else "it is empty"
        raise UsageError(f"the file has {total} bytes, so there is no byte {byte}", hint=hint)
    row = _row(provenance)
    if frame.json:
        write_json(row)
        return
    print(f"byte {byte} of {row['id']}: {plain(row['why'])}")
    for name, value in _lines(row) if provenance.delivery is not None else ():
        print(f"{name + ':':<17} {plain(value)}")


def _row(provenance: Provenance) -> dict[str, Any]:
    from lading.domain.provenance import is_durable
    from lading.projections import progress
    from lading.projections.instants import iso

    download, delivery, completed = provenance.download, provenance.delivery, provenance.completed
    done = None if completed is None else download
    return {
        "id": str(download.id),
        "key": download.order.key,
        "byte": provenance.byte,
        "state": download.state.shown,
        "total": download.total,
        "durable": is_durable(provenance),
        "why": _why(provenance),
        **_brought(delivery),
        "path": progress.path(download),
        "file_digest": None if done is None else done.digest,
        "assurance": None if done is None else done.assurance,
        "completed_at": None if completed is None else iso(completed.at_ns),
        "completed_position": None if completed is None else completed.position,
        "invalid": download.invalid,
    }


def _brought(delivery: Delivery | None) -> dict[str, Any]:
    from lading.projections.instants import iso

    if delivery is None:
        return dict.fromkeys(_OF_A_DELIVERY)
    fact = delivery.fact
    values = (
        [delivery.start, delivery.end],
        delivery.digest,
        delivery.whole,
        delivery.attempt,
        None if delivery.worker is None else str(delivery.worker),
        fact.context.host,
        delivery.storage,
        delivery.transport,
        delivery.tier,
        delivery.source,
        delivery.url,
        delivery.final_url,
        None,
        _validator(delivery.validator),
        delivery.cached,
        iso(fact.at_ns),
        fact.position,
        fact.version,
        type(fact.event).__name__,
        str(fact.id),
    )
    return dict(zip(_OF_A_DELIVERY, values, strict=True))


_OF_A_DELIVERY = (
    "piece", "digest", "whole", "attempt", "worker", "host", "storage", "transport", "tier", "source", "url",
    "final_url", "peer", "validator", "cached", "durable_at", "position", "version", "event", "event_id",
)  # fmt: skip
"""`peer` is the address that sent it, which the log does not have."""


def _validator(validator: Validator | None) -> dict[str, Any] | None:
    if validator is None:
        return None
    return {
        "etag": validator.etag,
        "last_modified": validator.last_modified,
        "length": validator.length,
        "digest": validator.digest,
    }


def _why(provenance: Provenance) -> str:
    """Return in one short sentence whether the byte is there, and since when."""
    from lading.domain.provenance import is_durable
    from lading.projections import progress
    from lading.projections.instants import iso

    download, delivery = provenance.download, provenance.delivery
    if delivery is None:
        return f"not durable: nothing vouches for it; the download is {download.state.shown}, {progress.why(download)}"
    since = f"durable since {units.moment(iso(delivery.fact.at_ns))}"
    if is_durable(provenance):
        return since
    return f"{since}, but not any more: the download is {download.state.shown}, {progress.why(download)}"


def _lines(row: dict[str, Any]) -> list[tuple[str, str]]:
    start, end = row["piece"]
    said = row["validator"] or {}
    brought = f"attempt {row['attempt']} of worker {row['worker'] or units.UNKNOWN}"
    lines = [
        ("the whole file" if row["whole"] else "piece", f"{start}-{end}, {row['digest']}"),
        ("brought by", brought + (f" on {row['host']}" if row["host"] else "")),
        ("from", "the cache" if row["cached"] else f"source {row['source']}, {row['transport']}"),
        ("asked for", row["url"]),
        ("answered", row["final_url"] or "not told by the log"),
        ("validator", ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)),
        ("event", f"{row['position']} ({row['event']}), version {row['version']} of the download"),
    ]
    if row["completed_at"] is not None:
        lines.append(("file", f"{row['path']}, complete since {units.moment(row['completed_at'])}"))
        lines.append(("digest of it", f"{row['file_digest']}, vouched for by its {row['assurance']}"))
    return [(name, value or units.UNKNOWN) for name, value in lines]
