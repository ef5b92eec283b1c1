"""The origin departs from honesty exactly as its behaviour says."""

from __future__ import annotations

import gzip
import http.client
import socket
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import attrs
import pytest

from lading.domain.errors import UsageError
from lading.tools.origin import (
    NO_ETAG,
    WEAK_ETAG,
    Behaviour,
    Change,
    Drip,
    Drop,
    Framing,
    IfRange,
    Modified,
    Ranges,
    Redirect,
    Refusal,
    Resource,
    Stall,
)

SIZE = 10_000
FILE = Resource("a file.bin", SIZE, "seed")
TRUTH = FILE.read()
OTHER = FILE.read(version=1)
ASK = "GET /a%20file.bin HTTP/1.1\r\nHost: x\r\n\r\n"
TESTED: set[str] = set()

Test = Callable[..., None]


def departs(*fields: str) -> Callable[[Test], Test]:
    """Mark the test as the one that shows what these fields of `Behaviour` do."""
    TESTED.update(fields)
    return lambda test: test


def test_every_field_of_behaviour_has_its_test():
    """A field without an effect, or an effect that nobody tried, is a lie in the table."""
    assert {field.name for field in attrs.fields(Behaviour)} == TESTED


def test_behaviours_combine_and_the_right_one_prevails():
    """`|` lays every departure from honesty over what is there."""
    slow, broken = Behaviour(rate=5, keep_alive=False), Behaviour(rate=7, drop=Drop(3))
    assert slow | broken == Behaviour(rate=7, keep_alive=False, drop=Drop(3))


def test_an_unknown_resource_has_no_behaviour(origin):
    """A typing error in a test fails there and not somewhere else."""
    with pytest.raises(UsageError):
        origin.set("nothing", Behaviour())


@departs("authorization")
def test_a_guarded_resource_wants_exactly_its_credentials(origin, client, treat):
    """401 with a challenge, until the right header comes."""
    treat(authorization="Bearer x")
    got = client.get()
    assert (got.status, got.headers["WWW-Authenticate"]) == (401, 'Basic realm="origin"')
    assert client.get(Authorization="Bearer y").status == 401
    assert client.get(Authorization="Bearer x").body == TRUTH


@departs("refusals")
def test_refusals_come_in_turn_and_then_the_content(client, treat):
    """The first requests get their statuses with their Retry-After, as seconds or as a date."""
    treat(refusals=(Refusal(500, 2), Refusal(503, 1, 7), Refusal(429, 1, 7, as_date=True), Refusal(403)))
    answers = [client.get() for _ in range(6)]
    assert [got.status for got in answers] == [500, 500, 503, 429, 403, 200]
    assert answers[2].headers["Retry-After"] == "7"
    dates = [parsedate_to_datetime(answers[3].headers[field]) for field in ("Retry-After", "Date")]
    assert (dates[0] - dates[1]).total_seconds() == 7
    assert answers[5].body == TRUTH


def test_a_refusal_without_end_never_gives_the_content(client, treat):
    """`times=None` is for ever, and a behaviour set anew begins to count anew."""
    for _ in range(2):
        treat(refusals=(Refusal(500), Refusal(401, times=None)))
        assert [client.get().status for _ in range(4)] == [500, 401, 401, 401]


@departs("redirect")
def test_a_redirect_leads_where_it_says_or_round_without_end(client, treat):
    """Location is what was given, or the same resource under ever new queries."""
    treat(redirect=Redirect("https://elsewhere.example/x", 308))
    got = client.get()
    assert (got.status, got.headers["Location"]) == (308, "https://elsewhere.example/x")
    treat(redirect=Redirect(None))
    hops = [client.get().headers["Location"] for _ in range(3)]
    assert len(set(hops)) == 3
    assert client.get(hops[-1].removeprefix("/")).status == 302


@departs("change")
def test_a_change_gives_other_bytes_and_other_validators(client, treat):
    """From the given request on the resource is another version."""
    treat(change=Change(after=2))
    first, second, third = (client.get() for _ in range(3))
    assert [first.body, second.body, third.body] == [TRUTH, TRUTH, OTHER]
    assert first.headers["ETag"] == second.headers["ETag"] != third.headers["ETag"]
    assert second.headers["Last-Modified"] != third.headers["Last-Modified"]


def test_a_liar_changes_the_bytes_under_the_same_validators(client, treat):
    """Only a digest can tell, and the range even passes If-Range."""
    treat(change=Change(after=1, keeps_validators=True))
    seen = client.get().headers
    got = client.get(Range="bytes=100-", If_Range=seen["ETag"])
    assert (got.status, got.body) == (206, OTHER[100:])
    assert got.headers["Last-Modified"] == seen["Last-Modified"]


