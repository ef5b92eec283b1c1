"""One download whole: all there is to know of it, as one object or as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lading.domain.download import Download
    from lading.reading import Reading


def row(reading: Reading, download: Download, now_ns: int) -> dict[str, Any]:
    """Return all there is to know of a download, as `lading show --json` gives it."""
    from lading.projections import history, progress
    from lading.projections.instants import iso
    from lading.tools.cli.endings import outcome
    from lading.views import ROWS

    order, known = download.order, download.validator
    with reading.views.read() as reader:
        tries = list(history.attempts(reader, download.id, ROWS))
    if len(tries) < download.attempt:  # they were archived, and are in the log
        tries = history.told(reading.stream(download.id), ROWS)
    ended = outcome(download)
    return {
        **progress.listing(download, now_ns, around=reading.around(now_ns)),
        **{name: ended[name] for name in _OF_THE_END},
        "started_at": iso(download.started_at_ns),
        "ended_at": iso(download.ended_at_ns),
        "not_before": iso(download.not_before_ns),
        "blocked": download.blocked,
        "cause": download.cause,
        "sources": [source.url for source in order.sources],
        "source": order.sources[download.source % len(order.sources)].url,
        "final_url": download.url,
        "validator": None
        if known is None
        else {"etag": known.etag, "last_modified": known.last_modified, "digest": known.digest},
        "expected_digest": order.digest,
        "durable": [list(span) for span in download.durable],
        "part": _part(download),
        "storage": download.storage,
        "worker": None if download.worker is None else str(download.worker),
        "headers": list(order.headers),
        "secrets": _secrets(download),
        "retries": order.retries,
        "connections": download.connections,
        "limit_rate": download.limit_rate,
        "if_exists": order.if_exists.value,
        "resume": order.resume.value,
        "allow_unsized": order.allow_unsized,
        "version": download.version,
        "tries": tries[::-1],
    }


def _secrets(download: Download) -> str | None:
    """Return what has become of its secrets; None when it never had any."""
    if not download.order.secret:
        return None
    if download.shredding:
        return "given up, and still to be shredded"
    return "shredded" if download.forgotten else "in the vault"


def _part(download: Download) -> str | None:
    """Return where the part file is, in the same shape as the path; None when nothing will go on with it."""
    from lading.domain.states import State

    if download.part is None or (download.ended and download.state is not State.FAILED):
        return None
    return f"/{download.part.lstrip('/')}" if download.order.root == "/" else download.part


_OF_THE_END = ("digest", "size", "assurance", "transport", "tier", "resumed_from", "cached", "hint")
_SIZES = {"received", "total", "size", "resumed_from"}
_TIMES = {"added_at", "updated_at", "started_at", "ended_at", "not_before"}


def say(row: dict[str, Any]) -> None:
    """Print such a row for people."""
    from lading.tools.cli import tables, units
    from lading.tools.cli.answers import plain

    written = {"percent": units.percent, "rate": units.rate, "eta": units.duration}
    for name, value in row.items():
        if name == "tries" or value is None or value == []:
            continue
        if name in _SIZES:
            text = f"{units.size(value)} ({value} bytes)"
        elif name in _TIMES:
            text = units.moment(value)
        elif name in written:
            text = written[name](value)
        elif name == "durable":
            text = ", ".join(f"{start}-{end}" for start, end in value)
        elif name == "validator":
            text = ", ".join(f"{key} {item}" for key, item in value.items() if item is not None) or units.UNKNOWN
        elif isinstance(value, list):
            text = ", ".join(map(str, value))
        else:
            text = str(value)
        print(f"{name.replace('_', ' ') + ':':<17} {plain(text)}")
    columns = [tables.Column(title) for title in ("TRY", "STARTED", "ENDED", "HOW", "BYTES", "ERROR")]
    tables.show(columns, ([
        tried["attempts"], units.moment(tried["started_at"]), units.moment(tried["ended_at"]), tried["state"],
        units.size(tried["bytes"]), tried["error"] or "",
    ] for tried in row["tries"]))  # fmt: skip
