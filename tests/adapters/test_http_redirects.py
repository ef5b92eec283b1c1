"""Redirects are followed as far as they may be, and what was given for one origin goes to no other."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lading.adapters.http import HTTPXTransport
from lading.adapters.http.hop import first
from lading.domain import urls
from lading.domain.faults import Cause
from lading.domain.ports import Call
from lading.tools.origin import Behaviour, Origin, Page, Redirect, Resource

FILE = Resource("file.bin", 300_000)
CANARY = "hush-canary"
SECRET_HEADERS = {"Authorization": f"Bearer {CANARY}", "Cookie": f"c={CANARY}", "X-Token": CANARY}


@pytest.mark.law(7)
async def test_redirect_within_the_origin_keeps_headers_and_range(origin, transport, body):
    """Inside one origin the caller's headers, userinfo and the range go along."""
    origin.put(Page("old", b""))
    origin.set("old", Behaviour(redirect=Redirect("/file.bin?x=1")))
    url = origin.url("old").replace("//", f"//user:{CANARY}@")
    async with transport.exchange(Call(url=url, headers={"X-Token": CANARY}, start=5)) as reply:
        assert reply.head.status == 206
        assert reply.head.url == origin.url("file.bin")
        assert await body(reply) == FILE.read(5)
    old, new = origin.requests
    for name in ("authorization", "x-token", "range"):
        assert old.headers[name] == new.headers[name]
    assert old.headers["authorization"].startswith("Basic ")


@pytest.mark.law(7)
async def test_redirect_across_origins_loses_every_header_of_the_caller_for_good(origin, other, transport):
    """Another port is another origin: nothing of the caller's goes there, nor back from there; the range does."""
    origin.put(Page("old", b""))
    origin.set("old", Behaviour(redirect=Redirect(other.url("there"))))
    other.put(Page("there", b""))
    other.set("there", Behaviour(redirect=Redirect(origin.url("file.bin"))))
    url = origin.url("old").replace("//", f"//user:{CANARY}@")
    async with transport.exchange(Call(url=url, headers={"X-Token": CANARY, "User-Agent": CANARY}, start=5)) as reply:
        assert reply.head.url == origin.url("file.bin")
    asked, strayed, returned = origin.requests[0], other.requests[0], origin.requests[1]
    assert asked.headers["x-token"] == CANARY
    for request in (strayed, returned):
        assert CANARY not in str(request.headers)
        assert "authorization" not in request.headers
        assert request.headers["range"] == "bytes=5-"
        assert request.headers["accept-encoding"] == "identity"


@pytest.mark.law(7)
async def test_redirect_from_https_to_http_loses_every_header_of_the_caller(served, trusting, origin, body):
    """What was given for a host over TLS is not told to anybody in the clear."""
    transport = HTTPXTransport(ssl_context=trusting)
    with Origin([Page("old", b"")], tls=served) as secure:
        secure.set("old", Behaviour(redirect=Redirect(origin.url("file.bin"))))
        async with transport.exchange(Call(url=secure.url("old"), headers=SECRET_HEADERS)) as reply:
            assert await body(reply) == FILE.read()
    await transport.aclose()
    assert CANARY not in str(origin.requests[0].headers)


@pytest.mark.law(7)
@pytest.mark.parametrize(
    ("location", "stays"),
    [
        ("https://a.example:8443/y", True),
        ("//A.example:8443/y", True),
        ("y z?q", True),
        ("http://a.example:8443/y", False),
        ("https://a.example/y", False),
        ("https://b.a.example:8443/y", False),
        ("https://a.example.b:8443/y", False),
    ],
)
def test_origin_is_scheme_and_host_and_port(location, stays):
    """The caller's headers go along where all three are the same, and nowhere else."""
    hop = first(Call(url="https://a.example:8443/x", headers=SECRET_HEADERS), "lading/0").follow(location)
    assert hop is not None
    assert (CANARY in str(hop.private)) is stays


