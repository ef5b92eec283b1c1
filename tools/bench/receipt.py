"""`lading bench receipt`: what the receipt of a long download weighs, and how long it takes to issue and to check.

A log is made of one download that came in many steps, each between events of others; nothing of it is fetched.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from lading.adapters import codec
from lading.domain import events as e
from lading.domain.facts import Context
from lading.domain.pieces import Piece
from lading.domain.ports import Entry, Log
from lading.domain.requests import Order, Source
from lading.home import open_home
from lading.opening import open_notary, open_own_log, open_views
from lading.reading import Reading
from lading.receipting import issue
from lading.receipts import verify_receipt
from lading.settings import Settings
from lading.tools.bench.log import refuse_memory
from lading.tools.bench.report import Figure

STREAM, OTHERS, WORKER = (UUID(int=number << 64 | 0x7000_8000 << 32) for number in (1, 2, 3))
STEP_BYTES = 64 * 1024**2
BATCH = 500
_ORDER = Order(sources=(Source(url="https://example.org/huge.bin"),), root="downloads", name="huge.bin")


def run(folder: Path, *, events: int = 10_000) -> list[Figure]:
    """Measure in a new folder below `folder`, which must lie on a disk."""
    refuse_memory(folder)
    with tempfile.TemporaryDirectory(prefix="lading-bench-", dir=folder) as name:
        home = open_home(Path(name) / "home", new_id=WORKER)
        log = open_own_log(home)
        _fill(log, events)
        views = open_views(home, log)
        reading = Reading(log, views)
        try:
            reading.catch_up()
            notary = open_notary(home, log, views, Settings())
            assert notary is not None
            before, began_s = _peak_mb(), time.perf_counter()
            made, _ = issue(reading, notary, STREAM)
            issued_s, peak = time.perf_counter() - began_s, _peak_mb() - before
            verify_receipt(made, str(notary.signer.key))
            verified_s = time.perf_counter() - began_s - issued_s
        finally:
            reading.close()
    return [
        Figure(name=f"receipt of {events:,} events", value=len(made) / 1e6, unit="MB"),
        Figure(name="of each event", value=len(made) / events, unit="bytes"),
        Figure(name="issue it, which checks it too", value=issued_s, unit="s"),
        Figure(name="check it", value=verified_s, unit="s"),
        Figure(name="memory more than before, at the most", value=peak, unit="MB"),
    ]


def _fill(log: Log, events: int) -> None:
    batch: list[list[Entry]] = []
    for version, event in enumerate(_life(events), 1):
        batch.append([_entry(STREAM, version, event)])
        batch.append([_entry(UUID(int=OTHERS.int + version), 1, e.Queued(order=_ORDER))])
        if len(batch) >= BATCH or version == events:
            log.append(batch)
            batch = []


def _life(events: int) -> Iterator[e.Event]:
    steps = events - 3
    yield e.Queued(order=_ORDER)
    yield e.Started(attempt=1, worker=WORKER, storage="s", path="huge.bin", part=".huge.bin.part")
    for at in range(steps):
        piece = Piece(at * STEP_BYTES, (at + 1) * STEP_BYTES, "blake3:" + "ab" * 32)
        yield e.Progressed(attempt=1, pieces=(piece,))
    yield e.Completed(
        attempt=1,
        path="huge.bin",
        size=steps * STEP_BYTES,
        digest="sha256:" + "cd" * 32,
        assurance="length",
        url=_ORDER.url,
    )


def _entry(stream: UUID, version: int, event: e.Event) -> Entry:
    id = UUID(int=stream.int ^ version)
    context = Context(actor="somebody", host="somewhere")
    return Entry(stream, version, type(event).TOPIC, codec.seal(event, id=id, at_ns=version * 10**9, context=context))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
