"""Asking again in the same words means what was asked for before, as long as that has not ended."""

from __future__ import annotations

from unittest.mock import Mock
from uuid import UUID

import attrs
import pytest
import trio

from lading.domain.errors import IntegrityError
from lading.domain.requests import IfExists, Request
from lading.domain.states import State
from lading.repeats import MOST_LOOKED_AT
from lading.testing.simulation import World, run

pytestmark = pytest.mark.row("S0.1")

URL = "http://a.example/file.bin"
ASKED = Request(f"{URL}?token=one", headers={"X-Key": "one"}, digest=f"sha256:{'a' * 64}", folder="/downloads/in")


@pytest.mark.parametrize(
    "changes",
    [
        {"url": URL},
        {"url": f"{URL}?token=two"},
        {"headers": {"X-Key": "two"}},
        {"headers": {}},
        {"digest": None},
        {"folder": "/downloads"},
        {"path": "file.bin"},
        {"mirrors": ("http://b.example/file.bin",)},
        {"if_exists": IfExists.SKIP},
        {"resume": "lenient"},
        {"allow_unsized": True},
        {"key": "mine"},
        {"cache": False},
    ],
)
def test_what_asks_for_other_bytes_or_another_place_is_another_download(changes):
    """So is what comes with other secrets; and a key is there to tell which download is meant."""

    async def story(world: World) -> None:
        async with world.engine(owner=False) as engine:
            first = await engine.submit(ASKED)
            other = attrs.evolve(ASKED, **changes)
            (second,) = await engine.submit_many([other], again=True)
            assert first.id != second.id
            assert [one.id for one in await engine.submit_many([ASKED, other], again=True)] == [first.id, second.id]

    run(1, story)


@pytest.mark.parametrize("changes", [{}, {"priority": 9}, {"tags": ("t",)}, {"retries": 0}, {"limit_rate": 5}])
def test_how_it_is_to_run_makes_no_other_download(changes):
    """It goes on as it was asked for."""

    async def story(world: World) -> None:
        async with world.engine(owner=False) as engine:
            first = await engine.submit(ASKED)
            (again,) = await engine.submit_many([attrs.evolve(ASKED, **changes)], again=True)
            assert again == first
            assert (await engine.submit(ASKED)).id != first.id, "only who says so asks again"

    run(1, story)


def test_what_has_not_ended_is_meant_wherever_it_stands(payload):
    """Resting, about to rest, or running; what has ended, or is given up, is asked for anew."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(100_000), rate=100)
        request = Request(URL, if_exists="rename")

        async def again() -> UUID:
            return (await engine.submit_many([request], again=True))[0].id

        async with world.engine() as engine:
            first = await engine.submit(request)
            await engine.pause(first.id)
            assert (await again(), (await engine.get(first.id)).state) == (first.id, State.PAUSED)
            await engine.resume(first.id)
            while (await engine.get(first.id)).state is not State.ACTIVE:
                await trio.sleep(1)
            assert await again() == first.id
            await engine.pause(first.id, wait=False)
            assert (await engine.get(first.id)).state is State.PAUSING
            assert await again() == first.id
            await engine.cancel(first.id, wait=False)
            assert (await again()) != first.id

    run(1, story)


def test_secrets_that_cannot_be_read_make_it_another_download():
    """What is damaged in the vault keeps nobody from asking again."""

    async def story(world: World) -> None:
        async with world.engine(owner=False) as engine:
            first = await engine.submit(ASKED)
            recall = world.vault.recall
            world.vault.recall = Mock(side_effect=IntegrityError("damaged"))
            second, other = await engine.submit_many([ASKED, Request(URL)], again=True)
            world.vault.recall = recall
            assert len({first.id, second.id, other.id}) == 3
            assert (await engine.submit_many([ASKED], again=True))[0].id == first.id

    run(1, story)


def test_of_any_number_that_is_found_whose_path_is_settled(payload):
    """Of those that wait for their first attempt, the first thousand are looked at."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(100_000), rate=100)
        async with world.engine(owner=False) as engine:
            urls = [f"http://a.example/{number}" for number in range(MOST_LOOKED_AT + 3)]
            ids = [download.id for download in await engine.submit_many([Request(url) for url in urls])]
            again = await engine.submit_many([Request(urls[-2]), Request(urls[-1])], again=True)
            assert [one.id for one in again] == [ids[-2], again[1].id]
            assert again[1].id not in ids
            begun = await engine.submit(Request(URL, priority=1))
        async with world.engine(concurrency=1) as engine:
            while (await engine.get(begun.id)).path is None:
                await trio.sleep(1)
        async with world.engine(owner=False) as engine:
            (again,) = await engine.submit_many([Request(URL)], again=True)
            assert (again.id, again.state, again.attempt) == (begun.id, State.QUEUED, 1)

    run(1, story)
