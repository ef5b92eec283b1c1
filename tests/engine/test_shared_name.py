"""Two downloads, one name, one after the other: what is asked of the first is not done to the second's file."""

from __future__ import annotations

import pytest

from lading.domain.requests import IfExists, Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.law(5), pytest.mark.row("S1.5")]

OLD, NEW, FINAL = "http://a.example/old", "http://a.example/new", "/downloads/file.bin"


def test_removing_what_was_overwritten_leaves_the_file_that_overwrote_it(payload):
    """The file under the name is the second's; the first has none any more that could be removed."""

    async def story(world: World) -> None:
        world.network.serve(OLD, payload(1000, 1))
        world.network.serve(NEW, payload(1000, 2))
        async with world.engine(retention_s=0) as engine:
            old = await engine.submit(Request(OLD, path="file.bin"))
            await engine.wait(old.id)
            new = await engine.submit(Request(NEW, path="file.bin", if_exists=IfExists.OVERWRITE))
            await engine.wait(new.id)
            (removed,) = await engine.remove(old.id, files=True)
            assert (removed.state, removed.litter) == (State.REMOVED, False)
            assert world.disk.content(FINAL) == payload(1000, 2)
            await engine.remove(new.id, files=True)
            assert world.disk.paths() == []

    run(1, story)
