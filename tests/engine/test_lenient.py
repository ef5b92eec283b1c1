"""`--resume lenient`: the last piece, fetched again and found equal, is proof that the rest belongs to it."""

from __future__ import annotations

import pytest

from lading.adapters.codec import open_envelope
from lading.domain import events as e
from lading.domain.requests import Request
from lading.testing.simulation import World, run

URL = "http://a.example/one.bin"
DATA = bytes(range(256)) * 4096 * 12
BREAK = 9_000_000


async def _fetch(world: World, resume: str, *, other: bytes | None = None):
    """Fetch a file without validators whose connection breaks; `other` takes its place after the first break."""
    served = world.network.serve(URL, DATA, rate=1e6, etag=None, break_after=BREAK, headers={"last-modified": ""})
    async with world.engine() as engine:
        download = await engine.submit(Request(URL, resume=resume))
        async for fact in engine.follow(download.id):
            if isinstance(fact.event, e.RetryScheduled):
                served.data = other or DATA
                served.break_after = BREAK if other is None and resume == "lenient" else None
                break
        outcome = await engine.wait(download.id)
    events = [open_envelope(recorded).event for recorded in world.log.read(0, 1000)]
    return outcome, [event for event in events if isinstance(event, e.Restarted)], world.disk.content(outcome.path)


@pytest.mark.law(4)
def test_an_equal_last_piece_lets_a_lenient_resume_go_on():
    """Nothing but the piece proves anything here, and nothing is given up."""
    outcome, restarts, content = run(1, lambda world: _fetch(world, "lenient"))
    assert (outcome.resumed_from, restarts, content) == (BREAK, [], DATA)


@pytest.mark.law(4)
def test_another_last_piece_makes_a_lenient_resume_start_over():
    """The server has other bytes now; not one of the old ones is in the file."""
    other = bytes(reversed(DATA))
    _, restarts, content = run(1, lambda world: _fetch(world, "lenient", other=other))
    assert len(restarts) == 1
    assert content == other


@pytest.mark.law(4)
def test_a_strict_resume_does_not_take_a_piece_for_proof():
    """Without a validator a strict resume starts over, whatever the bytes are."""
    _, restarts, content = run(1, lambda world: _fetch(world, "strict"))
    assert len(restarts) == 1
    assert content == DATA
