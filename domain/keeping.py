"""The port of the cache: contents under their digests, and by which key each was got; decided is in `caching`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lading.domain.caching import Freed, Room, Stored


class Blob(Protocol):
    """A content of the cache, open; that it is what its name says is known only when it has been read to its end."""

    @property
    def descriptor(self) -> int:
        """Its open file descriptor; -1 when it has none."""
        ...

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Put its bytes from `offset` on into `buffer`, and return how many; 0 only at its end."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Cache(Protocol):
    """Contents under their digests, and by which key each was got; every method may block, and nothing here matters.

    Whatever is wrong with it, damaged or taken away, is as if nothing had been kept: no method raises for that.
    """

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be found, as far as is known without looking at a disk."""
        ...

    def find(self, key: str) -> Stored | None:
        """Return what was got under a key last, or None."""
        ...

    def having(self, digest: str) -> Stored | None:
        """Return the content of a digest, without what any server said of it, or None."""
        ...

    def open(self, digest: str, now_ns: int) -> Blob | None:
        """Open a content that is used now (UTC); None when it is not there, or not as long as it should be."""
        ...

    def keep(self, key: str, stored: Stored, path: str, room: Room, is_stopping: Callable[[], bool]) -> bool:
        """Keep what lies at `path`, and let go of what was used least lately when it gets too much; tell whether it is.

        It is given up when `is_stopping`.
        """
        ...

    def drop(self, digest: str) -> None:
        """Let go of a content that is not what it should be."""
        ...

    def evict(self, most_bytes: int) -> Freed:
        """Let go of what was used least lately until there is not more than that, and return what went."""
        ...

    def weigh(self) -> Freed:
        """Return what `clear` would let go of."""
        ...

    def clear(self) -> Freed:
        """Let go of everything, and return what went."""
        ...

    def close(self) -> None:
        """Let go of the cache; a second call does nothing."""
        ...
