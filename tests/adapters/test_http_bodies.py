"""Bodies arrive whole, and one that does not says so after its last good byte."""

from __future__ import annotations

import pytest
import trio

from lading.adapters.http import HTTPXTransport
from lading.domain.errors import TransferError
from lading.domain.faults import Cause
from lading.domain.ports import Call
from lading.tools.origin import Behaviour, Drip, Drop, Framing, Resource, Stall

SIZE = 300_000
FILE = Resource("file.bin", SIZE)


@pytest.mark.parametrize("room", [1, 100, 65_536, SIZE, 4 * SIZE])
async def test_body_arrives_whole_through_buffers_of_any_size(origin, transport, room, body):
    """Not a byte is lost, repeated or moved between the chunks of the network and the buffers of the caller."""
    size = min(SIZE, 2000 * room)
    origin.put(Resource("sized", size))
    async with transport.exchange(Call(url=origin.url("sized"))) as reply:
        assert reply.head.status == 200
        assert reply.head.length == size
        assert await body(reply, room) == Resource("sized", size).read()


@pytest.mark.law(5)
async def test_body_cancelled_amid_a_wait_is_never_taken_for_ended(origin, transport):
    """After a cancelled receive the next one says broken, not 0: what the first may have received is unknown."""
    origin.set("file.bin", Behaviour(stall=Stall(60, at=70_000)))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        buffer = memoryview(bytearray(SIZE))
        with trio.move_on_after(0.2) as scope:
            while await reply.receive_into(buffer):
                pass
        assert scope.cancelled_caught
        with pytest.raises(TransferError) as caught:
            await reply.receive_into(buffer)
        assert caught.value.cause is Cause.BROKEN


@pytest.mark.law(5)
@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
async def test_body_cut_short_gives_its_bytes_and_then_says_broken(origin, transport, framing, until_it_breaks):
    """What arrived before the cut is delivered, the cut is an error, and asking again is the same error, never 0."""
    origin.set("file.bin", Behaviour(framing=framing, drop=Drop(after=123_456)))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        data, error = await until_it_breaks(reply)
        assert data == FILE.read(0, 123_456)
        assert error.cause is Cause.BROKEN
        for _ in range(2):
            with pytest.raises(TransferError):
                await reply.receive_into(memoryview(bytearray(10)))


@pytest.mark.law(5)
async def test_body_that_is_reset_gives_good_bytes_and_then_says_broken(origin, transport, until_it_breaks):
    """A reset may overtake bytes; those that come through are a prefix, and the end is an error."""
    origin.set("file.bin", Behaviour(drop=Drop(after=123_456, reset=True)))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        data, error = await until_it_breaks(reply)
    assert error.cause is Cause.BROKEN
    assert FILE.read().startswith(data)


@pytest.mark.law(5)
async def test_content_length_that_promises_too_much_is_broken(origin, transport, until_it_breaks):
    """All bytes that exist are delivered; their end before the promised length is an error."""
    origin.set("file.bin", Behaviour(length_lie=10))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        data, error = await until_it_breaks(reply)
    assert (data, error.cause) == (FILE.read(), Cause.BROKEN)


@pytest.mark.law(5)
async def test_head_tells_whether_anything_vouches_for_the_end(origin, transport, body):
    """A chunked body says so, and one that ends by closing has neither a length nor a transfer coding."""
    origin.set("file.bin", Behaviour(framing=Framing.CHUNKED))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert reply.head.headers["transfer-encoding"] == "chunked"
        assert reply.head.length is None
        assert await body(reply) == FILE.read()
    origin.set("file.bin", Behaviour(framing=Framing.CLOSE))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert "transfer-encoding" not in reply.head.headers
        assert reply.head.length is None
        assert await body(reply) == FILE.read()
        assert await reply.receive_into(memoryview(bytearray(1))) == 0


@pytest.mark.law(9)
async def test_stalled_body_is_given_up(origin, until_it_breaks):
    """Silence in a body ends as stalled after the read timeout, with what came before it delivered."""
    transport = HTTPXTransport(read_timeout_s=0.2)
    origin.set("file.bin", Behaviour(stall=Stall(60, at=100_000)))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        data, error = await until_it_breaks(reply)
    await transport.aclose()
    assert (data, error.cause) == (FILE.read(0, 100_000), Cause.STALLED)


async def test_slow_body_is_not_a_stall(origin, body):
    """A timeout is for silence: a body that keeps dripping may take longer than it."""
    transport = HTTPXTransport(read_timeout_s=0.4)
    origin.put(Resource("drip", 12))
    origin.set("drip", Behaviour(drip=Drip(size=1, pause_s=0.05)))
    async with transport.exchange(Call(url=origin.url("drip"))) as reply:
        assert await body(reply) == Resource("drip", 12).read()
    await transport.aclose()
