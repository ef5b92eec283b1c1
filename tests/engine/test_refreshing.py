"""Another URL for a download: its secrets are kept, its bytes only if they still count, and what failed goes on."""

from __future__ import annotations

import pytest
import trio

from lading.domain.errors import IllegalCommand, InvalidURL
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S2.13"), pytest.mark.law(4), pytest.mark.law(7)]

OLD, NEW = "http://a.example/file.bin?token=first-one", "http://a.example/file.bin?token=second-one"
ELSEWHERE = "http://b.example/file.bin"


async def interrupted(world: World, engine, payload, **more):
    """A download that failed after its first checkpoint."""
    content = payload(200_000)
    served = world.network.serve(OLD, content, rate=2e3)
    id = (await engine.submit(Request(OLD, retries=0, **more))).id
    await trio.sleep(70)
    served.status = 403
    world.network.online = False
    assert (await engine.wait(id)).state is State.FAILED
    world.network.online = True
    return await engine.get(id), content


@pytest.mark.parametrize("url", [NEW, ELSEWHERE])
def test_bytes_count_where_only_what_is_secret_has_changed(url, payload):
    """A URL that was signed anew goes on from there; another host starts over; both at once."""

    async def story(world: World) -> None:
        async with world.engine() as engine:
            left, content = await interrupted(world, engine, payload)
            assert left.received > 0
            world.network.serve(url, content)
            refreshed = await engine.refresh_url(left.id, url)
            assert refreshed.state is State.QUEUED
            outcome = await engine.wait(left.id)
            assert (outcome.ok, outcome.resumed_from) == (True, left.received if url == NEW else 0)
        told = b"".join(state for *_, state in world.log.read(0, 1000))
        assert b"first-one" not in told
        assert b"second-one" not in told

    run(1, story)


@pytest.mark.parametrize(("url", "sent"), [(NEW, True), (ELSEWHERE, False)])
def test_headers_stay_and_credentials_go_to_no_other_origin(url, sent, payload):
    """What was given with the request is sent to the new URL too, but to no other host."""

    async def story(world: World) -> None:
        headers = {"Authorization": "Bearer sesame-open", "User-Agent": "me"}
        async with world.engine() as engine:
            left, content = await interrupted(world, engine, payload, headers=headers)
            world.network.serve(url, content)
            await engine.refresh_url(left.id, url)
            assert (await engine.wait(left.id)).ok
            last = world.network.calls[-1]
            assert ("Authorization" in last.headers, last.headers["User-Agent"]) == (sent, "me")

    run(1, story)


def test_a_lost_secret_is_made_good_by_a_new_url(payload):
    """Which is what the hint of that trouble says; what had headers has them again by the same call."""

    async def story(world: World) -> None:
        world.network.serve(NEW, payload(5000))
        async with world.engine() as engine:
            wanted = [Request(OLD), Request(OLD, path="x", headers={"Cookie": "sesame"})]
            ids = [download.id for download in await engine.submit_many(wanted)]
            for id in ids:
                world.vault.forget([id])
            await engine.wait_idle()
            assert (await engine.get(ids[0])).blocked == "secret"
            await engine.refresh_url(ids[0], NEW)
            assert (await engine.wait(ids[0])).ok
            with pytest.raises(IllegalCommand, match="lost headers") as caught:
                await engine.refresh_url(ids[1], NEW)
            assert "--header 'Cookie: …'" in caught.value.hint
            with pytest.raises(IllegalCommand, match="not the headers"):
                await engine.refresh_url(ids[1], NEW, headers={"Cookie": "sesame", "Accept": "x"})
            await engine.refresh_url(ids[1], NEW, headers={"cookie": "sesame-two"})
            assert (await engine.wait(ids[1])).ok
            assert world.network.calls[-1].headers["cookie"] == "sesame-two"

    run(1, story)


def test_what_runs_or_has_ended_and_what_is_no_url_is_refused_and_nothing_is_kept(payload):
    """The vault is as it was."""

    async def story(world: World) -> None:
        world.network.serve(OLD, payload(200_000), rate=2e3)
        async with world.engine() as engine:
            id = (await engine.submit(Request(OLD))).id
            await trio.sleep(10)
            for url, error in ((NEW, IllegalCommand), ("file.bin", InvalidURL)):
                with pytest.raises(error):
                    await engine.refresh_url(id, url)
            assert world.vault.recall(id).urls == (OLD,)

    run(1, story)
