"""Events and downloads in a few words each, for people who see them for the first time."""

from __future__ import annotations

from lading.domain import estimate
from lading.domain import events as e
from lading.domain.download import Download


def progress_line(download: Download) -> str:
    """Return one download as its name, its share and its state."""
    share = estimate.percent(download.received, download.total)
    name = download.order.url.rpartition("/")[2]
    return f"{name} {'  ? ' if share is None else f'{share:3.0f}%'} {download.state.shown}"


def sentence(event: e.Event) -> str:
    """Return what an event says, in a few words."""
    match event:
        case e.Started():
            return f"attempt {event.attempt}" + (f", {event.resumed_from:,} bytes kept" if event.resumed_from else "")
        case e.Probed():
            return f"the server answered {event.status}" + (f": {event.total:,} bytes" if event.total else "")
        case e.Progressed():
            return f"durable up to byte {event.pieces[-1].end:,}" if event.pieces else "nothing new"
        case e.PieceRejected():
            return f"bytes {event.start:,} to {event.end:,} do not count: {event.reason}"
        case e.RetryScheduled():
            return f"{event.message}; will try again"
        case e.Verified() | e.Completed():
            return f"{event.size:,} bytes, {event.digest[:19]}…"
        case e.Stopped():
            return event.reason
        case e.Recovered():
            return f"{event.interrupted} interrupted, {event.bytes_vouched:,} bytes vouched for"
        case _:
            return ""
