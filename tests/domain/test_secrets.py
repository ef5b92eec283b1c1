"""Secrets: what the log gets holds none, the transport gets all of them, and messages come out clean."""

from __future__ import annotations

import base64
import json
import traceback
from urllib.parse import quote, quote_plus, unquote
from uuid import UUID

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lading.adapters import codec
from lading.domain import secrets, urls
from lading.domain.errors import InvalidSetting, LadingError, TransferError
from lading.domain.events import Queued
from lading.domain.faults import Cause
from lading.domain.ports import Secrets
from lading.domain.requests import Order, Request

pytestmark = [pytest.mark.law(7), pytest.mark.row("S3.1")]

ALPHABET = "qxzQXZ0123456789"  # shares no word with what messages and public URLs are made of
RESERVED = "%+/=&;?#@: '\"\\.,~éß€"
tokens = st.text(ALPHABET, min_size=6, max_size=24)
values = st.builds("".join, st.tuples(tokens, st.text(ALPHABET + RESERVED, max_size=12), tokens))


def part(request: Request) -> tuple[Order, Secrets | None]:
    return secrets.part(request, lambda url: f"v1:{len(url)}", root="downloads", folder="f", name="n.iso")


def in_full(order: Order) -> str:
    """Everything of an order that any log, view or message could show."""
    state = codec.seal(Queued(order=order), id=UUID(int=7), at_ns=1)
    return repr(order) + state.decode("latin-1") + state.decode(errors="replace")


@st.composite
def secret_requests(draw: st.DrawFn) -> tuple[Request, list[str]]:
    """A request, and the secrets that are in it, as they were before they were encoded."""
    user, password, signature, fragment, cookie, bearer, path = draw(st.lists(values, min_size=7, max_size=7))
    spell = draw(st.sampled_from((lambda text: quote(text, safe=""), quote_plus)))
    hide_path = draw(st.booleans())
    folder = quote(path, safe="") if hide_path else "public"
    url = (
        f"https://{quote(user, safe='')}:{quote(password, safe='')}@host.example:8443/{folder}/file.iso"
        f"?sig={spell(signature)}&part=1#{quote(fragment, safe='')}"
    )
    plain = "".join(c for c in bearer if c.isascii() and c not in ' "\\;,')
    request = Request(
        url,
        mirrors=draw(st.lists(st.just(f"https://mirror.example/file.iso?t={spell(signature)}"), max_size=2)),
        headers={"Cookie": f"sid={quote(cookie, safe='')}", "Authorization": f"Bearer {plain}", "X-Key": plain},
        show_query=("part",),
        secret_path=hide_path,
    )
    kept = [user, password, signature, fragment, quote(cookie, safe=""), plain]
    return request, [*kept, path] if hide_path else kept


@given(secret_requests())
def test_no_secret_survives_in_the_order_or_in_a_repr(made) -> None:
    """Neither the order, as it is shown or stored, nor the request's own repr holds a secret in any usual spelling."""
    request, hidden = made
    order, kept = part(request)
    seen = in_full(order) + repr(request) + repr(kept)
    for secret in hidden:
        for spelling in spellings(secret):
            assert spelling not in seen
    assert order.sources[0].query == ("part",)
    assert order.headers == ("Cookie", "Authorization", "X-Key")
    assert order.secret
    assert order.sources[0].handle


@given(
    secret_requests(),
    st.sampled_from(("{}", "\ud800{}", "https://bad host/{}", "x://{}", "https://{}:99999/", "https://[{}")),
)
def test_no_secret_survives_in_the_error_of_a_request_that_cannot_be_meant(made, shape) -> None:
    """The errors of a URL or header that is refused do not quote it."""
    request, hidden = made
    broken = shape.format(request.url.removeprefix("https://"))
    with pytest.raises(LadingError) as caught:
        assume(urls.parse(broken) and False)
    assert not any(secret in shown(caught.value) for secret in hidden)
    with pytest.raises(InvalidSetting) as caught:
        Request("https://host.example/", headers={"X-Key": f"{hidden[-1]}\r\n"})
    assert hidden[-1] not in shown(caught.value)


def shown(error: LadingError) -> str:
    return "".join(traceback.format_exception(error)) + error.hint


def spellings(secret: str) -> set[str]:
    """The ways in which messages quote things: as they are, percent-encoded in many ways, as code, in base64."""
    encoded = quote(secret, safe="")
    return {
        secret,
        encoded,
        encoded.lower() if encoded.lower().islower() and secret.islower() else encoded,
        quote(secret),
        quote_plus(secret),
        quote(encoded, safe=""),
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }


