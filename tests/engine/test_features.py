"""What switching a feature off does to whole engines, and what a fast path that fails does: the plain one goes on."""

from __future__ import annotations

import pytest
import trio

from lading.domain import events as e
from lading.domain.requests import Request
from lading.domain.states import State
from lading.settings import load
from lading.testing.simulation import World, run

pytestmark = pytest.mark.row("S3.11")

URL = "http://a.example/file.bin"


def having(**features: str) -> dict[str, object]:
    """The settings that switch features so."""
    return {"tables": load(None, {}, features=features).tables}


@pytest.mark.parametrize("retry", ["on", "off"])
def test_without_retries_a_failure_is_final_at_once(retry, tale, payload):
    """However many the request asks for; and the log tells which way it was."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(1000), status=503)
        async with world.engine(**having(retry=retry)) as engine:
            outcome = await engine.wait((await engine.submit(Request(URL, retries=2))).id)
        assert (outcome.state, outcome.attempts) == (State.FAILED, 3 if retry == "on" else 1)
        assert tale(world.log).all(e.Started)[0].flags == (() if retry == "on" else ("retry:off",))

    run(1, story)


@pytest.mark.parametrize("recovery", ["on", "off"])
def test_without_recovery_what_was_interrupted_comes_back_paused(recovery, tale, payload):
    """With all that it held; whoever resumes it goes on from there."""

    async def story(world: World) -> None:
        data = payload(9_000_000)
        world.network.serve(URL, data, rate=1e6)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            while not (await engine.get(id)).received:
                await trio.sleep(0.5)
            after = world.fork(2)
        async with after.engine(**having(recovery=recovery)) as engine:
            download = await engine.get(id)
            if recovery == "off":
                assert download.state is State.PAUSED
                assert download.received > 0
                await trio.sleep(20)
                assert (await engine.get(id)).state is State.PAUSED
                await engine.resume(id)
            outcome = await engine.wait(id)
        assert after.disk.content(outcome.path) == data
        assert outcome.resumed_from > 0
        assert ("Paused" in tale(after.log).names(id)) == (recovery == "off")

    run(1, story)


@pytest.mark.parametrize("network", ["on", "off"])
def test_without_a_look_at_the_network_an_offline_machine_spends_retries(network, payload):
    """With one, it waits for the network."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(1000))
        world.network.online = world.machine.online = False
        async with world.engine(watch_s=1.0, retries=1, **having(network=network)) as engine:
            download = await engine.submit(Request(URL))
            await trio.sleep(60)
            download = await engine.get(download.id)
            assert download.state is (State.QUEUED if network == "on" else State.FAILED)
            world.network.online = world.machine.online = True
            assert network == "off" or (await engine.wait(download.id)).ok

    run(1, story)


def test_a_share_of_the_downloads_goes_another_way(tale, payload):
    """As their ids say, and as each of them says itself."""

    async def story(world: World) -> None:
        settings = having(retry="50%")
        features = settings["tables"]["features"]
        world.network.serve(URL, payload(1000), status=503)
        async with world.engine(**settings) as engine:
            ids = [(await engine.submit(Request(URL, path=str(number), retries=1))).id for number in range(20)]
            outcomes = [await engine.wait(id) for id in ids]
        on = [features.is_on("retry", id) for id in ids]
        assert [outcome.attempts for outcome in outcomes] == [2 if retried else 1 for retried in on]
        assert {True, False} == set(on)
        for id, retried in zip(ids, on, strict=True):
            assert tale(world.log).all(e.Started, id)[0].flags == (f"retry:{'on' if retried else 'off'}:50%",)

    run(1, story)


@pytest.mark.parametrize("size", [50_000, 9_000_000])
@pytest.mark.parametrize("direct_io", ["on", "off"])
def test_a_disk_that_refuses_direct_io_is_written_through_the_cache(size, direct_io, tale, payload):
    """That is said once, and only where it was tried."""

    async def story(world: World) -> None:
        world.disk.refusal = "the file system refuses direct I/O: Invalid argument"
        world.network.serve(URL, payload(size), rate=1e6)
        async with world.engine(**having(direct_io=direct_io)) as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
        assert outcome.ok
        degraded = tale(world.log).all(e.Degraded)
        if direct_io == "on" and size > 1_000_000:
            assert [(one.feature, one.message) for one in degraded] == [("direct_io", world.disk.refusal)]
        else:
            assert degraded == []

    run(1, story)


@pytest.mark.parametrize("own", ["on", "off"])
def test_a_transport_that_fails_is_told_of_once(own, tale, payload):
    """The route that the transport gave up is the attempt's, for all of its exchanges."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(9_000_000), rate=5e5, foreign=True)
        async with world.engine(**having(own_transport=own)) as engine:
            outcome = await engine.wait((await engine.submit(Request(URL))).id)
        assert outcome.ok
        assert len(world.network.calls) > 1
        assert not any(call.route.own for call in world.network.calls)
        assert [one.feature for one in tale(world.log).all(e.Degraded)] == (["own_transport"] if own == "on" else [])

    run(1, story)


def test_a_pause_while_a_fast_path_fails_loses_neither(tale, payload):
    """What there is to say of it is said with the attempt's last words."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(9_000_000), rate=1e6)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL))).id
            await trio.sleep(3)
            world.disk.refusal = "refused"
            paused = (await engine.pause(id))[0]
        assert paused.state is State.PAUSED
        assert paused.received > 0
        assert tale(world.log).names(id)[-4:] == ["Paused", "Degraded", "Progressed", "Stopped"]

    run(1, story)
