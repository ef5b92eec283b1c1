"""Recovery: replay, then the disk held against the log; what was found is counted, what is discarded is said."""

from __future__ import annotations

import pytest
import trio

from lading.domain import events as e
from lading.domain.replies import OVERLAP_BYTES
from lading.domain.requests import IfExists, Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.law(3), pytest.mark.row("S0.4"), pytest.mark.row("S3.5"), pytest.mark.row("S0.3")]

URL, FINAL = "http://a.example/file.bin", "/downloads/file.bin"
SIZE, RATE = 400_000, 2e3


def part_of(world: World) -> str:
    """The one part file that there is."""
    (path,) = [path for path in world.disk.paths() if path.endswith(".part")]
    return path


ZEROES = {
    "interrupted": 0,
    "resumable": 0,
    "published": 0,
    "vanished": 0,
    "cleaned": 0,
    "bytes_vouched": 0,
    "bytes_discarded": 0,
}


async def killed_after(world: World, seconds: float, *requests: Request) -> World:
    """Return what is left when an engine is killed after so many seconds with these downloads."""
    async with trio.open_nursery() as nursery:

        async def work() -> None:
            async with world.engine() as engine:
                await engine.submit_many(requests)
                await trio.sleep_forever()

        nursery.start_soon(work)
        await trio.sleep(seconds)
        left = world.fork(1)
        nursery.cancel_scope.cancel()
    return left


def counts(tale, world: World) -> dict[str, int]:
    """What the one `Recovered` counted."""
    (recovered,) = tale(world.log).all(e.Recovered)
    return {name: getattr(recovered, name) for name in ZEROES}


async def finished(world: World) -> list:
    async with world.engine() as engine:
        return [await engine.wait(download.id) for download in list(engine.reading.downloads())]


def test_it_goes_on_from_the_last_durable_byte(tale, payload):
    """Two checkpoints were taken; what came after them is cut off, and that is said."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        world.network.serve(URL, data, rate=RATE)
        world = await killed_after(world, 180, Request(URL))
        (download,) = tale(world.log).downloads()
        vouched, held = download.received, len(world.disk.content(part_of(world)))
        assert 2 * 60 * RATE <= vouched < held
        (outcome,) = await finished(world)
        assert outcome.ok
        assert outcome.resumed_from == vouched
        assert outcome.attempts == 2
        assert world.network.calls[-1].start == vouched - OVERLAP_BYTES
        assert world.disk.content(FINAL) == data
        (rejected,) = tale(world.log).all(e.PieceRejected)
        assert (rejected.start, rejected.end) == (vouched, held)
        assert "vouch" in rejected.reason
        assert counts(tale, world) == ZEROES | {"interrupted": 1, "resumable": 1, "bytes_vouched": vouched}

    run(1, story)


def test_a_damaged_byte_costs_its_piece_and_what_follows(tale, payload):
    """The disk changed a byte that the log vouches for: found by its digest, said, and fetched again."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        world.network.serve(URL, data, rate=RATE)
        world = await killed_after(world, 180, Request(URL))
        spoilt = bytearray(world.disk.content(part_of(world)))
        spoilt[130_000] ^= 1
        world.disk.put(part_of(world), bytes(spoilt))
        (outcome,) = await finished(world)
        assert outcome.ok
        assert world.disk.content(FINAL) == data
        rejected = tale(world.log).all(e.PieceRejected)
        assert rejected[0].start <= 130_000 < rejected[0].end
        assert "digest" in rejected[0].reason
        assert outcome.resumed_from == rejected[0].start

    run(1, story)


@pytest.mark.parametrize("left", [0, 5, 70_000, 119_999])
def test_a_part_that_was_cut_short_is_believed_as_far_as_its_pieces_are_whole(left, tale, payload):
    """A file system that lost the tail, or somebody with truncate."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        world.network.serve(URL, data, rate=RATE)
        world = await killed_after(world, 180, Request(URL))
        world.disk.put(part_of(world), world.disk.content(part_of(world))[:left])
        (outcome,) = await finished(world)
        assert outcome.ok
        assert outcome.resumed_from <= left
        assert world.disk.content(FINAL) == data
        assert "shorter" in tale(world.log).all(e.PieceRejected)[0].reason

    run(1, story)


@pytest.mark.parametrize("more", [1, 500_000])
def test_bytes_that_somebody_wrote_behind_the_end_never_reach_the_file(more, payload):
    """Nor any that lie where the rest is still to come."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        world.network.serve(URL, data, rate=RATE)
        world = await killed_after(world, 180, Request(URL))
        (download,) = [path for path in world.disk.paths() if path.endswith(".part")]
        world.disk.put(download, world.disk.content(download).ljust(SIZE, b"?") + b"!" * more)
        (outcome,) = await finished(world)
        assert (outcome.ok, outcome.size) == (True, SIZE)
        assert outcome.resumed_from > 0
        assert world.disk.content(FINAL) == data

    run(1, story)


