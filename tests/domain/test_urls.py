"""URLs: what one must look like, what of it may be seen, and whose host it is."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lading.domain import urls
from lading.domain.errors import InvalidURL

SECRET = "hunter2"
WORD = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)


@st.composite
def secretive(draw: st.DrawFn) -> str:
    """Draw a URL that has the secret in its userinfo, query or fragment, and what is public around it."""
    scheme = draw(st.sampled_from(("http", "https", "HTTPS")))
    host = draw(st.sampled_from(("example.org", "EXAMPLE.org", "[::1]", "127.0.0.1")))
    userinfo = draw(st.sampled_from(("", f"{SECRET}@", f"u:{SECRET}@", f"{SECRET}:p@", f"a@{SECRET}@", f":{SECRET}@")))
    port = draw(st.sampled_from(("", ":8080")))
    path = draw(st.sampled_from(("", "/", "/a/b", "/a@b:c", "/%3F")))
    query = draw(
        st.sampled_from(("", "?", f"?{SECRET}", f"?k={SECRET}", f"?a=1&k={SECRET}", f"?{SECRET}=a@b", f"?/{SECRET}#"))
    )
    fragment = draw(st.sampled_from(("", "#", f"#{SECRET}", f"#k={SECRET}?")))
    return f"{scheme}://{userinfo}{host}{port}{path}{query}{fragment}"


def refusals(url: str) -> dict[InvalidURL, object]:
    """Return what a URL is refused with, and by which of its readers; no other error may come out of them."""
    found: dict[InvalidURL, object] = {}
    for read in (urls.parse, urls.public, urls.host, urls.origin):
        try:
            read(url)
        except InvalidURL as error:
            found[error] = read
    return found


@pytest.mark.law(7)
@given(secretive(), st.booleans())
@example("http://example.org/", True)
def test_the_public_url_holds_no_userinfo_query_or_fragment(url, secret_path):
    """Whatever may be a secret is taken out, and the rest still names the same host."""
    shown = urls.public(url, secret_path=secret_path)
    assert SECRET not in shown.url
    assert not set(shown.url.partition("://")[2].partition("/")[0]) & set("@?#")
    assert "?" not in shown.url
    assert "#" not in shown.url
    assert urls.host(shown.url) == urls.host(url)
    assert urls.parse(shown.url)
    assert shown.complete == (shown.url == url)


@pytest.mark.law(7)
@given(secretive())
def test_what_is_public_is_public_of_itself(url):
    """Taking out twice takes out no more."""
    shown = urls.public(url).url
    assert urls.public(shown) == urls.PublicURL(shown, (), complete=True)


@pytest.mark.law(7)
def test_only_names_of_the_query_are_shown_and_only_those_that_are_allowed():
    """The value never is, and a name that was not allowed is not."""
    url = f"https://a.example/f?id={SECRET}&token={SECRET}&empty=&id=2"
    shown = urls.public(url, show_query=("id", "empty", "other"))
    assert shown == urls.PublicURL("https://a.example/f", ("id", "empty", "id"), complete=False)
    assert urls.public(url).query == ()


@pytest.mark.law(7)
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://a.example/x;jsessionid={SECRET}", "https://a.example/x"),
        (f"https://a.example/x;a=1;token={SECRET}?b=1", "https://a.example/x"),
        (f"https://a.example/a;sid={SECRET}/x;;v=;t={SECRET}", "https://a.example/a/x;"),
        ("https://a.example/a;b/x;", "https://a.example/a;b/x;"),
    ],
)
def test_the_parameters_of_a_path_are_not_shown(url, shown):
    """Sessions are often named there, in any segment; a semicolon that gives nothing a value is a part of a name."""
    assert urls.public(url) == urls.PublicURL(shown, (), complete=url == shown)
    assert urls.public(shown).complete


@pytest.mark.law(7)
def test_a_secret_path_is_not_shown():
    """Tokens in paths are covered when the user says so."""
    assert urls.public(f"https://a.example/{SECRET}/f", secret_path=True).url == "https://a.example/"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "http://example.org/file.iso",
        "HTTP://EXAMPLE.ORG/File",
        "https://u:p@example.org:8443/a?b#c",
        "http://[2001:db8::1]/x",
        "http://[::1]:8080/x",
        "http://127.0.0.1:1/",
        "https://bücher.example/ä",
        "  https://example.org/with-blanks-around\n",
        "https://example.org/a%20b",
    ],
)
def test_an_absolute_http_url_is_taken(url):
    """Schemes in any case, ports, IPv6, userinfo and other scripts."""
    assert urls.parse(url).hostname


REFUSED = {
    "": "scheme",
    "example.org": "https://",
    "example.org/file": "https://",
    "example.org:8080/x": "https://",
    "localhost:8080/x": "https://",
    "//example.org/x": "https://",
    "/etc/passwd": "https://",
    "file.iso": "https://",
    "mailto:someone@example.org": "https://",
    "ftp://example.org/x": "http, https",
    "file:///etc/passwd": "http, https",
    "https://": "host",
    "https:///path": "host",
    "https://?query": "host",
    "https://:443/": "host",
    "http://[::1/": "host",
    "http://[nonsense]/": "host",
    "http://example.org:99999/": "host",
    "http://example.org:0/": "host",
    "http://example.org:port/": "host",
    "http://good.example\\@evil.example/": "host",
    "http://exa mple.org/": "%20",
    "http://example.org/a b": "%20",
    "http://example.org/a\nb": "%20",
    "http://example.org/a\x9b31m": "%20",
    "http://example.org/a\u202eb": "%20",
    "http://example.org/\udcff": "%20",
    "http://example.org/" + "a" * 70_000: "long",
}


@pytest.mark.parametrize(("url", "said"), REFUSED.items(), ids=[url[:30] for url in REFUSED])
def test_what_is_not_one_is_refused_with_a_hint(url, said):
    """Message and hint together tell what is missing."""
    with pytest.raises(InvalidURL) as caught:
        urls.parse(url)
    assert caught.value.hint
    assert said in f"{caught.value} {caught.value.hint}"


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "url",
    [
        f"https://{SECRET}@",
        f"https://u:{SECRET}@[::1/x",
        f"https://u:{SECRET}@example.org:port/",
        f"https://u:{SECRET}@example.org:99999/",
        f"https://u:{SECRET}@exam\u2100ple.org/",
        f"https://u:{SECRET} @example.org/",
        f"https://u:{SECRET}/@example.org/",
        f"ftp://u:{SECRET}@example.org/?{SECRET}",
        f"u:{SECRET}@example.org/file",
        f"{SECRET}:x@example.org/file",
        f"{SECRET}:x@example.org/?https://x",
        f"{SECRET}://x"[1:],
        f"https://example.org/?k={SECRET} ",
        f"https://example.org/?k={SECRET}\x07",
    ],
)
def test_a_refusal_shows_no_secret(url):
    """Neither the message, nor the hint, nor what caused the error quotes the URL."""
    refused = refusals(url)
    for error in refused:
        assert SECRET not in f"{error} {error.hint} {error.__cause__}"
        assert error.__suppress_context__ or error.__context__ is None
    assert urls.public in refused.values() or SECRET not in urls.public(url).url


@given(st.text() | st.text().map("http://".__add__) | st.text(alphabet="htp:/@?#[]\\.a1 ").map("https://".__add__))
def test_no_text_makes_another_error(text):
    """What is no URL is `InvalidURL`, from each of the readers."""
    assert all(error.hint for error in refusals(text))


@given(st.text() | st.text(alphabet="htp:/@?#[]\\.a1 ").map("https://".__add__))
def test_what_may_be_seen_of_a_taken_url_can_be_taken(text):
    """A URL that is refused later would stick in the log."""
    try:
        urls.parse(text)
    except InvalidURL:
        return
    assert urls.parse(urls.public(text.strip()).url).hostname


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://Example.ORG/x", "example.org:80"),
        ("https://example.org/x", "example.org:443"),
        ("HTTPS://example.org", "example.org:443"),
        ("http://example.org:8080/x", "example.org:8080"),
        ("http://u:p@example.org/x", "example.org:80"),
        ("http://[::1]:8080/", "[::1]:8080"),
        ("https://[2001:DB8::1]/", "[2001:db8::1]:443"),
    ],
)
def test_the_host_is_the_unit_of_limits(url, expected):
    """Lower case, the port always there, IPv6 in brackets."""
    assert urls.host(url) == expected


def test_an_origin_is_scheme_host_and_port():
    """Credentials for one are not sent to another (RFC 6454 §4)."""
    assert urls.origin("HTTPS://Example.org/a") == urls.origin("https://example.org:443/b?c")
    assert len({*map(urls.origin, ("https://a", "http://a", "https://a:444", "https://b", "http://a:443"))}) == 5


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a/x/file.iso?name=other", "file.iso"),
        ("https://a/x/", ""),
        ("https://a", ""),
        ("https://a/na%C3%AFve.txt", "naïve.txt"),
        ("https://a/%FF.txt", "\ufffd.txt"),
        ("https://a/..%2F..%2Fetc%2Fpasswd", "../../etc/passwd"),
        ("https://a/x;type=i#frag", "x;type=i"),
    ],
)
def test_the_last_segment_is_decoded_once(url, expected):
    """It is a stranger's text still: `names.clean` comes after."""
    assert urls.last_segment(url) == expected


@given(st.one_of(secretive(), st.text(max_size=40), st.from_regex(r"https?://[a-z0-9.:@\[\]-]{0,12}[/?#]?[ -~]{0,8}")))
@example("http://a:0/")
@example("http://a:99999/")
@example("http://a/ b")
@example("http://./")
@example("HTTP://a/")
def test_a_quick_check_refuses_what_a_careful_one_does(url):
    """The short cut for plain URLs accepts nothing that is not one."""
    try:
        urls.parse(url)
    except InvalidURL:
        with pytest.raises(InvalidURL):
            urls.check(url)
    else:
        urls.check(url)
