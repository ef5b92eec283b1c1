"""What the user wants: a `Request` as it is given, and the `Order` that the log keeps of it.

The two are the same intent. A request may hold secrets (tokens in a URL, headers); an order never does: what was taken
out lies in the vault under the download's id, and the order keeps the public URL, a keyed handle and the names.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import attrs

from lading.domain import urls
from lading.domain.digests import Digest
from lading.domain.errors import InvalidDestination, InvalidSetting, InvalidURL

LONGEST_KEY = 512
LONGEST_TAG = 128
MOST_TAGS = 64
MOST_MIRRORS = 64
MOST_CONNECTIONS = 64
LEAST_PRIORITY, MOST_PRIORITY = -(2**31), 2**31 - 1
OURS = frozenset(
    {
        "accept-encoding",
        "content-length",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "range",
        "transfer-encoding",
    }
)
"""Headers that a request cannot bring: what they say is decided here, or the answer could not be judged (law 4)."""

_IDENTITY = ("sources", "root", "folder", "name", "digest", "headers", "if_exists", "resume", "allow_unsized", "cache")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_Choice = TypeVar("_Choice", bound=enum.StrEnum)


class IfExists(enum.StrEnum):
    """What to do when something lies at the destination already."""

    FAIL = "fail"
    SKIP = "skip"
    RENAME = "rename"
    OVERWRITE = "overwrite"


class Resume(enum.StrEnum):
    """What counts as proof that the rest of a file belongs to what we hold (law 4)."""

    STRICT = "strict"
    LENIENT = "lenient"


def _strings(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _copied(value: Mapping[str, str]) -> dict[str, str]:
    return dict(value)


def _choice(kind: type[_Choice], value: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        raise InvalidSetting(f"there is no choice {value!r}", hint=f"one of {', '.join(kind)}") from None


def _if_exists(value: str) -> IfExists:
    return _choice(IfExists, value)


def _resume(value: str) -> Resume:
    return _choice(Resume, value)


def _at_least(least: int, most: int | None = None) -> Any:
    def check(_: object, attribute: attrs.Attribute[int | None], value: int | None) -> None:
        if value is None and attribute.default is None:
            return
        if type(value) is not int or value < least or (most is not None and value > most):
            allowed = f"at least {least}" if most is None else f"from {least} to {most}"
            raise InvalidSetting(f"{attribute.name} cannot be {value!r}", hint=f"allowed is a whole number {allowed}")

    return check


def _storable(text: str) -> bool:
    """Tell whether text can be stored and be part of a path: no NUL, and nothing that UTF-8 has no bytes for."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text))


