"""`lading why`: the chain of causes, from the download's own events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from lading.tools.cli import moments
from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.domain.download import Download
    from lading.domain.facts import Fact
    from lading.projections.around import Around

MOST_CAUSES = 200


@verb()
@click.argument("id")
@moments.options
def command(frame: Frame, id: str, position: int | None, at_ns: int | None) -> None:
    """Tell why a download is in the state that it is in: what happened to it, and who wanted that.

    With --to or --at, why it was in the state in which it was then.
    """
    from lading.tools.cli.answers import write_json
    from lading.tools.cli.homes import looking
    from lading.tools.cli.naming import find

    is_past = position is not None or at_ns is not None
    if is_past:
        with moments.looking_back(frame, moments.Place(position, at_ns)) as (reading, then_ns):
            download = find(reading, id)
            row = _row(download, reading.stream(download.id), reading.around(then_ns)) | {"limits": {}}
    else:
        with looking(frame) as reading:
            download = find(reading, id)
            row = _row(download, reading.stream(download.id), reading.around(time.time_ns()))
            row["limits"] = _limits(frame, download)
    if frame.json:
        write_json(row)
    else:
        _say(frame, row, is_past=is_past)


def _say(frame: Frame, row: dict[str, Any], *, is_past: bool) -> None:
    from lading.tools.cli import units
    from lading.tools.cli.answers import plain
    from lading.tools.cli.homes import unworked
    from lading.tools.cli.units import moment

    print(f"{row['id']} {'was' if is_past else 'is'} {row['state']}: {plain(row['why'])}")
    nobody = None if is_past else unworked(frame, [row["state"]])
    if nobody is not None:
        print(f"  {nobody}")
    for name, rate in row["limits"].items():
        print(f"  held to {units.rate(rate)} by {name}")
    if row["left_out"]:
        print(f"  {row['left_out']} earlier events are left out; `lading log --id {row['id']}` has them")
    for cause in row["causes"]:
        print(f"  {moment(cause['at'])}  {plain(cause['text'])}")
    if row["hint"]:
        print(f"hint: {plain(row['hint'])}")


def _row(download: Download, facts: list[Fact], around: Around) -> dict[str, Any]:
    from lading.projections import progress
    from lading.projections.instants import iso
    from lading.tools.cli.endings import hint
    from lading.tools.cli.sentences import kind, sentence

    chain = _chain(facts)
    return {
        "id": str(download.id),
        "url": download.order.url,
        "state": download.state.shown,
        "why": progress.why(download, around),
        "hint": hint(download),
        "left_out": max(0, len(chain) - MOST_CAUSES),
        "causes": [
            {
                "at": iso(fact.at_ns),
                "position": fact.position,
                "version": fact.version,
                "event": kind(fact.event),
                "text": sentence(fact),
                "actor": fact.context.actor,
                "host": fact.context.host,
            }
            for fact in chain[-MOST_CAUSES:]
        ],
    }


def _limits(frame: Frame, download: Download) -> dict[str, int]:
    """Return what keeps a download that runs from being faster: bytes a second, by what says so."""
    import os

    from lading.projections.queue import host
    from lading.settings import load
    from lading.tools.cli import homes

    if download.state.shown != "active":
        return {}
    settings = load(homes.folder(frame) / "settings.toml", os.environ)
    own = {} if download.limit_rate is None else {"its own limit": download.limit_rate}
    return own | settings.rates(host(download), bundle=download.order.bundle is not None)


def _chain(facts: list[Fact]) -> list[Fact]:
    """Return the facts that led here: of each run of progress only the last."""
    from lading.domain.events import Progressed

    following = [*facts[1:], None]
    return [
        fact
        for fact, after in zip(facts, following, strict=True)
        if not (isinstance(fact.event, Progressed) and after is not None and isinstance(after.event, Progressed))
    ]