def test_a_part_that_vanished_is_fetched_again_from_the_start(tale, payload):
    """Somebody cleaned the folder: counted, and the discarded bytes are said in a `Restarted`."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        world.network.serve(URL, data, rate=RATE)
        world = await killed_after(world, 180, Request(URL))
        vouched = next(tale(world.log).downloads()).received
        world.disk.unlink(part_of(world))
        (outcome,) = await finished(world)
        assert (outcome.ok, outcome.resumed_from) == (True, 0)
        assert world.disk.content(FINAL) == data
        assert counts(tale, world) == ZEROES | {"interrupted": 1, "vanished": 1, "bytes_vouched": vouched}
        assert [x.discarded for x in tale(world.log).all(e.Restarted)] == [vouched]

    run(1, story)


def test_before_the_first_checkpoint_nothing_is_vouched_for(tale, payload):
    """So all of the part is cut off, and neither resumable nor vanished is claimed."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        world.network.serve(URL, data, rate=RATE)
        world = await killed_after(world, 50, Request(URL))
        held = len(world.disk.content(part_of(world)))
        assert held > 60_000
        (outcome,) = await finished(world)
        assert (outcome.ok, outcome.resumed_from) == (True, 0)
        assert world.disk.content(FINAL) == data
        assert counts(tale, world) == ZEROES | {"interrupted": 1}
        assert [(x.start, x.end) for x in tale(world.log).all(e.PieceRejected)] == [(0, held)]

    run(1, story)


def cut_off_at(step: str, world: World, telling, number: int = 1) -> list[World]:
    """Have `world` leave a fork of itself at the so-manieth step of that name."""
    forks: list[World] = []
    seen = iter(range(1, 10**6))

    def tell(told: str) -> None:
        if told == step and next(seen) == number:
            forks.append(world.fork(1))

    world.log, world.disk = telling(world.log, tell), telling(world.disk, tell)
    return forks


@pytest.mark.parametrize("size", [5000, 1_100_000], ids=["small", "verified"])
@pytest.mark.parametrize("replace", [False, True])
def test_what_was_published_but_not_said_is_completed_if_it_is_vouched_for(size, replace, tale, telling, payload):
    """Killed between link and `Completed`: with a `Verified` it is complete, without it is taken back and fetched."""

    async def story(world: World) -> None:
        data = payload(size)
        world.network.serve(URL, data)
        if replace:
            world.disk.put(FINAL, b"what was there before")
        cut = cut_off_at("after publish", world, telling)
        async with world.engine() as engine:
            download = await engine.submit(Request(URL, if_exists=IfExists.OVERWRITE if replace else IfExists.FAIL))
            await engine.wait(download.id)
        (world,) = cut
        asked = len(world.network.calls)
        assert world.disk.content(FINAL) == data
        (outcome,) = await finished(world)
        assert outcome.ok
        assert outcome.digest == f"sha256:{__import__('hashlib').sha256(data).hexdigest()}"
        assert world.disk.content(FINAL) == data
        assert [path for path in world.disk.paths() if not path.endswith(".kept")] == [FINAL]
        verified = bool(tale(world.log).all(e.Verified))
        assert verified is (size > 1 << 20 or replace)
        assert len(world.network.calls) - asked == (0 if verified else 1)
        assert counts(tale, world) == ZEROES | {"interrupted": 1, "published": int(verified)}

    run(1, story)


def test_a_small_file_with_a_digest_needs_no_verified(tale, telling, payload):
    """What the user said of the content is proof enough: it is digested where it lies, not fetched again."""

    async def story(world: World) -> None:
        data = payload(5000)
        world.network.serve(URL, data)
        digest = f"sha256:{__import__('hashlib').sha256(data).hexdigest()}"
        cut = cut_off_at("after publish", world, telling)
        async with world.engine() as engine:
            await engine.wait((await engine.submit(Request(URL, digest=digest))).id)
        (world,) = cut
        asked = len(world.network.calls)
        (outcome,) = await finished(world)
        assert (outcome.ok, outcome.assurance, outcome.attempts) == (True, "digest", 1)
        assert len(world.network.calls) == asked
        assert world.disk.paths() == [FINAL]

    run(1, story)