@departs("etag", "modified")
def test_validators_are_strong_weak_or_missing_as_told(client, treat):
    """Each mixture of ETag and Last-Modified can be had; a weak one does not carry an If-Range."""
    treat(etag=WEAK_ETAG, modified=Modified.NONE)
    got = client.get()
    assert got.headers["ETag"].startswith('W/"')
    assert got.headers["Last-Modified"] is None
    assert client.get(Range="bytes=5-", If_Range=got.headers["ETag"]).status == 200
    treat(etag=NO_ETAG, modified=Modified.FRESH)
    got = client.get()
    assert got.headers["ETag"] is None
    assert got.headers["Last-Modified"] == got.headers["Date"]
    assert client.get(Range="bytes=5-", If_Range=got.headers["Last-Modified"]).status == 200
    treat(etag=NO_ETAG, modified=Modified.NONE)
    assert not {"ETag", "Last-Modified"} & set(client.get().headers)
    treat(etag='"own-{tag}"', change=Change(after=1))
    tags = [client.get().headers["ETag"] for _ in range(2)]
    assert all(tag.startswith('"own-') for tag in tags)
    assert tags[0] != tags[1]


@departs("ranges")
@pytest.mark.parametrize(
    ("kind", "status", "claim", "body"),
    [
        (Ranges.IGNORED, 200, None, TRUTH),
        (Ranges.EARLIER, 206, f"bytes 2000-4999/{SIZE}", TRUTH[2000:5000]),
        (Ranges.SHORTER, 206, f"bytes 4000-4499/{SIZE}", TRUTH[4000:4500]),
        (Ranges.NO_TOTAL, 206, "bytes 4000-4999/*", TRUTH[4000:5000]),
        (Ranges.WRONG_START, 206, f"bytes 4001-4999/{SIZE}", TRUTH[4001:5000]),
        (Ranges.WRONG_TOTAL, 206, f"bytes 4000-4999/{SIZE + 1}", TRUTH[4000:5000]),
        (Ranges.FROM_ZERO, 206, f"bytes 4000-4999/{SIZE}", TRUTH[:1000]),
    ],
)
def test_ranges_are_answered_wrongly_in_the_way_that_was_told(client, treat, kind, status, claim, body):
    """Each kind claims and sends what its name says; without a range it sends the whole."""
    treat(ranges=kind)
    got = client.get(Range="bytes=4000-4999")
    assert (got.status, got.headers["Content-Range"]) == (status, claim)
    assert got.body == body
    assert got.headers["Accept-Ranges"] == (None if kind is Ranges.IGNORED else "bytes")
    assert client.get()[::2] == (200, TRUTH)


def test_every_range_can_be_refused(client, treat):
    """416 though the range is a good one; the whole can still be had."""
    treat(ranges=Ranges.REFUSED)
    got = client.get(Range="bytes=4000-4999")
    assert (got.status, got.headers["Content-Range"]) == (416, f"bytes */{SIZE}")
    assert client.get()[::2] == (200, TRUTH)


@departs("if_range")
def test_if_range_is_ignored_or_drops_the_range_as_told(client, treat):
    """A careless server splices; a careless cache forgets the range."""
    seen = client.get().headers["ETag"]
    treat(if_range=IfRange.IGNORED)
    assert client.get(Range="bytes=5-", If_Range='"other"').status == 206
    treat(if_range=IfRange.DROPS_RANGE)
    assert client.get(Range="bytes=5-", If_Range=seen).status == 200
    assert client.get(Range="bytes=5-").status == 206


@departs("framing")
def test_a_body_without_length_ends_by_its_last_chunk_or_by_the_connection(origin, client, treat):
    """Chunked keeps the connection, closing does not; neither says a length."""
    treat(framing=Framing.CHUNKED)
    got = client.get()
    assert (got.body, got.headers["Transfer-Encoding"], got.headers["Content-Length"]) == (TRUTH, "chunked", None)
    assert client.get(Range="bytes=5-").body == TRUTH[5:]
    assert {exchange.connection for exchange in origin.wait_idle()} == {1}
    treat(framing=Framing.CLOSE)
    got = client.get()
    assert (got.body, got.headers["Connection"], got.headers["Content-Length"]) == (TRUTH, "close", None)


@departs("length_lie")
def test_a_false_length_promises_more_or_less_than_comes(client, treat, raw):
    """Too long leaves the client waiting until the end; too short leaves bytes over."""
    treat(length_lie=5)
    with pytest.raises(http.client.IncompleteRead) as broken:
        client.get()
    assert broken.value.partial == TRUTH
    treat(length_lie=-5)
    head, body = raw(ASK).split(b"\r\n\r\n", 1)
    assert f"Content-Length: {SIZE - 5}".encode() in head
    assert body == TRUTH


