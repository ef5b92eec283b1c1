"""What is asked for already: asking again gives that download, takes nothing else of what is asked, and says so."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from lading.tools.cli.answers import note, plain
from lading.tools.cli.frame import Frame

FEW = 100
_OPTIONS = {
    "limit_rate": "--limit-rate",
    "connections": "--connections",
    "priority": "--priority",
    "tags": "--tag",
    "retries": "--retries",
}

if TYPE_CHECKING:
    from lading.domain.download import Download
    from lading.domain.requests import Request
    from lading.engine import Engine
    from lading.reading import Reading


def among(reading: Reading, downloads: Sequence[Download], head: int) -> frozenset[UUID]:
    """Return those that had been there when the log ended at `head`; blocks."""
    likely = downloads
    if len(downloads) > FEW:  # then only those that the clock says to be older, if it has not been put back
        last = reading.facts(head - 1, 1) if head else ()
        likely = [download for fact in last for download in downloads if download.added_at_ns <= fact.at_ns]
    return frozenset(download.id for download in likely if reading.stream(download.id)[0].position <= head)


def check(requests: Sequence[Request], downloads: Sequence[Download]) -> None:
    """Refuse a digest that a key's download was not asked for with: nobody would hold it against the file.

    Raises:
        UsageError: so it is, and the file is not there with just that digest either.
    """
    from lading.domain.errors import UsageError

    for request, download in zip(requests, downloads, strict=True):
        if request.key is not None and request.digest not in {None, download.order.digest, download.digest}:
            key = shlex.quote(request.key)
            hint = f"`lading show {key}` tells what it has; `lading remove {key}` first, or give another --key"
            raise UsageError(
                f"the key {request.key} names a download that was asked for without this digest", hint=hint
            )


async def let_go_on(engine: Engine, downloads: Sequence[Download], known: Collection[UUID]) -> None:
    """Let those that are known and rest go on: whoever asks for their files now wants them now."""
    from lading.domain.errors import IllegalCommand
    from lading.domain.states import State

    for download in downloads:
        if download.id in known and download.state in {State.PAUSED, State.PAUSING}:
            with contextlib.suppress(IllegalCommand):  # it has ended meanwhile, which is told as every end is
                await engine.resume(download.id)


def say(
    frame: Frame, requests: Sequence[Request], downloads: Sequence[Download], known: Collection[UUID], *, go_on: bool
) -> None:
    """Say of each that is known already what becomes of it, or is to be done; and of a key that another URL has.

    That of those which rest is another when they `go_on`.
    """
    from lading.domain import urls

    for request, download in zip(requests, downloads, strict=True):
        url, key = download.order.url, request.key
        if key is not None and url != urls.public(request.url.strip(), secret_path=request.secret_path).url:
            note(frame, plain(f"the key {key} names a download with another URL already, {url}: it is given"))
            note(frame, "hint: give another --key for this URL, or `lading remove` that download first")
        elif download.id in known:
            called = (
                f"{url} was asked for before, and" if key is None else f"the key {key} names a download already, which"
            )
            stands = _standing(download, go_on=go_on)
            note(frame, plain(f"{called} {stands or f'is {download.state.shown}'}"))
            if stands is None:
                hint = _hint(download, str(download.id) if key is None else shlex.quote(key))
                note(frame, plain(f"hint: {hint}"))
            if untaken := [option for name, option in _OPTIONS.items() if _differs(request, download, name)]:
                note(frame, f"hint: it is as it was asked for, without this {', '.join(untaken)}; see `lading limit`")


def _standing(download: Download, *, go_on: bool) -> str | None:
    """Return in words what a download does without anybody's help, None where somebody has to do something."""
    from lading.domain.faults import NEEDS_SOMEBODY
    from lading.domain.states import ENDED, State

    if not go_on or download.state in ENDED or download.blocked in NEEDS_SOMEBODY:
        return None
    return "was paused, and goes on" if download.state in {State.PAUSED, State.PAUSING} else "goes on"


def _differs(request: Request, download: Download, name: str) -> bool:
    asked: object = getattr(request, name)
    return bool(asked) and asked != getattr(download.order, name)


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
