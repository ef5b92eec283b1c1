"""What the cache may keep, what it may be used for, and what has to go: pure decisions of a private cache (RFC 9111).

Kept is what was complete and verified, under the digest of its content. Which URL had it is remembered with what its
server said to tell versions by; so the server can be asked whether that is still what it has (RFC 9110 §13.1), and a
304 costs no body. Bytes out of the cache are digested while they are read: that a name was kept proves nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

import attrs

from lading.domain import requirements, sent_digests, validators
from lading.domain.digests import Digest
from lading.domain.ports import Call
from lading.domain.replies import Head
from lading.domain.validators import Validator

BLOCKED = "cache"
"""The reason by which a download is blocked while another fetches the same, to be had from the cache then."""
DEFAULT_BYTES = 1000 * 1024**2
DEFAULT_LEAST_BYTES = 1024**2
EVICT_TO = 0.8
"""What is left of the size when something had to go: evicting a little each time would be evicting all the time."""
MOST_KEYS = 64
"""How many URLs may be remembered for one content."""
LONGEST_NAME = 1024
_LARGEST = 0.25
_WEAK = frozenset({"md5", "sha1"})
"""Digests that somebody may give two contents: a name that two may share is no name."""


@attrs.frozen(kw_only=True)
class Stored:
    """A content in the cache: its digest, its size in bytes, and what its server said of it when it was kept.

    `disposition` is the Content-Disposition by which the server had named the file, `stored_ns` UTC.
    """

    digest: str
    size: int
    validator: Validator = attrs.field(factory=Validator)
    disposition: str | None = None
    stored_ns: int = 0


@attrs.frozen(kw_only=True)
class Freed:
    """What was taken out of the cache: how many contents, and how many bytes."""

    blobs: int = 0
    bytes: int = 0


@attrs.frozen(kw_only=True)
class Room:
    """What the cache may take: `most_bytes` in all, nothing smaller than `least_bytes`.

    The reserve is what the disk must keep free, as it must beside downloads. `link` tells that the published file
    itself may become the blob, by a hard link.
    """

    most_bytes: int = DEFAULT_BYTES
    least_bytes: int = DEFAULT_LEAST_BYTES
    reserve_bytes: int = 0
    reserve_percent: int = 0
    link: bool = False

    def takes(self, size: int) -> bool:
        """Tell whether a content of a size may be kept at all; then no other had to go for the last one."""
        return self.least_bytes <= size <= self.most_bytes * EVICT_TO

    def takes_copy(self, size: int, free: int, capacity: int) -> bool:
        """Tell whether a content may be kept that takes room of its own, of `free` bytes on a disk of `capacity`."""
        kept = requirements.reserve(self.reserve_bytes, self.reserve_percent, capacity)
        return size <= self.most_bytes * _LARGEST and free - size >= kept


def words(url: str, headers: Mapping[str, str]) -> str:
    """Return what a content depends on, as far as it is asked for: the whole URL and the caller's headers.

    It holds secrets: only its digest may be kept, a keyed one where there are any.
    """
    return "\n".join((url, *sorted(f"{name.lower()}: {value}" for name, value in headers.items())))


def plain_key(text: str) -> str:
    """Return the key of words that hold no secret."""
    return "p1:" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def is_telling(validator: Validator) -> bool:
    """Tell whether a server can be asked by this whether it still has the same (RFC 9110 §13.1).

    By an ETag; or by a Last-Modified that was old enough when it was told: a file may change twice in a second.
    """
    return validator.etag is not None or validator.if_range is not None


def may_be_kept(head: Head, validator: Validator, total: int | None, room: Room) -> bool:
    """Tell whether the content of an answer may be kept for later (RFC 9111 §3); of unknown length it is not."""
    directives = {part.strip().lower() for part in head.headers.get("cache-control", "").split(",")}
    varies = {part.strip() for part in head.headers.get("vary", "").split(",")}
    if "no-store" in directives or "*" in varies:
        return False
    return total is not None and room.takes(total) and is_telling(validator)


def is_name(digest: str) -> bool:
    """Tell whether a content may be kept under this digest."""
    return Digest.parse(digest).algorithm not in _WEAK


def fits(stored: Stored, expected: str | None) -> bool:
    """Tell whether a content may be what an order wants, whose digest is `expected`; one of another kind may be."""
    if expected is None:
        return True
    wanted = str(Digest.parse(expected))
    return stored.digest == wanted or stored.digest.partition(":")[0] != wanted.partition(":")[0]


def conditional(call: Call, validator: Validator) -> Call:
    """Return the call that asks for the file only if it is another than the one that a server said this of."""
    if validator.etag is not None:
        return attrs.evolve(call, if_none_match=validator.etag)
    return attrs.evolve(call, if_modified_since=validator.last_modified)


def confirms(head: Head, validator: Validator) -> bool:
    """Tell whether a 304 says of the very content that was asked about that nothing has changed (RFC 9110 §15.4.5).

    An ETag settles it, compared weakly; without one, nothing that it tells may be another. A length of 0 is that of the
    answer, which has no body.
    """
    sent = validators.from_headers(head.headers, head.length or None, sent_digests.of_file(head.headers, whole=False))
    if sent.etag is not None and validator.etag is not None:
        if sent.etag.removeprefix("W/") != validator.etag.removeprefix("W/"):
            return False
        sent = attrs.evolve(sent, etag=None, last_modified=None)
    return not attrs.evolve(validator, date=None).differs(sent)


def excess(total: int, room: Room, oldest: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Yield the digests of what has to go, of contents with their sizes, the one first that was used least lately."""
    if total <= room.most_bytes:
        return
    for digest, size in oldest:
        if total <= room.most_bytes * EVICT_TO:
            return
        total -= size
        yield digest


def notice(leader: UUID) -> str:
    """Return why a download waits while another, `leader`, fetches the same."""
    return f"download {leader} fetches the same file now; what it keeps is taken from the cache"