words = st.sampled_from(
    ("", "cannot reach ", "GET ", "<", "'", "(", "url=", "tried ", " failed", ">", "'", " (1)", "…")
)


@given(secret_requests(), st.data())
def test_no_secret_survives_scrubbing_in_any_spelling(made, data) -> None:
    """A message that quotes secrets, in whatever spelling and company, holds none of them afterwards."""
    request, hidden = made
    _, kept = part(request)
    assert kept is not None
    quoted = data.draw(
        st.lists(st.sampled_from([s for secret in hidden for s in sorted(spellings(secret))]), max_size=5)
    )
    message = data.draw(words) + "".join(spelling + data.draw(words) for spelling in quoted)
    scrubbed = secrets.scrub(message, kept)
    for secret in hidden:
        assert not [spelling for spelling in spellings(secret) if spelling in scrubbed]


@given(secret_requests())
def test_whole_urls_and_headers_are_scrubbed_down_to_their_public_part(made) -> None:
    """What is left of a URL is scheme, host and, where it is public, path; of a header its name."""
    request, hidden = made
    _, kept = part(request)
    assert kept is not None
    for url in kept.urls:
        for message in (f"GET {url} failed", f"({unquote(url)!r})", json.dumps({"url": url, **kept.headers})):
            scrubbed = secrets.scrub(message, kept)
            assert not [secret for secret in hidden if secret in scrubbed]
    clean = secrets.scrub(f"GET {kept.urls[0]} failed", kept)
    folder = secrets.SCRUBBED if request.secret_path else "/public/file.iso"
    assert clean == f"GET https://{secrets.SCRUBBED}host.example:8443{folder}{secrets.SCRUBBED} failed".replace(
        secrets.SCRUBBED * 2, secrets.SCRUBBED
    )


@given(st.text(), st.text(max_size=30), st.text(max_size=30))
@example("a" * 50, "\\" * 40, "%25" * 20)
def test_scrubbing_takes_any_text_and_any_secret(text, query, value) -> None:
    """It neither fails nor loops; and a text that quotes nothing comes back as it is."""
    kept = Secrets(urls=(f"https://host.example/?{query}",), headers={"X": value, "Y": "Basic !"})
    secrets.scrub(text + query + "\\" * 60 + value, kept)
    assert secrets.scrub(text, None) == text
    assert (
        secrets.scrub("nothing to see", Secrets(urls=("https://host.example/nothing?a=1",), headers={}))
        == "nothing to see"
    )


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"Authorization": "Basic YWxpY2U6b3BlbnNlc2FtZQ=="}, "user alice with password opensesame"),
        ({"authorization": "Bearer tok-12345678"}, "token tok-12345678 has expired"),
        ({"Cookie": 'a=1; session="deadbeef"'}, "no session deadbeef"),
        ({"X-Api-Key": "k-987654"}, "key k%2D987654, or k-987654, is unknown"),
    ],
)
def test_what_a_header_is_made_of_is_scrubbed_too(header, message) -> None:
    """Servers quote the token without its scheme, the cookie without its name, the password out of its base64."""
    scrubbed = secrets.scrub(message, Secrets(urls=("https://host.example/",), headers=header))
    assert not [word for word in ("opensesame", "tok-12345678", "deadbeef", "k-987654") if word in scrubbed]
    assert secrets.SCRUBBED in scrubbed


def test_basic_credentials_are_scrubbed_in_base64() -> None:
    """A message that quotes the Authorization header made of userinfo does not give it away."""
    kept = Secrets(urls=("https://al%40ice:open%2Fsesame@host.example/",))
    token = base64.b64encode(b"al@ice:open/sesame").decode()
    scrubbed = secrets.scrub(f"header Authorization: Basic {token} refused", kept)
    assert token.rstrip("=") not in scrubbed