@departs("gzip")
def test_gzip_comes_though_identity_was_asked(client, treat):
    """The body is encoded, without length, and ranges do not count."""
    treat(gzip=True)
    got = client.get(Accept_Encoding="identity", Range="bytes=5-")
    assert (got.status, got.headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(got.body) == TRUTH


@departs("disposition", "headers")
def test_raw_headers_go_out_as_they_are(treat, raw):
    """Bytes that are no UTF-8 too, by surrogate escapes; on every answer."""
    name = b'attachment; filename="\xe9\xff.bin";'
    treat(
        disposition=name.decode("utf-8", "surrogateescape"),
        headers=(("X-Odd", "ü"), ("X-Odd", "2")),
        refusals=(Refusal(500),),
    )
    refused, given = raw(ASK), raw(ASK)
    assert b"X-Odd: \xc3\xbc\r\nX-Odd: 2\r\n" in refused
    assert b"Content-Disposition: " + name + b"\r\n" in given


@departs("keep_alive")
def test_without_keep_alive_every_request_needs_its_connection(origin, client, treat):
    """The answer says so, and the next request comes on another one."""
    client.get()
    treat(keep_alive=False)
    assert client.get().headers["Connection"] == "close"
    client.get()
    assert [exchange.connection for exchange in origin.requests] == [1, 1, 2]


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


@departs("stall_head_s")
def test_a_head_can_stall_in_its_middle(origin, treat):
    """Half a head comes at once, the rest after the silence."""
    treat(stall_head_s=0.15)
    with socket.create_connection(("127.0.0.1", origin.port), timeout=10) as line:
        begun = time.monotonic()
        line.sendall(ASK.encode())
        first = line.recv(1 << 16)
        assert first.startswith(b"HTTP/1.1 200")
        assert b"\r\n\r\n" not in first
        assert line.recv(1 << 16)
        assert time.monotonic() - begun >= 0.15


@departs("drip")
def test_a_drip_sends_small_pieces_with_pauses(client, treat):
    """So many bytes, then so long nothing."""
    treat(drip=Drip(size=4, pause_s=0.02))
    elapsed = seconds_of(lambda: client.get(Range="bytes=0-19"))
    assert elapsed >= 4 * 0.02


@departs("rate")
def test_a_rate_bounds_the_bytes_a_second(client, treat):
    """10,000 bytes at 100,000 a second take a tenth of one, and come whole."""
    treat(rate=100_000)
    assert seconds_of(client.get) >= 0.1
    assert client.get().body == TRUTH


@departs("stall")
def test_a_body_can_stall_at_a_byte_and_go_on(origin, treat):
    """Everything before that byte comes first, the rest after the silence."""
    treat(stall=Stall(0.15, at=4321))
    with socket.create_connection(("127.0.0.1", origin.port), timeout=10) as line:
        begun = time.monotonic()
        line.sendall(ASK.encode())
        received = b""
        while not received.endswith(TRUTH[:4321]):
            received += line.recv(1 << 16)
        while not received.endswith(TRUTH):
            received += line.recv(1 << 16)
        assert time.monotonic() - begun >= 0.15


def test_a_delivery_that_is_not_among_the_first_flows_while_those_stall(origin, client, treat):
    """A client that gives up and comes again is served."""
    treat(stall=Stall(60, at=10, times=1))
    with socket.create_connection(("127.0.0.1", origin.port), timeout=10) as stalled:
        stalled.sendall(ASK.encode())
        assert stalled.recv(1)
        assert client.get().body == TRUTH


@departs("drop")
@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
def test_a_drop_ends_the_connection_after_exactly_so_many_bytes(origin, client, treat, framing):
    """The first deliveries break off, also a chunked one, and HEAD does not use them up; then it works."""
    treat(drop=Drop(1234, times=2), framing=framing)
    for _ in range(2):
        client.get(FILE.name, "HEAD")
        with pytest.raises(http.client.IncompleteRead) as broken:
            client.get()
        assert broken.value.partial == TRUTH[:1234]
        client.connection.close()
    assert client.get().body == TRUTH
    assert [exchange.sent for exchange in origin.wait_idle() if exchange.method == "GET"] == [1234, 1234, SIZE]


def test_drops_by_chance_follow_from_the_seed(treat, raw):
    """The same seed breaks the same deliveries at the same places, another one others."""
    seen = []
    for seed in ("a", "a", "b"):
        treat(drop=Drop(probability=0.5, seed=seed))
        seen.append([len(raw(ASK).partition(b"\r\n\r\n")[2]) for _ in range(20)])
    assert seen[0] == seen[1] != seen[2]
    assert 2 < sum(length < SIZE for length in seen[0]) < 18
    assert len({length for length in seen[0] if length < SIZE}) > 2


def test_a_drop_can_reset_the_connection(origin, treat):
    """The client sees ECONNRESET instead of an orderly end."""
    treat(drop=Drop(100, reset=True))
    with socket.create_connection(("127.0.0.1", origin.port), timeout=10) as line:
        line.sendall(ASK.encode())
        with pytest.raises(ConnectionResetError):
            b"".join(iter(lambda: line.recv(1 << 16), b""))


def test_answers_without_the_content_are_delivered_honestly(client, treat):
    """An error is told whole, whatever happens to bodies of content."""
    treat(refusals=(Refusal(503),), length_lie=9, drop=Drop(0), gzip=True, framing=Framing.CLOSE)
    got = client.get()
    assert (got.status, got.body) == (503, b"503 Service Unavailable\n")