async def test_redirect_with_a_space_is_followed_as_browsers_do(origin, transport, body):
    """A Location that is not quite a URL still leads where its sender means."""
    origin.put(Resource("my file", 10))
    origin.set("file.bin", Behaviour(redirect=Redirect("/my file")))
    async with transport.exchange(Call(url=origin.url("file.bin"))) as reply:
        assert await body(reply) == Resource("my file", 10).read()


@pytest.mark.law(7)
async def test_userinfo_of_a_redirect_goes_to_its_target_only(origin, other, transport):
    """A Location with userinfo authorises that one hop; the public URL does not show it."""
    origin.put(Page("old", b""))
    origin.set("old", Behaviour(redirect=Redirect(other.url("file.bin").replace("//", "//me:pw@"))))
    async with transport.exchange(Call(url=origin.url("old"))) as reply:
        assert reply.head.url == other.url("file.bin")
    assert other.requests[0].headers["authorization"] == "Basic bWU6cHc="
    assert "authorization" not in origin.requests[0].headers


@pytest.mark.law(9)
async def test_redirects_are_bounded(origin, transport, failure):
    """Ten are followed; the eleventh ends the exchange."""
    origin.set("file.bin", Behaviour(redirect=Redirect(None)))
    assert (await failure(transport, Call(url=origin.url("file.bin")))).cause is Cause.REDIRECTS
    assert len(origin.requests) == 11
    for step in range(10):
        origin.put(Page(f"step{step}", b""))
        origin.set(f"step{step}", Behaviour(redirect=Redirect(f"step{step + 1}" if step < 9 else "end")))
    origin.put(Resource("end", 10))
    async with transport.exchange(Call(url=origin.url("step0"))) as reply:
        assert reply.head.url == origin.url("end")


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "location",
    [f"ftp://h/{CANARY}", f"file:///etc/{CANARY}", f"https:///{CANARY}", f"http://[{CANARY}", f"data:,{CANARY}"],
)
async def test_redirect_to_what_is_no_url_of_ours_ends_there(origin, transport, location, failure):
    """Only http and https are followed; the message does not say where it would have led."""
    origin.set("file.bin", Behaviour(redirect=Redirect(location)))
    error = await failure(transport, Call(url=origin.url("file.bin")))
    assert error.cause is Cause.REDIRECTS
    assert CANARY not in error.message


async def test_redirect_without_location_is_the_answer(transport, raw):
    """A 302 that leads nowhere is given to the caller as it is."""
    with raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n") as port:
        async with transport.exchange(Call(url=f"http://127.0.0.1:{port}/")) as reply:
            assert reply.head.status == 302


SHARDS = ["http:", "https:", "//", "/", "\\", "@", "a.example", "evil.example", ":80", ":443", ":", "#", "?", "user"]
SHARDS += ["%2f", "%40", "..", "[::1]", "[", "]", "。", "ａ.example", "％", "\t", " "]
HOSTILE = st.text(max_size=60) | st.lists(st.sampled_from(SHARDS), max_size=9).map("".join)


@pytest.mark.law(7)
@given(HOSTILE)
@example("//evil.example\\@a.example/")
@example("http:evil.example")
@example("http://a.example@evil.example/")
@example("http://a.example:80@evil.example/")
@example("https://a.example/")
@example("HTTP://A.EXAMPLE:80/x")
def test_no_location_carries_secrets_to_another_host_than_the_one_given(location):
    """Whatever a Location looks like: where httpx would connect to with the caller's headers is the caller's origin."""
    hop = first(Call(url=f"http://a.example/x/y?q={CANARY}", headers=SECRET_HEADERS), "lading/0").follow(location)
    if hop is None:
        return
    assert "@" not in hop.url.partition("//")[2].partition("/")[0]
    try:
        url = httpx.URL(hop.url)
    except httpx.InvalidURL:
        return
    assert url.userinfo == b""
    if (url.scheme, url.host, url.port or 80) != ("http", "a.example", 80):
        assert CANARY not in str(hop.private)
    else:
        assert urls.origin(hop.url) == ("http", "a.example:80") or CANARY not in str(hop.private)
