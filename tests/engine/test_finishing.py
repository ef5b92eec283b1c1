"""An endless body ends where somebody says so: what has arrived by then is the file."""

from __future__ import annotations

import pytest
import trio

from lading.domain import digests
from lading.domain.errors import IllegalCommand
from lading.domain.requests import Request
from lading.domain.states import State
from lading.testing.simulation import World, run

pytestmark = [pytest.mark.row("S2.13"), pytest.mark.law(5)]

URL, FINAL = "http://a.example/stream", "/downloads/stream"


@pytest.mark.parametrize("by_client", [False, True], ids=["owner", "client"])
@pytest.mark.parametrize("sure", [False, True], ids=["none", "digest"])
def test_what_has_arrived_is_published_when_this_returns(by_client, sure, payload):
    """From this process or another; only a digest vouches for it."""

    async def story(world: World) -> None:
        content = payload(400_000)
        world.network.serve(URL, content, rate=16384.0, sized=False)
        first = content[: 16384 * 10]
        async with world.engine() as owner, world.engine(owner=False) as client:
            digest = str(digests.of(first, "sha256")) if sure else None
            id = (await owner.submit(Request(URL, digest=digest))).id
            await trio.sleep(10.5)
            with trio.fail_after(5):
                (left,) = await (client if by_client else owner).finish(id)
            assert (left.state, left.assurance) == (State.COMPLETED, "digest" if sure else "none")
            assert world.disk.durable(FINAL) == content[: left.total]
            if sure:
                assert left.total == len(first)
            await owner.wait_idle()
            assert world.disk.paths() == [FINAL]

    run(1, story)


def test_only_what_is_received_and_has_no_size_can_be_finished(payload):
    """Anything else ends by itself, or has not begun."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(1_200_000), rate=2e3)
        async with world.engine(start=False) as engine:
            waiting = await engine.submit(Request(URL))
            with pytest.raises(IllegalCommand):
                await engine.finish(waiting.id)
        async with world.engine() as engine:
            await trio.sleep(10)
            with pytest.raises(IllegalCommand, match="size is known"):
                await engine.finish(waiting.id)

    run(1, story)


@pytest.mark.law(9)
def test_a_digest_that_does_not_fit_ends_it_instead_of_beginning_the_stream_anew(payload):
    """Another attempt at an endless body would have no end either."""

    async def story(world: World) -> None:
        world.network.serve(URL, payload(400_000), rate=16384.0, sized=False)
        async with world.engine() as engine:
            id = (await engine.submit(Request(URL, digest="sha256:" + "0" * 64))).id
            await trio.sleep(10.5)
            await engine.finish(id)
            with trio.fail_after(5):
                outcome = await engine.wait(id)
            assert (outcome.state, outcome.cause, outcome.attempts) == (State.FAILED, "digest-mismatch", 1)

    run(1, story)
