"""An exchange in which our own transport fails goes by httpx's; what a server does wrong is no reason to."""

from __future__ import annotations

import pytest

from lading.domain.faults import Cause
from lading.domain.ports import Call
from lading.domain.routes import Route
from lading.tools.origin import Resource

FILE = Resource("file.bin", 300_000)
CANARY = "hush-canary"


@pytest.mark.row("S3.11")
async def test_an_exchange_in_which_our_transport_fails_is_made_once_more_by_httpx_s(
    origin, transport, monkeypatch, body
):
    """And the route knows why; for the rest of the attempt it is not tried again, for another attempt it is."""
    tried = []

    async def broken(_, question):
        tried.append(question.target)
        raise KeyError(CANARY)

    monkeypatch.setattr(transport._wire, "ask", broken)
    call = Call(url=origin.url("file.bin"))
    for _ in range(2):
        async with transport.exchange(call) as reply:
            assert await body(reply) == FILE.read()
    assert len(tried) == 1
    assert not call.route.own
    assert "KeyError" in call.route.failure
    assert CANARY not in call.route.failure
    async with transport.exchange(Call(url=origin.url("file.bin"))):
        assert len(tried) == 2


@pytest.mark.row("S3.11")
async def test_what_a_server_does_wrong_is_no_reason_to_ask_by_another_transport(transport, raw, failure):
    """A second opinion would only take what ours refuses: it is for faults of ours."""
    with raw(b"nonsense\r\n\r\n") as port:
        call = Call(url=f"http://127.0.0.1:{port}/")
        assert (await failure(transport, call)).cause is Cause.PROTOCOL
    assert call.route.own


@pytest.mark.row("S3.11")
@pytest.mark.parametrize("start", [0, 1000])
async def test_an_attempt_that_is_to_do_without_our_transport_does(origin, transport, monkeypatch, start, body):
    """The whole, or a range."""
    monkeypatch.setattr(transport._wire, "ask", None)
    call = Call(url=origin.url("file.bin"), start=start, route=Route(own=False))
    async with transport.exchange(call) as reply:
        assert await body(reply) == FILE.read(start)
    assert call.route.failure is None
