"""A digest that the server states is held against what arrived, and proves sameness for a resume."""

from __future__ import annotations

import random
from base64 import b64encode

import pytest

from lading.domain import digests
from lading.domain import events as e
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S2.4")]

URL, FINAL = "http://a.example/file.bin", "/downloads/file.bin"
DATA = random.Random(5).randbytes(900_000)
NAMES = {"sha256": "sha-256", "sha512": "sha-512"}


def stated(data: bytes, algorithm: str = "sha256") -> dict[str, str]:
    digest = bytes.fromhex(digests.of(data, algorithm).partition(":")[2])
    return {"repr-digest": f"{NAMES[algorithm]}=:{b64encode(digest).decode()}:"}


@pytest.mark.law(5)
@pytest.mark.parametrize("algorithm", NAMES)
def test_file_that_has_the_stated_digest_is_vouched_for_by_it(algorithm):
    """By one that we compute anyway, or by another beside it; the log keeps what was stated."""

    async def story(world: World) -> None:
        world.network.serve(URL, DATA, headers=stated(DATA, algorithm))
        async with world.engine() as engine:
            download = await engine.submit(Request(URL))
            outcome = await engine.wait(download.id)
            known = (await engine.get(download.id)).validator
        assert (outcome.assurance, outcome.digest) == ("digest", digests.of(DATA))
        assert known is not None
        assert known.digest == digests.of(DATA, algorithm)

    run(1, story)


@pytest.mark.law(5)
@pytest.mark.parametrize("algorithm", NAMES)
def test_file_of_the_right_size_without_the_stated_digest_is_never_published(algorithm):
    """Something on the way has damaged it: it is fetched once more, and then given up with the reason."""

    async def story(world: World) -> None:
        served = world.network.serve(URL, DATA, headers=stated(DATA[::-1], algorithm))
        async with world.engine() as engine:
            download = await engine.submit(Request(URL))
            outcome = await engine.wait(download.id)
        assert (outcome.state, outcome.cause) == (State.FAILED, "digest-mismatch")
        assert "server states" in (outcome.error or "")
        assert served.asked == 2
        assert world.disk.inode(FINAL) is None

    run(1, story)


@pytest.mark.law(5)
def test_damage_that_happens_once_is_made_good():
    """The second time it arrives whole."""

    async def story(world: World) -> None:
        served = world.network.serve(URL, DATA[:-1] + b"?", headers=stated(DATA))
        async with world.engine() as engine:
            download = await engine.submit(Request(URL))
            async for fact in engine.follow(download.id):
                if isinstance(fact.event, e.Restarted):
                    served.data = DATA
            outcome = await engine.wait(download.id)
        assert (outcome.assurance, outcome.attempts) == ("digest", 2)
        assert world.disk.content(FINAL) == DATA

    run(1, story)


def test_expected_digest_outranks_the_stated_one():
    """Whoever knows what the file is need not believe a server that states nonsense."""

    async def story(world: World) -> None:
        world.network.serve(URL, DATA, headers=stated(DATA[::-1]))
        async with world.engine() as engine:
            download = await engine.submit(Request(URL, digest=digests.of(DATA, "md5")))
            outcome = await engine.wait(download.id)
        assert (outcome.assurance, outcome.digest) == ("digest", digests.of(DATA, "md5"))

    run(1, story)


@pytest.mark.law(4)
@pytest.mark.parametrize(("same", "resumed"), [(True, True), (False, False), (None, False)])
def test_stated_digest_alone_is_proof_enough_for_a_resume(same, resumed):
    """Without an ETag or a date: the rest is taken while the same digest is stated, never another's or none's."""

    async def story(world: World) -> None:
        other = random.Random(6).randbytes(len(DATA))
        served = world.network.serve(URL, DATA, etag=None, rate=1e5, break_after=500_000, headers=stated(DATA))
        served.headers |= {"last-modified": "", "date": ""}
        async with world.engine() as engine:
            download = await engine.submit(Request(URL))
            async for fact in engine.follow(download.id):
                if isinstance(fact.event, e.RetryScheduled) and served.break_after is not None:
                    served.break_after = None
                    if same is not True:
                        served.data = other
                        served.headers["repr-digest"] = "" if same is None else stated(other)["repr-digest"]
            outcome = await engine.wait(download.id)
        assert outcome.ok
        assert (outcome.resumed_from > 0) is resumed
        assert world.disk.content(FINAL) == (DATA if same else other)

    run(1, story)
