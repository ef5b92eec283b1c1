"""What an origin serves: bytes that are a function of a seed, a version and an offset.

Nothing is stored and nothing is held: a resource of several GiB costs the one piece that is on its way. The same
noise runs under every resource, entered at a place that seed and version choose; each page of 4 KiB bears its own
number, written twice, so that any window of 4 KiB, aligned or not, holds one copy whole. Therefore no two such windows
of a resource are equal, and a range that was shifted, repeated or spliced from another version changes the digest.

Two resources of one seed are one content: that is how a mirror is made, or (with another size) a file that has grown.
"""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Iterator
from typing import Protocol

import attrs

from lading.domain.errors import InvalidDigest

PAGE = 4096
PIECE = 1 << 18
NOISE = 1 << 20
_STAMP = struct.Struct("<II")


class Content(Protocol):
    """Something that can be served: its bytes are the same at every reading of the same version."""

    @property
    def name(self) -> str:
        """The path below the origin's root, without the leading slash."""
        ...

    @property
    def size(self) -> int:
        """Length in bytes, the same for every version."""
        ...

    @property
    def media_type(self) -> str:
        """The Content-Type."""
        ...

    def pieces(self, start: int, end: int, version: int = 0) -> Iterator[memoryview]:
        """Walk the bytes from `start` up to but not including `end`, in pieces of at most `PIECE` bytes."""
        ...

    def tag(self, version: int = 0) -> str:
        """A short name for exactly these bytes, as an entity tag holds it."""
        ...


@attrs.frozen
class Resource:
    """Seeded bytes of any length.

    Attributes:
        name: The path below the origin's root, without the leading slash.
        size: Length in bytes, at most 16 TiB.
        seed: What the bytes follow from, together with the version.
        media_type: The Content-Type.
    """

    name: str
    size: int = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.le(PAGE << 32)])
    seed: str = "lading"
    media_type: str = attrs.field(default="application/octet-stream", kw_only=True)

    def pieces(self, start: int, end: int, version: int = 0) -> Iterator[memoryview]:
        """Walk the bytes from `start` up to but not including `end`, in pieces of at most `PIECE` bytes."""
        entry, mask = _key(self.seed, version)
        noise = _noise()
        while start < end:
            stop = min(end, start - start % PIECE + PIECE)
            first, last = start // PAGE, -(-stop // PAGE)
            place = entry + first * PAGE % NOISE
            piece = bytearray(noise[place : place + (last - first) * PAGE])
            for page in range(first, last):
                stamp = page ^ mask
                _STAMP.pack_into(piece, (page - first) * PAGE, stamp, stamp)
            yield memoryview(piece)[start - first * PAGE : stop - first * PAGE]
            start = stop

    def read(self, start: int = 0, end: int | None = None, version: int = 0) -> bytes:
        """Return the bytes from `start` up to but not including `end` (the end of the resource when None).

        Raises:
            ValueError: the range does not lie inside the resource.
        """
        end = self.size if end is None else end
        if not 0 <= start <= end <= self.size:
            raise ValueError(f"[{start}, {end}) does not lie inside a resource of {self.size} bytes")
        return b"".join(self.pieces(start, end, version))

    def digest(self, algorithm: str = "sha256", version: int = 0) -> str:
        """Return the digest of the whole as `ALGORITHM:HEX`, the way `--digest` takes it; remembered once computed.

        Raises:
            InvalidDigest: `hashlib` has no such algorithm.
        """
        return _digest(self, algorithm, version)

    def tag(self, version: int = 0) -> str:
        """A short name for exactly these bytes, as an entity tag holds it."""
        return hashlib.sha256(f"{self.seed}/{version}/{self.size}".encode()).hexdigest()[:16]


@attrs.frozen
class Page:
    """Given bytes: an error page that pretends to be content, a Metalink, a list of digests.

    Attributes:
        name: The path below the origin's root, without the leading slash.
        body: The bytes, the same for every version (only validators tell versions apart).
        media_type: The Content-Type.
    """

    name: str
    body: bytes
    media_type: str = attrs.field(default="text/html; charset=utf-8", kw_only=True)

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.body)

    def pieces(self, start: int, end: int, version: int = 0) -> Iterator[memoryview]:  # noqa: ARG002
        """Walk the bytes from `start` up to but not including `end`, in pieces of at most `PIECE` bytes."""
        view = memoryview(self.body)[:end]
        for place in range(start, len(view), PIECE):
            yield view[place : place + PIECE]

    def tag(self, version: int = 0) -> str:
        """A short name for these bytes at that version, as an entity tag holds it."""
        return hashlib.sha256(b"%d/%b" % (version, self.body)).hexdigest()[:16]


@functools.cache
def _noise() -> memoryview:
    """Return the noise under every resource, long enough to read `NOISE` bytes from any place in its first half."""
    return memoryview(hashlib.shake_256(b"lading origin").digest(2 * NOISE))


def _key(seed: str, version: int) -> tuple[int, int]:
    """Return where seed and version enter the noise, and the mask over the page numbers."""
    digest = hashlib.sha256(f"{seed}/{version}".encode()).digest()
    return int.from_bytes(digest[:4]) % NOISE, int.from_bytes(digest[4:8])


@functools.lru_cache(maxsize=256)
def _digest(resource: Resource, algorithm: str, version: int) -> str:
    try:
        state = hashlib.new(algorithm, usedforsecurity=False)
    except ValueError:
        raise InvalidDigest(f"no digest algorithm {algorithm!r}") from None
    for piece in resource.pieces(0, resource.size, version):
        state.update(piece)
    return f"{algorithm}:{state.hexdigest()}"
