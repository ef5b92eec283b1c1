"""A file that has been said complete is the user's: nothing that becomes of its download takes it away unasked."""

from __future__ import annotations

import pytest

from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.law(5), pytest.mark.row("S0.4", "S1.5")]

URL, FINAL = "http://a.example/file.bin", "/downloads/file.bin"


@pytest.mark.parametrize("files", [False, True])
@pytest.mark.parametrize("size", [5000, 1_100_000], ids=["small", "verified"])
def test_removing_what_completed_just_before_a_kill_leaves_the_file(files, size, tale, telling, payload):
    """Its part was still there beside it when the engine was killed; a client removed it before the next one came."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(size))
        forks: list[World] = []
        world.disk = telling(world.disk, lambda told: forks.append(world.fork(1)) if told == "before unlink" else None)
        async with world.engine() as engine:
            await engine.wait((await engine.submit(Request(URL))).id)
        (left,) = forks
        (download,) = tale(left.log).downloads()
        assert download.state is State.COMPLETED
        assert len(left.disk.paths()) == 2
        async with left.engine(owner=False) as client:
            await client.remove(download.id, files=files, wait=False)
        async with left.engine() as engine:
            await engine.wait_idle()
            (removed,) = await engine.remove(download.id)
            assert (removed.state, removed.litter) == (State.REMOVED, False)
        assert [path for path in left.disk.paths() if not path.endswith(".kept")] == ([] if files else [FINAL])
        assert len(left.disk.paths()) == 1

    run(1, story)
