"""A cache in memory: contents of a simulated disk, under the index of the real one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lading.adapters.cache import Index
from lading.domain.caching import Freed, Room, Stored
from lading.testing.store import MemoryStore

if TYPE_CHECKING:
    from lading.testing.disk import MemoryDisk


class MemoryBlob:
    """A content of a `MemoryCache`."""

    descriptor = -1

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Put its bytes from `offset` on into `buffer`."""
        piece = self._data[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Let go of nothing."""


class MemoryCache:
    """Keeps contents as long as it lives; a test may change `blobs`, by digest, as a failing disk would.

    Args:
        disk: where the files lie that are to be kept.
    """

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self._store = MemoryStore()
        self._index = Index(self._store)
        self.blobs: dict[str, bytes] = {}

    def copy(self, disk: MemoryDisk) -> MemoryCache:
        """Return another cache with the same contents, of files of another disk."""
        other = MemoryCache(disk)
        other.blobs = dict(self.blobs)
        with self._store.read() as reader, other._store.write() as rows:
            rows.change(dict(reader.scan(b"")))
        return other

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be found."""
        return self._index.is_empty()

    def find(self, key: str) -> Stored | None:
        """Return what was got under a key last."""
        return self._index.find(key)

    def having(self, digest: str) -> Stored | None:
        """Return the content of a digest."""
        return self._index.having(digest)

    def open(self, digest: str, now_ns: int) -> MemoryBlob | None:
        """Open a content that is used now."""
        stored, data = self.having(digest), self.blobs.get(digest)
        if stored is None or data is None or len(data) != stored.size:
            self.drop(digest)
            return None
        self._index.touch(digest, now_ns)
        return MemoryBlob(data)

    def keep(self, key: str, stored: Stored, path: str, room: Room, is_stopping: Callable[[], bool]) -> bool:
        """Keep what lies at `path` of the disk."""
        data = self._disk.content(path)
        if data is None or len(data) != stored.size or is_stopping():
            return False
        if stored.digest not in self.blobs and not room.takes_copy(stored.size, self._disk.left(), self._disk.room):
            return False
        self.blobs[stored.digest] = data
        gone = self._index.add(key, stored, room)
        for digest in gone:
            self.blobs.pop(digest, None)
        return stored.digest not in gone

    def drop(self, digest: str) -> None:
        """Let go of a content."""
        self._index.let_go(digest)
        self.blobs.pop(digest, None)

    def evict(self, most_bytes: int) -> Freed:
        """Let go of what was used least lately until there is not more than that."""
        gone = self._index.evict(most_bytes)
        for digest, _ in gone:
            self.blobs.pop(digest, None)
        return Freed(blobs=len(gone), bytes=sum(size for _, size in gone))

    def weigh(self) -> Freed:
        """Return what there is to let go of."""
        return Freed(blobs=len(self.blobs), bytes=sum(map(len, self.blobs.values())))

    def clear(self) -> Freed:
        """Let go of everything."""
        return self.evict(0)

    def close(self) -> None:
        """Let go of nothing."""
