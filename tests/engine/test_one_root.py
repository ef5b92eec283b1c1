"""The same events have the same root, wherever they lie, however they came, and after every rebuild."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from proofbundle import merkle

from lading.adapters import codec
from lading.domain import events as e
from lading.domain import ledger as tree
from lading.domain.ports import Entry, Log
from lading.domain.requests import Order, Source
from lading.home import open_home
from lading.logs import open_log
from lading.opening import open_views
from lading.projections import ledger
from lading.testing import MemoryLog, MemoryStore
from lading.views import Views

pytestmark = [
    pytest.mark.row("C.5"),
    pytest.mark.row("C.4"),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

EVENTS = 1_200
BOTH_SIDES_OF_A_TILE = (1, 100, 155, 256, 511, 512, 777)


def history(seed: int) -> list[list[Entry]]:
    """Return requests of downloads that are queued, paused, resumed and reprioritised, all mixed up."""
    chance = random.Random(seed)
    order = Order(sources=(Source(url="https://example.org/a"),), root="/", folder="tmp")
    versions: dict[UUID, int] = {}
    requests: list[list[Entry]] = []
    for number in range(EVENTS):
        known = [stream for stream, version in versions.items() if version < 9]
        is_new = not known or chance.random() < 0.1
        stream = UUID(int=chance.getrandbits(128), version=4) if is_new else chance.choice(known)
        version = versions[stream] = versions.get(stream, 0) + 1
        event = (
            e.Queued(order=order) if is_new
            else e.Paused() if version % 3 == 2
            else e.Resumed() if version % 3 == 0
            else e.Reprioritised(priority=number)
        )  # fmt: skip
        id = UUID(int=chance.getrandbits(128), version=4)
        requests.append([Entry(stream, version, type(event).TOPIC, codec.seal(event, id=id, at_ns=10**18 + number))])
    return requests


@contextlib.contextmanager
def gapped(url: str) -> Iterator[Log]:
    """Open a PostgreSQL log whose positions have gaps: some inserts were rolled back, as of a client that died."""
    import psycopg

    address, _, schema = url.rpartition("schema=")
    log = open_log(url, Path("/nowhere"))
    with psycopg.connect(address.rstrip("?&"), autocommit=True) as connection:
        sequence = f"pg_get_serial_sequence('{schema}.lading_events', 'notification_id')"

        class Gapped:
            def __getattr__(self, name):
                return getattr(log, name)

            def append(self, requests):
                connection.execute(f"SELECT nextval({sequence})")
                return log.append(requests)

        yield Gapped()
    log.close()


@pytest.fixture(params=["lmdb", "sqlite", "memory", "in the hand of a test", "postgresql"])
def log(request, tmp_path) -> Iterator[Log]:
    """An empty log of every kind."""
    with contextlib.ExitStack() as closing:
        if request.param == "postgresql":
            yield closing.enter_context(gapped(request.getfixturevalue("postgres_url")))
        else:
            urls = {"lmdb": "lmdb:", "sqlite": "sqlite:log.db", "memory": "memory:"}
            url = urls.get(request.param)
            found = MemoryLog() if url is None else open_log(url, tmp_path)
            closing.callback(found.close)
            yield found


def roots(views: Views) -> list[bytes]:
    """Return the root of the ledger in views as it is and as it was."""
    with views.read() as reader:
        return [ledger.root(reader, size) for size in (*BOTH_SIDES_OF_A_TILE, ledger.size(reader))]


@pytest.fixture(scope="module")
def requests() -> list[list[Entry]]:
    """One history for all of them."""
    return history(11)


@pytest.fixture(scope="module")
def known(requests) -> list[bytes]:
    """Its roots, as an implementation that is not ours has them."""
    entries = [tree.entry(*entry) for (entry,) in requests]
    return [merkle.merkle_tree_hash(entries[:size]) for size in (*BOTH_SIDES_OF_A_TILE, EVENTS)]


@pytest.mark.parametrize("steps", [(1, 9, 90, 300), (EVENTS,), (255, 1, 256, 257)])
def test_every_log_has_the_same_root(log, requests, known, steps, tmp_path):
    """Through the views of a home, caught up with in steps of any size, and after they were made anew."""
    views = open_views(open_home(tmp_path / "home", new_id=UUID(int=1)), log)
    try:
        done, turn = 0, 0
        while done < EVENTS:
            step = steps[turn % len(steps)]
            log.append(requests[done : done + step])
            done, turn = done + step, turn + 1
            while not views.catch_up(max(1, step // 2)).reached:
                continue
        assert roots(views) == known
        assert views.verify() == []
        views.rebuild()
        assert roots(views) == known
    finally:
        views.close()


def test_positions_do_have_gaps(postgres_url, requests):
    """Or the test above would show less than it says."""
    with gapped(postgres_url) as log:
        positions = [at for start in (0, 5) for answer in log.append(requests[start : start + 5]) for at in answer]
    assert len(positions) == 10
    assert positions[-1] - positions[0] > 9


def test_views_in_memory_have_that_root_too(requests, known):
    """What embedders and simulations stand on."""
    log = MemoryLog()
    log.append(requests)
    views = Views(log, lambda _: MemoryStore())
    while not views.catch_up(333).reached:
        continue
    assert roots(views) == known
    views.close()


def test_another_order_another_word_or_one_event_less_has_another_root(requests, known):
    """The root tells histories apart that differ in the least."""
    entries = [tree.entry(*entry) for (entry,) in requests]
    swapped = [entries[1], entries[0], *entries[2:]]
    (first,) = requests[0]
    changed = [tree.entry(first.stream, first.version, first.topic, first.state + b" "), *entries[1:]]
    for other in (swapped, changed, entries[:-1], entries[1:], [*entries, entries[0]]):
        assert tree.root_of(map(tree.leaf_of, other)) != known[-1]
