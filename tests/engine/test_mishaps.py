"""What goes wrong beside the downloads ends neither them nor the engine, and is told."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import trio

from lading import BundleRequest, upkeep
from lading.bundling import Bundling
from lading.domain.errors import DiskFull, StoreUnavailable
from lading.domain.hooks import Hook
from lading.domain.requests import Request
from lading.domain.states import State
from lading.mishaps import EngineWarning, Mishaps
from lading.quarantine import Quarantine
from lading.testing.cache import MemoryCache
from lading.testing.machine import MemoryMachine
from lading.testing.simulation import World, run
from lading.throttle import Throttle
from lading.upkeep import Upkeep

pytestmark = pytest.mark.row("S1.4")

URL, OTHER = "http://a.example/f", "http://a.example/other"
SECRET = "s3cret"


def breaking(*_args, **_named):
    raise RuntimeError(SECRET)


@pytest.mark.law(7)
@pytest.mark.parametrize(
    ("broken", "settings"),
    [
        ((Upkeep, "maintain"), {"maintenance_s": 5.0}),
        ((Bundling, "settle"), {}),
        ((Quarantine, "put_aside"), {}),
        ((MemoryMachine, "look"), {"watch_s": 5.0}),
        ((Throttle, "refresh"), {}),
        ((MemoryCache, "keep"), {"cache": "on", "cache_least_bytes": 0}),
    ],
)
def test_an_error_of_lading_itself_beside_the_downloads_is_told_and_ends_nothing(broken, settings, payload):
    """Once, with its place and none of its words; and what is fetched is fetched."""

    async def story(world: World) -> list[str]:
        told: list[str] = []
        world.network.serve(URL, payload(100_000), rate=1e3)
        world.network.serve(OTHER, payload(10_000), rate=1e6)
        async with world.engine(**settings) as engine:
            engine.mishaps.say = told.append
            with patch.object(*broken, breaking):
                slow = await engine.submit(Request(URL))
                gone = await engine.submit(Request(URL, path="gone"))
                await engine.submit_bundle(BundleRequest("b", [Request(OTHER)], policy="all_or_nothing"))
                await trio.sleep(70)
                await engine.pause(gone.id)
                await engine.cancel(gone.id)
                await engine.submit(Request(OTHER, path="kept"))
                assert (await engine.wait(slow.id)).ok
            await trio.sleep(upkeep.FIRST_S)
            assert (await engine.get(slow.id)).state is State.COMPLETED
        return told

    (text,) = {each.partition(" failed by ")[2] for each in run(1, story)}
    assert "RuntimeError, test_mishaps.py" in text
    assert SECRET not in text


def test_an_error_of_lading_itself_in_a_delivery_is_told_as_the_failure_of_the_hook(payload):
    """It is shown where hooks are, tried again, and holds up nothing."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(1000))
        async with world.engine(tables={"hooks": {"h": Hook(command="true")}}) as engine:
            with patch.object(world.receiver, "deliver", breaking):
                assert (await engine.wait((await engine.submit(Request(URL))).id)).ok
                await trio.sleep(20)
            cursor = world.cursors.load("h")
            assert "RuntimeError" in cursor.error
            assert SECRET not in cursor.error
            assert cursor.is_troubled
            await trio.sleep(60)
            assert [told["event"] for told in world.receiver.received] == ["completed"]

    run(1, story)


def test_a_disk_without_room_for_what_is_put_aside_holds_up_no_other_download(payload):
    """It is no full log: what has room elsewhere runs, and the rest is put aside when there is room."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(200_000), rate=2e3)
        world.network.serve(OTHER, payload(1000))
        async with world.engine(concurrency=1) as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(70)

            def full(*_args, **_named):
                raise DiskFull("no room for a name")

            with patch.object(world.disk, "set_aside", full):
                await engine.cancel(id, wait=False)
                await trio.sleep(1)
                with trio.fail_after(30):
                    assert (await engine.wait((await engine.submit(Request(OTHER))).id)).ok
                assert (await engine.get(id)).litter
            await trio.sleep(120)
            assert not (await engine.get(id)).litter

    run(1, story)


def test_what_is_expected_is_not_told_and_what_the_log_says_is_survived_by_nobody():
    """In a group as well: several tasks may fail at once."""
    mishaps = Mishaps()
    with mishaps.survived("this", OSError):
        raise ExceptionGroup("several", [OSError("one"), ExceptionGroup("more", [OSError("two")])])
    with pytest.raises(StoreUnavailable), mishaps.survived("this"):
        raise ExceptionGroup("several", [OSError("one"), StoreUnavailable("gone")])


def test_whoever_says_nothing_about_it_is_warned():
    """Who wants warnings to be errors has the engine end of it."""
    with pytest.warns(EngineWarning, match="this failed"), Mishaps().survived("this"):
        raise ValueError(SECRET)


def test_a_bundle_that_cannot_be_brought_to_an_end_keeps_no_home_from_being_opened(payload):
    """Whoever opens it gets all the rest, and is told."""

    async def story(world: World) -> list[str]:
        world.network.serve(URL, payload(1000))
        async with world.engine() as engine:
            bundle = await engine.submit_bundle(BundleRequest("b", [Request(URL)], policy="all_or_nothing"))
            await engine.wait_bundle(bundle.id)
        with (
            patch.object(Bundling, "_begun", lambda _: [bundle.id]),
            patch.object(Bundling, "settle", breaking),
            pytest.warns(EngineWarning, match=str(bundle.id)),
        ):
            async with world.engine() as engine:
                assert (await engine.wait((await engine.submit(Request(URL))).id)).ok

    run(1, story)
