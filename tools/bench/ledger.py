"""`lading bench ledger`: what the Merkle tree over the log costs, and how long its proofs take.

Tasks append single events, each durable, through the engine's own writer, while the views follow; in turn with the
ledger among them and without. Then a ledger of a million events is asked for roots and proofs at random places.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock
from uuid import UUID

import trio

from lading.adapters.lmdb.log import LMDBLog
from lading.adapters.lmdb.store import LMDBStore
from lading.domain.ports import Recorded
from lading.projections import ledger
from lading.tools.bench.log import produce, refuse_memory
from lading.tools.bench.pairs import Comparison, compare
from lading.tools.bench.report import Figure
from lading.views import Views

EVENTS = 1_000_000
BATCH = 5_000
QUESTIONS = 1_000


def run(folder: Path, *, pairs: int = 9) -> list[Comparison | Figure]:
    """Measure in a new folder below `folder`, which must lie on a disk."""
    refuse_memory(folder)
    with tempfile.TemporaryDirectory(prefix="lading-bench-", dir=folder) as name:
        place = Path(name)
        compared = compare(
            "append, 64 tasks, views following",
            lambda: _appended(place / "on"),
            lambda: _without(lambda: _appended(place / "off")),
            peer="the same without the ledger",
            pairs=pairs,
            least=0.8,
        )
        return [compared, *_proofs(place / "large")]


def _appended(place: Path) -> float:
    """Return how many events a second tasks append beside views that follow."""
    log = LMDBLog(place / "log")
    views = Views(log, lambda folder: LMDBStore(folder, metasync=False), place)
    try:
        return trio.run(produce, log, views)
    finally:
        views.close()
        log.close()
        shutil.rmtree(place)


def _without(measure: Callable[[], float]) -> float:
    with mock.patch.object(ledger, "append", autospec=True):
        return measure()


def _proofs(place: Path) -> Iterator[Figure]:
    with _large(place) as store, store.read() as reader:
        size, chance = ledger.size(reader), random.Random(1)
        ordinals = [chance.randrange(1, size) for _ in range(QUESTIONS)]
        for name, ask in (
            ("root of a random size", lambda ordinal: ledger.root(reader, ordinal)),
            ("inclusion of a random event", lambda ordinal: ledger.inclusion(reader, ordinal)),
            ("consistency with a random size", lambda ordinal: ledger.consistency(reader, ordinal)),
        ):
            began_s = time.perf_counter()
            for ordinal in ordinals:
                ask(ordinal)
            took_ms = (time.perf_counter() - began_s) * 1000 / QUESTIONS
            yield Figure(name=f"{name}, of {size:,}", value=took_ms, unit="ms")


@contextmanager
def _large(place: Path) -> Iterator[LMDBStore]:
    store = LMDBStore(place, metasync=False)
    try:
        for start in range(0, EVENTS, BATCH):
            records = [
                Recorded(at + 1, UUID(int=at // 5), at % 5 + 1, "lading.bench.v1", b"%d" % at)
                for at in range(start, start + BATCH)
            ]
            with store.write() as txn:
                ledger.append(txn, records)
        yield store
    finally:
        store.close()