@attrs.frozen(slots=False)
class Request:
    """What the user wants. Immutable; checked when made.

    Args:
        url: where it is, absolute.
        path: the file to make, as the user typed it; without it the name comes from the server or the URL.
        folder: the folder to put it in, instead of the engine's download folder.
        mirrors: other places that hold the same bytes.
        digest: what the whole file must have, `ALGORITHM:HEX`.
        priority: higher runs first; equal ones in the order of asking.
        tags: the caller's categories.
        key: the caller's own name for this download: submitting it again gives the same download.
        headers: extra request headers; their values are treated as secrets.
        retries: how many more attempts after a failure that may pass, counted anew when bytes advance.
        connections: at most so many at once for this file.
        limit_rate: bytes a second at most.
        if_exists: what to do when the destination exists.
        resume: what counts as proof of sameness.
        allow_unsized: accept a body whose end nothing vouches for.
        show_query: names of query parameters that the log may show.
        secret_path: the URL's path holds a token; keep it in the vault too.
        cache: whether it may come out of the cache, and be kept there.

    Raises:
        InvalidURL, InvalidDigest, InvalidDestination, InvalidSetting: an argument cannot be meant.
    """

    url: str
    path: str | None = attrs.field(default=None, kw_only=True)
    folder: str | None = attrs.field(default=None, kw_only=True)
    mirrors: tuple[str, ...] = attrs.field(default=(), converter=_strings, kw_only=True)
    digest: str | None = attrs.field(default=None, kw_only=True)
    priority: int = attrs.field(default=0, validator=_at_least(LEAST_PRIORITY, MOST_PRIORITY), kw_only=True)
    tags: tuple[str, ...] = attrs.field(default=(), converter=_strings, kw_only=True)
    key: str | None = attrs.field(default=None, kw_only=True)
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=_copied, kw_only=True, repr=False)
    retries: int | None = attrs.field(default=None, validator=_at_least(0, 1000), kw_only=True)
    connections: int | None = attrs.field(default=None, validator=_at_least(1, MOST_CONNECTIONS), kw_only=True)
    limit_rate: int | None = attrs.field(default=None, validator=_at_least(1), kw_only=True)
    if_exists: IfExists = attrs.field(default=IfExists.FAIL, converter=_if_exists, kw_only=True)
    resume: Resume = attrs.field(default=Resume.STRICT, converter=_resume, kw_only=True)
    allow_unsized: bool = attrs.field(default=False, kw_only=True)
    show_query: tuple[str, ...] = attrs.field(default=(), converter=_strings, kw_only=True)
    secret_path: bool = attrs.field(default=False, kw_only=True)
    cache: bool = attrs.field(default=True, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for url in (self.url, *self.mirrors):
            urls.check(url)
        if self.digest is not None:
            Digest.parse(self.digest)
        for what, count, most in (("tags", len(self.tags), MOST_TAGS), ("mirrors", len(self.mirrors), MOST_MIRRORS)):
            if count > most:
                raise InvalidSetting(f"{count} {what} are too many", hint=f"at most {most} are taken")
        for what, text, longest in (("key", self.key, LONGEST_KEY), *(("tag", tag, LONGEST_TAG) for tag in self.tags)):
            if text is not None and not (0 < len(text) <= longest and _storable(text)):
                raise InvalidSetting(
                    f"this cannot be a {what}: {text[:longest]!r}",
                    hint=f"a {what} is text of 1 to {longest} characters",
                )
        for place in (self.path, self.folder):
            if place is not None and not (place and _storable(place)):
                raise InvalidDestination(f"{place!r} is not a path", hint="a path is text in UTF-8, and not empty")
        for name, value in self.headers.items():
            self._check_header(name, value)

    def at(self, url: str) -> Request:
        """Return the same request for another URL; of a long list of them, only that need be checked.

        Raises:
            InvalidURL: the URL cannot be meant.
        """
        urls.check(url)
        made = object.__new__(Request)
        made.__dict__.update(self.__dict__, url=url)
        return made

    @staticmethod
    def _check_header(name: str, value: str) -> None:
        if not _TOKEN.fullmatch(name) or not _storable(value) or any(c in value for c in "\r\n"):
            raise InvalidSetting("a header has a name and no line breaks", hint="give it as --header 'Name: value'")
        if name.lower() in OURS:
            raise InvalidSetting(f"the header {name} is not for you to set", hint="leave it out; the engine sets it")

    def __repr__(self) -> str:
        try:
            shown = urls.public(self.url, secret_path=self.secret_path).url
        except (InvalidURL, ValueError):
            shown = "…"
        return f"Request({shown!r})"


@attrs.frozen(kw_only=True, slots=False)
class Source:
    """One place to get it from, as the log may know it.

    `handle` names the full URL without telling it (a keyed HMAC), and is None when `url` is the whole of it.
    """

    url: str
    handle: str | None = None
    query: tuple[str, ...] = ()
    transport: str = "http"
    tier: int = 0


@attrs.frozen(kw_only=True, slots=False)
class Order:
    """A request without its secrets: what `Queued` records.

    `root` names a folder that the engine knows (`downloads`) or is `/`; `folder` lies below it; `name` is None until
    the server or the URL gives one. `secret` tells that the vault holds something of this download, `bundle` to which
    bundle it belongs, and `together` that it is published with all others of that or not at all.
    """

    sources: tuple[Source, ...]
    root: str = "downloads"
    folder: str = ""
    name: str | None = None
    digest: str | None = None
    priority: int = 0
    tags: tuple[str, ...] = ()
    key: str | None = None
    headers: tuple[str, ...] = ()
    retries: int | None = None
    connections: int | None = None
    limit_rate: int | None = None
    if_exists: IfExists = IfExists.FAIL
    resume: Resume = Resume.STRICT
    allow_unsized: bool = False
    secret: bool = False
    bundle: UUID | None = None
    together: bool = False
    cache: bool = True

    @property
    def url(self) -> str:
        """The public URL of the first source."""
        return self.sources[0].url

    def repeats(self, other: Order) -> bool:
        """Tell whether this asks for what another asked for: the same bytes, in the same place.

        Who gives a key asks for what has that key. Values of headers are not compared: an order has only their names.
        """
        return (
            all(getattr(self, name) == getattr(other, name) for name in _IDENTITY)
            and self.key is None
            and self.bundle is other.bundle is None
        )

    @property
    def host(self) -> str:
        """`host:port` of the first source, the unit of per-host limits."""
        return urls.host(self.sources[0].url)