def test_somebody_elses_file_under_the_final_name_is_never_taken_for_ours(tale, telling, payload):
    """Killed just before the link; then another program puts a file of the same size there."""

    async def story(world: World) -> None:
        data, other = payload(1_100_000), payload(1_100_000, 9)
        world.network.serve(URL, data)
        cut = cut_off_at("before publish", world, telling)
        async with world.engine() as engine:
            await engine.wait((await engine.submit(Request(URL))).id)
        (world,) = cut
        world.disk.put(FINAL, other)
        (outcome,) = await finished(world)
        assert outcome.state is State.FAILED
        assert outcome.cause == "destination"
        assert world.disk.content(FINAL) == other

    run(1, story)


def test_a_part_that_outlived_completion_is_cleared(tale, telling, payload):
    """Killed between `Completed` and the removal of the part's own name."""

    async def story(world: World) -> None:
        data = payload(5000)
        world.network.serve(URL, data)
        cut = cut_off_at("before unlink", world, telling)
        async with world.engine() as engine:
            await engine.wait((await engine.submit(Request(URL))).id)
        (world,) = cut
        assert world.disk.paths() == [part_of(world), FINAL]
        async with world.engine():
            pass
        assert world.disk.paths() == [FINAL]
        assert counts(tale, world) == ZEROES | {"cleaned": 1}

    run(1, story)


@pytest.mark.parametrize("retention_s", [0, 3600])
@pytest.mark.parametrize("verb", ["cancel", "remove"])
def test_what_was_asked_of_a_killed_engine_is_done_by_the_next(verb, retention_s, tale, payload):
    """A client cancelled it while nobody ran it: its files go, or are put aside, when an engine comes."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(SIZE), rate=RATE)
        world = await killed_after(world, 180, Request(URL))
        (download,) = tale(world.log).downloads()
        async with world.engine(owner=False) as client:
            (asked,) = await getattr(client, verb)(download.id, wait=False)
            assert asked.state.shown == "stopping"
            assert world.disk.paths() == [part_of(world)]
        held = len(world.disk.content(part_of(world)))
        async with world.engine(retention_s=retention_s) as engine:
            left = await engine.get(download.id)
            assert left.state.shown == {"cancel": "cancelled", "remove": "removed"}[verb]
            await engine.wait_idle()
        assert world.disk.paths() == ([f"/downloads/{left.part}"] if retention_s else [])
        assert not retention_s or left.part.endswith(".kept")
        discarded = 0 if retention_s else held
        assert counts(tale, world) == ZEROES | {"interrupted": 1, "cleaned": 1, "bytes_discarded": discarded}

    run(1, story)


def test_a_pause_of_a_killed_engine_holds(tale, payload):
    """It rests under the next engine too, with all its durable bytes, until somebody resumes it."""

    async def story(world: World) -> None:
        data = payload(SIZE)
        world.network.serve(URL, data, rate=RATE)
        world = await killed_after(world, 180, Request(URL))
        (download,) = tale(world.log).downloads()
        async with world.engine(owner=False) as client:
            await client.pause(download.id, wait=False)
        async with world.engine() as engine:
            await trio.sleep(1000)
            left = await engine.get(download.id)
            assert (left.state, left.received) == (State.PAUSED, download.received)
            await engine.resume(download.id)
            assert (await engine.wait(download.id)).resumed_from == download.received
        assert world.disk.content(FINAL) == data

    run(1, story)


def test_many_are_counted_in_one_event(tale, payload):
    """One `Recovered` for all that was left, of each kind its number."""

    async def story(world: World) -> None:
        urls = [f"http://a.example/{number}" for number in range(5)]
        for number, url in enumerate(urls):
            world.network.serve(url, payload(SIZE, number), rate=RATE)
        world = await killed_after(world, 180, *map(Request, urls))
        vouched = sum(download.received for download in tale(world.log).downloads())
        world.disk.unlink(next(path for path in world.disk.paths() if path.startswith("/downloads/.1.")))
        async with world.engine():
            pass
        assert counts(tale, world) == ZEROES | {
            "interrupted": 3,
            "resumable": 2,
            "vanished": 1,
            "bytes_vouched": vouched,
        }

    run(1, story)


def test_opening_after_nothing_happened_says_nothing(tale, payload):
    """Neither the first opening nor one after an orderly close has anything to recover."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(5000))
        for _ in range(3):
            async with world.engine() as engine:
                await engine.submit(Request(URL, if_exists=IfExists.RENAME))
                await engine.wait_idle()
        assert tale(world.log).all(e.Recovered) == []
        assert len(world.disk.paths()) == 3

    run(1, story)
