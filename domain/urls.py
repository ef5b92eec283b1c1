"""URLs: what one must look like, which part of it may be seen, and whose host it is.

Log, views, exports and every message show only the public part of a URL: scheme, host, port and path without
its parameters (`;jsessionid=…`, RFC 3986 §3.3), and the names (never the values) of query parameters that the
request allows (law 7). Everything else goes to the vault.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

import attrs

from lading.domain.errors import InvalidURL

T = TypeVar("T")

SCHEMES = ("http", "https")
LONGEST_URL = 65_536
_PLAIN = re.compile(r"https?://[A-Za-z0-9.-]*[A-Za-z0-9](?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?(?:[/?#][!-~]*)?")
_OPEN = re.compile(
    r"https?://[A-Za-z0-9.-]*[A-Za-z0-9](?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?(?:/[A-Za-z0-9_./~%+-]*)?"
)
"""A URL that has nothing in it that could be a secret: no userinfo, no query, no fragment."""
_PARAMETER = re.compile(r";[^/;=]*=[^/;]*")
_LOOPBACK = re.compile(r"127(?:\.[0-9]{1,3}){3}")
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@attrs.frozen
class PublicURL:
    """The part of a URL that may be seen; `complete` when nothing had to be taken out of it."""

    url: str
    query: tuple[str, ...]
    complete: bool


def parse(url: str) -> SplitResult:
    """Split an absolute URL that a transport of ours can fetch.

    Raises:
        InvalidURL: no scheme, an unknown one, no host, a port out of range, or control characters. The message quotes
            nothing but the scheme.
    """
    text = url.strip()
    if len(text) > LONGEST_URL:
        raise InvalidURL(f"a URL of {len(text):,} characters is too long; {LONGEST_URL:,} is the most")
    if " " in text or not text.isprintable():
        raise InvalidURL("a URL cannot hold spaces or control characters", hint="percent-encode them: %20 is a space")
    if not _ABSOLUTE.match(text):
        raise InvalidURL("a URL needs a scheme", hint="put https:// before the host")
    parts = _split(text)
    if parts.scheme not in SCHEMES:
        raise InvalidURL(
            f"no transport takes the scheme {parts.scheme!r}",
            hint=f"these are taken: {', '.join(SCHEMES)}",
        )
    if not parts.hostname:
        raise InvalidURL("a URL needs a host", hint="such as https://example.org/file.iso")
    return parts


def check(url: str) -> None:
    """Refuse what `parse` refuses; at once, where the URL is as plain as most are.

    Raises:
        InvalidURL: as `parse` says.
    """
    if len(url) > LONGEST_URL or not _PLAIN.fullmatch(url):
        parse(url)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.port == 0 or "\\" in parts.netloc:
            raise ValueError
    except ValueError:  # its message may quote the userinfo
        raise InvalidURL("not a URL: its host or port cannot be read") from None
    return parts


def public(url: str, *, show_query: tuple[str, ...] = (), secret_path: bool = False) -> PublicURL:
    """Take out of `url` what may be a secret: userinfo, parameters, query, fragment, and with `secret_path` the path.

    Raises:
        InvalidURL: not an absolute URL, so that nobody can tell which part of it is which.
    """
    if not secret_path and _OPEN.fullmatch(url):
        return PublicURL(url, (), complete=True)
    parts = _split(url)
    if not parts.scheme or not parts.netloc:
        raise InvalidURL("a URL needs a scheme and a host")
    if not (secret_path or "@" in parts.netloc or any(mark in url for mark in "?#;")):
        return PublicURL(url, (), complete=True)
    host = parts.netloc.rpartition("@")[2]
    names: tuple[str, ...] = ()
    if parts.query and show_query:
        names = tuple(name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if name in show_query)
    path = "/" if secret_path else _PARAMETER.sub("", parts.path)
    shown = urlunsplit((parts.scheme, host, path, "", ""))
    return PublicURL(shown, names, complete=shown == url)


def host(url: str) -> str:
    """Return `host:port` of a URL in lower case, the unit of per-host limits; the scheme's port is filled in."""
    scheme, _, rest = url.partition("//")
    return _host(f"{scheme}//{rest.partition('/')[0]}") if rest else _host(url)


@functools.lru_cache(maxsize=4096)
def _host(url: str) -> str:
    """Return that of a URL without its path: there are far fewer hosts than URLs."""
    parts = _split(url)
    port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    name = (parts.hostname or "").lower()
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def is_local(host: str) -> bool:
    """Tell whether a `host:port` is this very machine: a loopback address (RFC 1122 §3.2.1.3), or its name."""
    name = host.rpartition(":")[0].strip("[]")
    return name == "localhost" or name.endswith(".localhost") or name == "::1" or bool(_LOOPBACK.fullmatch(name))


def of_host(table: Mapping[str, T], host: str) -> T | None:
    """Return what a table has for a `host:port`: under that name, else under the host's alone, else None."""
    found = table.get(host)
    return found if found is not None else table.get(host.rpartition(":")[0].strip("[]"))


def origin(url: str) -> tuple[str, str]:
    """Return scheme and `host:port`: credentials never cross from one origin to another (RFC 6454 §4)."""
    return _split(url).scheme, host(url)


def resource(url: str) -> tuple[str, str, str]:
    """Return scheme, `host:port` and path: what a URL names, whatever is secret about it."""
    return (*origin(url), _split(url).path)


def last_segment(url: str) -> str:
    """Return the last segment of the path, percent-decoded; empty when the path ends in a slash.

    Decoded bytes that are not UTF-8 become U+FFFD; `lading.domain.names` makes a file name of it.
    """
    return unquote(urlsplit(url).path.rpartition("/")[2])
