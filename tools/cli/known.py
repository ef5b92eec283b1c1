"""What is asked for already: asking again gives that download, takes nothing else of what is asked, and says so."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from lading.tools.cli.answers import note, plain
from lading.tools.cli.frame import Frame

if TYPE_CHECKING:
    from lading.domain.download import Download
    from lading.domain.requests import Request
    from lading.reading import Reading


def among(reading: Reading, downloads: Sequence[Download], head: int) -> frozenset[UUID]:
    """Return those that had been there when the log ended at `head`; blocks."""
    last = reading.facts(head - 1, 1) if head else ()
    older = (download for fact in last for download in downloads if download.added_at_ns <= fact.at_ns)
    return frozenset(download.id for download in older if reading.stream(download.id)[0].position <= head)


def say(frame: Frame, requests: Sequence[Request], downloads: Sequence[Download], known: Collection[UUID]) -> None:
    """Say of each that is known already what becomes of it, or is to be done; and of a key that another URL has."""
    from lading.domain import urls

    for request, download in zip(requests, downloads, strict=True):
        url = download.order.url
        if request.key is None:
            if download.id in known:
                note(
                    frame,
                    plain(f"{url} was asked for before and has not ended: that download goes on, as it was asked for"),
                )
        elif url != urls.public(request.url.strip(), secret_path=request.secret_path).url:
            note(frame, plain(f"the key {request.key} names a download with another URL already, {url}: it is given"))
            note(frame, "hint: give another --key for this URL, or `lading remove` that download first")
        elif download.id in known:
            note(frame, plain(f"the key {request.key} names a download already, which is {download.state.shown}"))
            note(frame, plain(f"hint: {_hint(download, shlex.quote(request.key))}"))


def _hint(download: Download, key: str) -> str:
    from lading.domain.faults import NEEDS_SOMEBODY
    from lading.domain.states import State

    if download.blocked in NEEDS_SOMEBODY:
        return f"`lading refresh-url {key} URL` gives it its secrets again, with --header for each header that it had"
    match download.state:
        case State.FAILED | State.CANCELLED:
            return f"`lading retry {key}` tries it again, as it was asked for"
        case State.PAUSED:
            return f"`lading resume {key}` lets it go on, as it was asked for"
        case State.COMPLETED:
            return f"`lading files {key}` looks whether its file is still there; `lading retry {key}` fetches one again"
        case _:
            return f"`lading why {key}` tells what it waits for"
