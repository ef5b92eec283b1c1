"""`lading log`: the events."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.domain.facts import Fact
    from lading.reading import Reading

PAGE = 1000
POLL_S = 0.1


@verb()
@click.option("--follow", is_flag=True, help="Go on as events are recorded; with --id until that download has ended.")
@click.option("--id", metavar="ID", help="Only those of this download (or of the stream with this whole id).")
@click.option("--from", "first", type=click.IntRange(min=0), metavar="P", help="From this position on.")
@click.option("--to", "last", type=click.IntRange(min=0), metavar="P", help="Up to this position.")
def command(frame: Frame, id: str | None, first: int | None, last: int | None, *, follow: bool) -> None:
    """Print the events of the log in its order; both ends of --from and --to are included."""
    from lading.domain.errors import UsageError
    from lading.tools.cli.answers import plain, write_json
    from lading.tools.cli.homes import looking
    from lading.tools.cli.sentences import sentence
    from lading.tools.cli.units import moment

    if first is not None and last is not None and first > last:
        raise UsageError(f"--from {first} lies behind --to {last}", hint="positions grow from --from to --to")
    with looking(frame, caught_up=id is not None) as reading:
        after = max(0, (first or 0) - 1)
        if id is None:
            facts = _whole(reading, after, follow=follow)
        else:
            facts = _stream(reading, _stream_of(reading, id), after, follow=follow)
        for fact in facts:
            if last is not None and fact is not None and fact.position > last:
                return
            if fact is None:
                sys.stdout.flush()
            elif frame.json:
                write_json(_row(fact))
            else:
                row = _row(fact)
                print(f"{fact.position:>8}  {moment(row['at'])}  {fact.stream}  {plain(sentence(fact))}")
            if last is not None and fact is not None and fact.position == last:
                return


def _whole(reading: Reading, after: int, *, follow: bool) -> Iterator[Fact | None]:
    """Walk the log behind a position; None says that its end is reached and more is waited for."""
    while True:
        page = reading.facts(after, PAGE)
        yield from page
        if page:
            after = page[-1].position
        elif follow:
            yield None
            time.sleep(POLL_S)
        else:
            return


def _stream(reading: Reading, stream: UUID, after: int, *, follow: bool) -> Iterator[Fact | None]:
    from lading.domain.download import Download
    from lading.domain.evolving import evolve
    from lading.projections.fold import OF_DOWNLOADS

    version, head, state = 0, -1, None
    while True:
        now = reading.log.head()
        for fact in reading.stream(stream, version) if now != head else []:
            version = fact.version
            if type(fact.event) in OF_DOWNLOADS:
                state = evolve(state, fact.event, stream=stream, at_ns=fact.at_ns)
            if fact.position > after:
                yield fact
        head = now
        if not follow or (isinstance(state, Download) and state.ended):
            return
        yield None
        time.sleep(POLL_S)


def _stream_of(reading: Reading, text: str) -> UUID:
    """Return the stream of the download that is meant, or of whatever else has this whole id."""
    from lading.domain.errors import UnknownDownload
    from lading.tools.cli.naming import find

    try:
        return find(reading, text).id
    except UnknownDownload:
        try:
            stream = UUID(text)
        except ValueError:
            stream = None
        if stream is None or not reading.log.stream(stream):
            raise
        return stream


def _row(fact: Fact) -> dict[str, Any]:
    from lading.adapters import codec
    from lading.projections.instants import iso
    from lading.tools.cli.sentences import kind

    context = fact.context
    return {
        "position": fact.position,
        "at": iso(fact.at_ns),
        "id": str(fact.stream),
        "version": fact.version,
        "event": kind(fact.event),
        "topic": type(fact.event).TOPIC,
        "event_id": str(fact.id),
        "actor": context.actor,
        "host": context.host,
        "correlation": None if context.correlation is None else str(context.correlation),
        "causation": None if context.causation is None else str(context.causation),
        "data": codec.words(fact.event),
    }
