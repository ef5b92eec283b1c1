"""What may be seen and what may not: a request is parted, joined again for the wire, and messages are scrubbed.

Secret are the userinfo, the query and the fragment of a URL, its path too where the request says so, and the value of
every header (law 7). `part` takes them out before anything is logged; they go to the vault. `join` puts them back
together for a transport, and only there. `scrub` is the last fence: whatever a library or a server says passes through
it before it is logged or shown, because a message may quote what it failed on, in any spelling.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import SplitResult, quote, unquote, unquote_plus, unquote_to_bytes, urlsplit, urlunsplit

from lading.domain import urls
from lading.domain.commands import ReplaceSource
from lading.domain.errors import IllegalCommand, TransferError
from lading.domain.faults import HINTS, Cause
from lading.domain.ports import Call, Secrets
from lading.domain.requests import Order, Request, Source

SCRUBBED = "[…]"
LEAST = 4  # shorter values are scrubbed inside URLs only: taking out every "1" would leave no message
LEAST_PIECE = 6  # the same for the words that a header's value is made of
HARMLESS = frozenset({"accept", "accept-charset", "accept-language", "user-agent"})
"""Headers that go to every source; the others may be credentials and stay with the first source's origin."""

_SCHEMES = frozenset({"basic", "bearer", "digest", "negotiate", "token"})


def part(
    request: Request, handle: Callable[[str], str], *, root: str, folder: str, name: str | None
) -> tuple[Order, Secrets | None]:
    """Part a request into what the log may hold and what only the vault may.

    Args:
        request: what the user wants, secrets included.
        handle: names a whole URL without telling it (`Vault.handle`); called only for URLs that hold a secret.
        root: the named root below which the file goes.
        folder: the folder below that root.
        name: the file's name, None when the server or the public URL will give it.

    Returns:
        The order, and the secrets; None when there are none, so that nothing need be kept.
    """
    given = tuple(url.strip() for url in (request.url, *request.mirrors))
    shown = [urls.public(url, show_query=request.show_query, secret_path=request.secret_path) for url in given]
    secret = bool(request.headers) or not all(one.complete for one in shown)
    order = Order(
        sources=tuple(
            Source(url=one.url, handle=None if one.complete else handle(url), query=one.query)
            for url, one in zip(given, shown, strict=True)
        ),
        root=root,
        folder=folder,
        name=name,
        digest=request.digest,
        priority=request.priority,
        tags=request.tags,
        key=request.key,
        headers=tuple(request.headers),
        retries=request.retries,
        connections=request.connections,
        limit_rate=request.limit_rate,
        if_exists=request.if_exists,
        resume=request.resume,
        allow_unsized=request.allow_unsized,
        secret=secret,
        cache=request.cache,
    )
    if not secret:
        return order, None
    return order, Secrets(urls=given, headers=dict(request.headers), secret_path=request.secret_path)