class TestPart:
    """Taking a request apart."""

    def test_a_request_without_secrets_needs_no_vault(self) -> None:
        """No handle is asked for, nothing is to be kept, and the URL is logged whole."""
        request = Request("https://host.example/a.iso", mirrors=["http://other.example/a.iso"])
        order, kept = secrets.part(request, pytest.fail, root="downloads", folder="", name=None)
        assert kept is None
        assert not order.secret
        assert [(source.url, source.handle) for source in order.sources] == [
            ("https://host.example/a.iso", None),
            ("http://other.example/a.iso", None),
        ]

    def test_everything_that_is_not_secret_is_kept_in_the_order(self) -> None:
        """An order says what the request said: a field that is added to one must be carried over."""
        request = Request(
            "https://host.example/a.iso",
            digest="md5:" + "0" * 32,
            priority=3,
            tags=["a"],
            key="k",
            retries=1,
            connections=2,
            limit_rate=3,
            if_exists="rename",
            resume="lenient",
            allow_unsized=True,
        )
        order, _ = part(request)
        own = {"url", "path", "folder", "mirrors", "headers", "show_query", "secret_path"}
        for field in set(Request.__annotations__) - own:
            assert getattr(order, field) == getattr(request, field), field
        assert (order.root, order.folder, order.name) == ("downloads", "f", "n.iso")

    def test_the_handle_is_asked_of_the_whole_url(self) -> None:
        """Two tokens for one file have two handles."""
        asked: list[str] = []
        request = Request(" https://host.example/a?t=1 ", mirrors=["https://host.example/b"], headers={"A": "b"})
        order, kept = secrets.part(request, lambda url: asked.append(url) or "v1:x", root="/", folder="", name=None)
        assert asked == ["https://host.example/a?t=1"]
        assert kept == Secrets(urls=("https://host.example/a?t=1", "https://host.example/b"), headers={"A": "b"})
        assert [source.handle for source in order.sources] == ["v1:x", None]


class TestJoin:
    """Putting it together again for the wire."""

    def test_userinfo_becomes_a_basic_header_and_the_fragment_stays_here(self) -> None:
        """RFC 7617 §2: user and password, decoded, in base64; RFC 3986 §3.5: no fragment is sent."""
        order, kept = part(Request("https://al%40ice:p%C3%A9@host.example:8443/a?q=1#f"))
        [call] = secrets.join(order, kept)
        assert call.url == "https://host.example:8443/a?q=1"
        assert call.headers == {"Authorization": "Basic " + base64.b64encode("al@ice:pé".encode()).decode()}

    def test_a_header_of_the_user_wins_over_userinfo(self) -> None:
        """Whoever gives both means the header."""
        order, kept = part(Request("https://alice:secret@host.example/", headers={"authorization": "Bearer x"}))
        [call] = secrets.join(order, kept)
        assert call.headers == {"authorization": "Bearer x"}

    def test_credentials_do_not_cross_origins(self) -> None:
        """A mirror elsewhere gets what names the client, not what opens doors (RFC 6454 §4); one here gets all."""
        headers = {"Authorization": "Bearer x", "X-Key": "k", "User-Agent": "us"}
        mirrors = ["https://elsewhere.example/a", "https://HOST.example:443/b", "http://host.example/c"]
        order, kept = part(Request("https://host.example/a", mirrors=mirrors, headers=headers))
        calls = secrets.join(order, kept)
        assert [call.url for call in calls] == ["https://host.example/a", *mirrors]
        assert [dict(call.headers) for call in calls] == [headers, {"User-Agent": "us"}, headers, {"User-Agent": "us"}]

    def test_what_was_parted_is_joined_to_what_was_asked(self) -> None:
        """Without secrets the order's URLs are the calls'."""
        order, kept = part(Request("https://host.example/a%20b", mirrors=["https://m.example/"]))
        assert [(call.url, dict(call.headers)) for call in secrets.join(order, kept)] == [
            ("https://host.example/a%20b", {}),
            ("https://m.example/", {}),
        ]

    def test_lost_secrets_are_a_cause_of_their_own(self) -> None:
        """The public part of a URL is never asked for in place of the whole."""
        order, kept = part(Request("https://host.example/a?t=1", mirrors=["https://host.example/b?t=2"]))
        assert kept is not None
        for lost in (None, Secrets(urls=kept.urls[:1])):
            with pytest.raises(TransferError) as caught:
                secrets.join(order, lost)
            assert caught.value.cause == Cause.SECRET
            assert caught.value.hint


@pytest.mark.parametrize("url", ["http://[::1/x?k=s3cr3t", "http://u:s3cr3t@[zz]/", "http://ex\u2100mple/?s3cr3t"])
def test_what_is_no_url_is_scrubbed_whole(url):
    """Nobody can tell which part of it would be secret, and no error of a library comes of trying."""
    shown = secrets.scrub(f"cannot read {url}: no URL", Secrets(urls=(url,)))
    assert "s3cr3t" not in shown
    assert shown.startswith("cannot read")
