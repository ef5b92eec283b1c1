"""No secret of an exchange is in what is shown, logged, kept or said when something goes wrong."""

from __future__ import annotations

import logging
import socket
import traceback

import pytest

from lading.adapters.http.hop import first
from lading.domain.faults import Cause
from lading.domain.ports import Call
from lading.tools.origin import Behaviour

CANARY = "hush-canary"
HEAD = b"HTTP/1.1 200 OK\r\n"
SECRET_HEADERS = {"Authorization": f"Bearer {CANARY}", "Cookie": f"c={CANARY}", "X-Token": CANARY}


def test_call_and_hop_do_not_show_what_they_carry():
    """The reprs of what is asked hold no secret."""
    call = Call(url=f"http://u:{CANARY}@h.example/?{CANARY}", headers=SECRET_HEADERS)
    assert CANARY not in repr(call) + repr(first(call, "lading/0"))


@pytest.mark.law(7)
async def test_cookies_are_neither_kept_nor_shown(transport, raw, read_head):
    """A cookie of one answer is in no later request, in no head and in no memory of the transport."""
    seen: list[bytes] = []

    def answer(line: socket.socket) -> None:
        for _ in range(2):
            seen.append(read_head(line))
            line.sendall(HEAD + f"Set-Cookie: id={CANARY}; Path=/\r\nContent-Length: 0\r\n\r\n".encode())

    with raw(answer) as port:
        for _ in range(2):
            async with transport.exchange(Call(url=f"http://127.0.0.1:{port}/")) as reply:
                assert "set-cookie" not in reply.head.headers
    assert len(seen) == 2
    assert b"ookie" not in seen[1]


TROUBLE = {
    "refused head": (b"nonsense " + CANARY.encode() + b"\r\n\r\n", Cause.PROTOCOL),
    "bad header": (HEAD + b"X\x00Y: " + CANARY.encode() + b"\r\n\r\n", Cause.PROTOCOL),
    "bad chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CANARY.encode() + b"\r\n", Cause.PROTOCOL),
    "bad redirect": (
        f"HTTP/1.1 302 F\r\nLocation: gopher://{CANARY}/\r\nContent-Length: 0\r\n\r\n".encode(),
        Cause.REDIRECTS,
    ),
    "redirect to nobody": (
        f"HTTP/1.1 302 F\r\nLocation: http://u:{CANARY}@127.0.0.1:1/{CANARY}?{CANARY}\r\n\r\n".encode(),
        Cause.NETWORK,
    ),
    "no answer": (b"", Cause.NETWORK),
    "short body": (HEAD + f"Set-Cookie: {CANARY}\r\nContent-Length: 9\r\n\r\nhalf".encode(), Cause.BROKEN),
}


@pytest.mark.law(7)
@pytest.mark.parametrize("name", TROUBLE)
async def test_no_secret_gets_into_messages_tracebacks_or_logs(transport, caplog, name, raw, failure):
    """With canaries in userinfo, query, headers and answer, no error, chain of errors or debug log shows one."""
    caplog.set_level(logging.DEBUG)
    answer, cause = TROUBLE[name]
    with raw(answer, answer) as port:
        url = f"http://user:{CANARY}@127.0.0.1:{port}/p?key={CANARY}#{CANARY}"
        error = await failure(transport, Call(url=url, headers=SECRET_HEADERS))
    assert error.cause is cause
    told = "".join([*traceback.format_exception(error), str(error), repr(error), error.hint, repr(error.__dict__)])
    assert CANARY not in told
    assert error.__cause__ is None
    assert error.__context__ is None
    assert CANARY not in caplog.text


@pytest.mark.law(7)
async def test_no_secret_gets_into_logs_when_all_goes_well(origin, transport, caplog, body):
    """httpx tells each request's whole URL and httpcore each head to whoever listens; of ours they tell nothing."""
    caplog.set_level(logging.DEBUG)
    origin.set("file.bin", Behaviour(headers=(("Set-Cookie", CANARY), ("Content-Location", f"/?{CANARY}"))))
    async with transport.exchange(Call(url=origin.url("file.bin") + f"?k={CANARY}", headers=SECRET_HEADERS)) as reply:
        await body(reply)
    assert CANARY not in caplog.text
    logging.getLogger("httpx").info("somebody else's request")
    assert "somebody else's request" in caplog.text


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "headers", [{"X-Token": f"{CANARY}\r\nX-More: 1"}, {f"X {CANARY}": "1"}, {"X-Token": f"\x00{CANARY}"}, {"": CANARY}]
)
async def test_header_that_cannot_be_sent_is_not_quoted(origin, transport, headers, failure):
    """A header that would break the request's framing is not sent at all, and the message does not show it."""
    error = await failure(transport, Call(url=origin.url("file.bin"), headers=headers))
    assert error.cause is Cause.PROTOCOL
    assert CANARY not in "".join(traceback.format_exception(error))
    assert origin.requests == ()