def refresh(
    order: Order,
    source: int,
    url: str,
    kept: Secrets | None,
    handle: Callable[[str], str],
    *,
    headers: Mapping[str, str] | None = None,
) -> tuple[ReplaceSource, Secrets | None]:
    """Return the command that gives a source another URL, and what the vault is to keep then; None for nothing.

    Headers that were given before stay, but what may be a credential does not go to another origin. With `headers`
    these take their place, and that of headers that are lost: they have the names that the order tells. `same` is told
    only where the URL that is replaced is known whole, and names the same resource.

    Raises:
        InvalidURL: the URL cannot be meant.
        IllegalCommand: other secrets of the download are lost, and nothing here brings them back; or the headers are
            not those that were asked for.
    """
    given, old = url.strip(), order.sources[source]
    urls.check(given)
    more = [other for number, other in enumerate(order.sources) if number != source and other.handle is not None]
    if order.secret and kept is None and more:
        raise IllegalCommand(
            "this download has lost the secrets of its mirrors, which another URL for it does not bring back",
            hint="`lading remove ID`, and add it again, with its whole URLs and its headers",
        )
    if headers is None and order.secret and kept is None and order.headers:
        raise IllegalCommand("this download has lost headers, which a URL does not bring back", hint=_named(order))
    if headers is not None and sorted(map(str.lower, headers)) != sorted(map(str.lower, order.headers)):
        raise IllegalCommand(
            "these are not the headers that this download was asked for with",
            hint=_named(order) if order.headers else "it was asked for with none: leave them out, or add it anew",
        )
    is_lost = kept is None and old.handle is not None
    secret_path = kept.secret_path if kept is not None else is_lost and urls.resource(old.url)[2] in {"", "/"}
    before = kept.urls if kept is not None else tuple(one.url for one in order.sources)
    same = not (is_lost and secret_path) and urls.resource(before[source]) == urls.resource(given)
    shown = urls.public(given, show_query=old.query, secret_path=secret_path)
    secret = order.secret or not shown.complete
    command = ReplaceSource(
        source=source,
        url=shown.url,
        handle=None if shown.complete else handle(given),
        query=shown.query,
        secret=secret,
        same=same,
    )
    if not secret:
        return command, None
    sent = dict(headers if headers is not None else kept.headers if kept is not None else {})
    if headers is None and urls.origin(before[source]) != urls.origin(given):
        sent = {name: value for name, value in sent.items() if name.lower() in HARMLESS}
    whole = (*before[:source], given, *before[source + 1 :])
    return command, Secrets(urls=whole, headers=sent, secret_path=secret_path)


def _named(order: Order) -> str:
    """Return how the headers of an order are given again."""
    options = " ".join(f"--header '{name}: …'" for name in order.headers)
    return f"`lading refresh-url ID URL {options}` brings the headers and the URL; --header @FILE has one a line"


def join(order: Order, secrets: Secrets | None) -> tuple[Call, ...]:
    """Return for each source of `order` the call that fetches it, secrets included.

    Userinfo becomes a basic Authorization header (RFC 7617 §2) unless the request brought one, and the fragment is
    dropped (RFC 3986 §3.5), so that a transport sends the URL as it is. Credentials do not cross origins: what may be
    one goes only to sources of the first source's origin.

    Raises:
        TransferError: the order has secrets and `secrets` does not hold them.
    """
    if order.secret and secrets is None:
        raise _lost()
    if secrets is None and len(order.sources) == 1 and order.sources[0].handle is None:
        return (_call(order.url, {}),)
    whole = secrets.urls if secrets else ()
    headers = secrets.headers if secrets else {}
    everywhere = {name: value for name, value in headers.items() if name.lower() in HARMLESS}
    if len(whole) < len(order.sources) and any(source.handle for source in order.sources[len(whole) :]):
        raise _lost()
    given = whole + tuple(source.url for source in order.sources[len(whole) :])
    home = urls.origin(given[0])
    return tuple(_call(url, headers if urls.origin(url) == home else everywhere) for url in given)


def scrub(text: str, secrets: Secrets | None) -> str:
    """Return `text` without the secrets, in whichever spelling it quotes them.

    Found are the secret parts of each URL, whole and value by value, header values and the words they are made of, and
    the base64 of basic credentials; each as it is, percent-encoded or -decoded, and as Python or JSON would quote it.
    What is left of a URL is its public part. Values of fewer than `LEAST` characters are found only inside a URL.
    """
    if secrets is None:
        return text
    forms = {form for value in _values(secrets) for form in _forms(value)}
    found = [match.span() for form in forms for match in re.finditer("".join(map(_spellings, form)), text)]
    pieces, at = [], 0
    for start, end in _merged(found):
        pieces += [text[at:start], SCRUBBED]
        at = end
    return "".join((*pieces, text[at:]))


