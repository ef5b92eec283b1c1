"""Digests as people write them, `ALGORITHM:HEX`, and the algorithms that we compute.

Whole files are digested with SHA-256 unless the request expects another algorithm; pieces with BLAKE3, which costs a
quarter of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Protocol

import attrs
from blake3 import blake3

from lading.domain.errors import InvalidDigest

DEFAULT = "sha256"
OF_PIECES = "blake3"
_LENGTHS = {
    "md5": 32,
    "sha1": 40,
    "sha224": 56,
    "sha256": 64,
    "sha384": 96,
    "sha512": 128,
    "blake2b": 128,
    "blake2s": 64,
    "blake3": 64,
}
_ALIASES = {"blake2": "blake2b"}


class Hasher(Protocol):
    """A running digest, as hashlib and blake3 make them."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object:
        """Take in more bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the digest of what was taken in so far, in lower-case hex."""
        ...

    def copy(self) -> Hasher:
        """Return a second running digest in the same state."""
        ...


@attrs.frozen
class Digest:
    """A digest and its algorithm, both in lower case."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `ALGORITHM:HEX`; dashes in the algorithm's name and upper case are taken too.

        Raises:
            InvalidDigest: an unknown algorithm, or not as many hex digits as it gives.
        """
        name, colon, digits = text.strip().lower().partition(":")
        name = name.replace("-", "")
        name = _ALIASES.get(name, name)
        if not colon or name not in _LENGTHS:
            raise InvalidDigest(
                f"not a digest that we can check: {text!r}",
                hint=f"give ALGORITHM:HEX with one of {', '.join(_LENGTHS)}",
            )
        if len(digits) != _LENGTHS[name]:
            raise InvalidDigest(f"a {name} digest has {_LENGTHS[name]} hex digits, this has {len(digits)}: {text!r}")
        if set(digits) - set("0123456789abcdef"):
            raise InvalidDigest(f"a digest is written in hex digits, 0-9 and a-f: {text!r}")
        return cls(name, digits)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


_MAKERS: dict[str, Callable[[], Hasher]] = {
    name: blake3 if name == "blake3" else partial(getattr(hashlib, name), usedforsecurity=False) for name in _LENGTHS
}


def hasher(algorithm: str = DEFAULT) -> Hasher:
    """Return a fresh running digest of `algorithm`, one that `Digest.parse` takes."""
    return _MAKERS[algorithm]()


def of(data: bytes | bytearray | memoryview, algorithm: str = DEFAULT) -> str:
    """Return the digest of `data` as `ALGORITHM:HEX`."""
    running = hasher(algorithm)
    running.update(data)
    return f"{algorithm}:{running.hexdigest()}"
