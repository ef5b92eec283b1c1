"""A history for the benches: downloads that are queued, started, make progress and complete, with plausible sizes."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from lading.adapters import codec
from lading.adapters.system import SystemChance
from lading.domain import events as e
from lading.domain.facts import Context
from lading.domain.pieces import Piece
from lading.domain.ports import Entry
from lading.domain.requests import Order, Source
from lading.domain.validators import Validator

CONTEXT = Context(actor="bench", host="localhost")
DIGEST = "sha256:" + "5a" * 32
SIZE = 4 * 1024 * 1024
START_NS = 1_700_000_000 * 10**9


def events(number: int, worker: UUID) -> tuple[e.Event, ...]:
    """Return the five events of the download number `number`."""
    name = f"file-{number:07}.iso"
    url = f"https://host-{number % 50}.example.org/releases/{name}"
    order = Order(sources=(Source(url=url),), tags=("bench",) if number % 10 == 0 else ())
    validator = Validator(etag=f'"{number:x}"', length=SIZE)
    return (
        e.Queued(order=order),
        e.Started(attempt=1, worker=worker, storage="bench", path=name, part=f".{name}.1.part"),
        e.Probed(attempt=1, url=url, status=200, total=SIZE, validator=validator),
        e.Progressed(attempt=1, pieces=(Piece(0, SIZE, DIGEST),)),
        e.Completed(attempt=1, path=name, size=SIZE, digest=DIGEST, assurance="length", url=url, validator=validator),
    )


def requests(downloads: int, *, first: int = 0) -> Iterator[list[Entry]]:
    """Yield the sealed events of downloads, one request for each."""
    chance = SystemChance()
    worker = chance.uuid(START_NS)
    for number in range(first, first + downloads):
        at_ns = START_NS + number * 1_000_000
        stream = chance.uuid(at_ns)
        yield [
            Entry(stream, version, type(event).TOPIC, seal(event, chance.uuid(at_ns), at_ns + version * 1000))
            for version, event in enumerate(events(number, worker), start=1)
        ]


def closed(worker: UUID) -> e.Event:
    """Return an event that belongs to no download."""
    return e.EngineClosed(worker=worker)


def seal(event: e.Event, id: UUID, at_ns: int) -> bytes:
    """Seal an event in the bench's name."""
    return codec.seal(event, id=id, at_ns=at_ns, context=CONTEXT)