def _merged(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the spans in order, those that touch or overlap as one."""
    start = end = -1
    for first, last in sorted(spans):
        if first > end:
            if end >= 0:
                yield start, end
            start = first
        end = max(end, last)
    if end >= 0:
        yield start, end


def _lost() -> TransferError:
    return TransferError(
        "the secrets of this download are not in the vault", cause=Cause.SECRET, hint=HINTS[Cause.SECRET]
    )


def _call(url: str, headers: Mapping[str, str]) -> Call:
    if "@" not in url and "#" not in url:
        return Call(url=url, headers=headers)
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at and not parts.fragment:
        return Call(url=url, headers=headers)
    bare = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    if at and userinfo.strip(":") and "authorization" not in map(str.lower, headers):
        headers = {**headers, "Authorization": f"Basic {_basic(userinfo)}"}
    return Call(url=bare, headers=headers)


def _basic(userinfo: str) -> str:
    user, _, password = userinfo.partition(":")
    return _base64(unquote_to_bytes(_octets(user)) + b":" + unquote_to_bytes(_octets(password)))


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _octets(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _values(secrets: Secrets) -> Iterator[str]:
    """Yield every string that must not be seen."""
    for url in secrets.urls:
        try:
            parts = urlsplit(url)
        except ValueError:  # no URL: nobody can tell which part of it is secret
            yield from _long_enough((url, *re.split(r"[^A-Za-z0-9._~-]+", url)))
        else:
            yield from _of_url(parts, secret_path=secrets.secret_path)
    for name, value in secrets.headers.items():
        yield from _of_header(name.lower(), value.strip())


def _of_url(parts: SplitResult, *, secret_path: bool) -> Iterator[str]:
    userinfo, at, _ = parts.netloc.rpartition("@")
    if at:
        user, _, password = userinfo.partition(":")
        yield f"{userinfo}@"
        yield from _long_enough((userinfo, user, password))
        yield from _long_enough((_basic(userinfo).rstrip("="), _base64(_octets(userinfo)).rstrip("=")))
    for mark, text in (("?", parts.query), ("#", parts.fragment)):
        if text:
            yield mark + text
            yield from _long_enough((text, *(pair.partition("=")[2] or pair for pair in re.split("[&;]", text))))
    if secret_path:
        yield from _long_enough((parts.path, *parts.path.split("/")))


def _of_header(name: str, value: str) -> Iterator[str]:
    yield from _long_enough((value,))
    if name in HARMLESS:
        return
    scheme, _, credentials = value.partition(" ")
    if scheme.lower() in _SCHEMES:
        value = credentials.strip()
        yield from _long_enough((value, value.rstrip("=")))
    if scheme.lower() == "basic":
        try:
            userinfo = base64.b64decode(value).decode(errors="replace")
        except (binascii.Error, ValueError):
            userinfo = ""
        yield from _long_enough((userinfo, *userinfo.split(":", 1)))
    words = re.split(r"[\s,;]+", value)
    yield from _long_enough((*words, *(word.partition("=")[2].strip('"') for word in words)), LEAST_PIECE)


def _long_enough(values: Iterable[str], least: int = LEAST) -> Iterator[str]:
    return (value for value in values if len(value) >= least)


def _forms(value: str) -> set[str]:
    """Return the value, decoded in the usual charsets, each also encoded once more, and as code would quote it."""
    decoded = {value, unquote(value), unquote_plus(value), unquote(value, encoding="latin-1")}
    return {
        *decoded,
        *(quote(one, safe="", errors="surrogatepass") for one in decoded),
        *(json.dumps(one, ensure_ascii=False)[1:-1] for one in decoded),
        *(repr(one)[1:-1] for one in decoded),
    }


@functools.lru_cache(maxsize=1024)
def _spellings(char: str) -> str:
    """Return a pattern for the ways to write one character; an unreserved one (RFC 3986 §2.3) is written as it is."""
    if char.isascii() and (char.isalnum() or char in "-_~"):
        return char
    ways = {re.escape(char), rf"\\x{ord(char):02x}", re.escape(json.dumps(char)[1:-1])}
    for mark in ("%", r"\\x"):
        ways.add("".join(f"{mark}(?i:{octet:02x})" for octet in _octets(char)))
    if char in " +":
        ways |= {re.escape(" "), re.escape("+")}
    return f"(?:{'|'.join(sorted(ways))})"
