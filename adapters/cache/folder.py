"""The cache as a folder of a home: it may be emptied, damaged or taken away at any time, and nothing is lost by that.

    HOME/cache/sha256/ab/REST    contents, under their digests; other digests have folders of their own
    HOME/cache/index/            the index of them, a store
    HOME/cache/draft             what is being stored; whatever lies there is written over

A content is copied without being read where the file system can share its blocks, which costs no room either, else by
the kernel. Nothing is flushed: who reads a content digests it, so that one that a power cut has torn is found out, and
let go of. The index says first that there is a content, and then it gets its name: so nothing lies there unknown.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lading.adapters.cache.index import Index
from lading.domain.caching import Freed, Room, Stored
from lading.domain.digests import Digest
from lading.domain.errors import DiskFull, LadingError, StoreNewer
from lading.domain.ports import Store

T = TypeVar("T")
COPY_BYTES = 8 * 1024 * 1024
"""After so many bytes it is looked whether copying is to stop."""
_NO_KERNEL_COPY = frozenset({errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF})
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileBlob:
    """A content of a `FolderCache`, open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @property
    def descriptor(self) -> int:
        """Its open file descriptor; -1 once closed."""
        return self._descriptor

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Put its bytes from `offset` on into `buffer`, and return how many; 0 at its end, or where it cannot be read.

        What cannot be read is as good as missing.
        """
        try:
            return os.preadv(self._descriptor, [buffer], offset)
        except OSError:
            return 0

    def close(self) -> None:
        """Let go of it; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class FolderCache:
    """Keeps contents in a folder; implements `lading.domain.keeping.Cache`.

    Args:
        folder: where; made when there is something to keep.
        open_store: opens the store of the index, given its folder; called when there is something to look for or keep.
        clone: lets one open file be what another is, without a copy; returns whether that could be.
    """

    def __init__(self, folder: Path, open_store: Callable[[Path], Store], *, clone: Callable[[int, int], bool]) -> None:
        self._folder = folder
        self._open_store = open_store
        self._clone = clone
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._index: Index | None = None
        self._is_closed = False
        self._is_empty = not folder.exists()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be found, as far as is known without looking."""
        return self._is_empty

    def find(self, key: str) -> Stored | None:
        """Return what was got under a key last, or None."""
        return self._ask(lambda index: index.find(key), None)

    def having(self, digest: str) -> Stored | None:
        """Return the content of a digest, or None."""
        return self._ask(lambda index: index.having(digest), None)

    def open(self, digest: str, now_ns: int) -> FileBlob | None:
        """Open a content that is used now; one that is not there or not as long as it should be is let go of."""
        stored = self.having(digest)
        if stored is None:
            return None
        try:
            descriptor = os.open(self._path(digest), _READ)
        except OSError:
            self.drop(digest)
            return None
        blob = FileBlob(descriptor)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != stored.size:
            blob.close()
            self.drop(digest)
            return None
        self._ask(lambda index: index.touch(digest, now_ns), None)
        return blob

    def keep(self, key: str, stored: Stored, path: str, room: Room, is_stopping: Callable[[], bool]) -> bool:
        """Keep what lies at `path`, and let go of what was used least lately when it gets too much; tell whether it is.

        It is given up when `is_stopping`, when the disk would have less than its reserve left, and when what lies there
        is not what is to be stored, as far as its length tells.
        """
        try:
            place = self._path(stored.digest)
            known = self.having(stored.digest) is not None and _size(place) == stored.size
            if not known and not self._has_draft(path, stored.size, room, is_stopping):
                return False
            gone = self._ask(lambda index: index.add(key, stored, room), None, make=True)
            if gone is None:
                return False
            self._is_empty = False
            if not known:
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.replace(self._draft, place)
        except OSError:
            self.drop(stored.digest)
            return False
        finally:
            with contextlib.suppress(OSError):
                self._draft.unlink(missing_ok=True)
        for digest in gone:
            self._unlink(digest)
        return stored.digest not in gone

    def drop(self, digest: str) -> None:
        """Let go of a content that is not what it should be."""
        self._ask(lambda index: index.let_go(digest), None)
        self._unlink(digest)

    def evict(self, most_bytes: int) -> Freed:
        """Let go of what was used least lately until there is not more than that, and return what went."""
        gone = self._ask(lambda index: index.evict(most_bytes), list[tuple[str, int]]())
        for digest, _ in gone:
            self._unlink(digest)
        return Freed(blobs=len(gone), bytes=sum(size for _, size in gone))

    def weigh(self) -> Freed:
        """Return what `clear` would let go of."""
        sizes = [size for place in self._contents() if (size := _size(place)) is not None]
        return Freed(blobs=len(sizes), bytes=sum(sizes))

    def clear(self) -> Freed:
        """Let go of everything, of what the index does not know as well, and return what went."""
        self._ask(lambda index: index.evict(0), list[tuple[str, int]]())
        freed = Freed()
        for place in self._contents():
            with contextlib.suppress(OSError):
                size = place.lstat().st_size
                place.unlink()
                freed = Freed(blobs=freed.blobs + 1, bytes=freed.bytes + size)
        return freed

    def close(self) -> None:
        """Let go of the cache; a second call does nothing."""
        with self._lock:
            self._is_closed = True
            self._let_go_of_store()

    # -- the index -------------------------------------------------------------------------------------------------

    def _ask(self, question: Callable[[Index], T], otherwise: T, *, make: bool = False) -> T:
        """Return what the index answers, and `otherwise` where there is none; a damaged one is begun anew."""
        with self._lock:
            try:
                index = self._opened(make=make)
                return otherwise if index is None else question(index)
            except (DiskFull, StoreNewer):
                return otherwise
            except (LadingError, OSError, ValueError):
                self._begin_anew()
                return otherwise

    def _opened(self, *, make: bool) -> Index | None:
        place = self._folder / "index"
        if self._index is not None and not (place / "data.mdb").exists():
            self._let_go_of_store()
        if self._index is None and not self._is_closed and (make or place.exists()):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._store = self._open_store(place)
            self._index = Index(self._store)
        if not make:
            self._is_empty = self._index is None or self._index.is_empty()
        return self._index

    def _begin_anew(self) -> None:
        """Take away an index that cannot be read, and what only it knew."""
        self._let_go_of_store()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._is_empty = True

    def _let_go_of_store(self) -> None:
        store, self._store, self._index = self._store, None, None
        if store is not None:
            store.close()

    # -- files -----------------------------------------------------------------------------------------------------

    @property
    def _draft(self) -> Path:
        return self._folder / "draft"

    def _path(self, digest: str) -> Path:
        name = Digest.parse(digest)
        return self._folder / name.algorithm / name.hex[:2] / name.hex[2:]

    def _contents(self) -> list[Path]:
        return [path for path in self._folder.glob("*/??/*") if path.parts[-3] != "index"]

    def _unlink(self, digest: str) -> None:
        with contextlib.suppress(LadingError, OSError):
            self._path(digest).unlink()

    def _has_draft(self, path: str, size: int, room: Room, is_stopping: Callable[[], bool]) -> bool:
        """Make the draft of what lies at `path`: a link of it, what shares its blocks, or a copy."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._draft.unlink(missing_ok=True)
        if room.link:
            with contextlib.suppress(OSError):
                os.link(path, self._draft, follow_symlinks=False)
                return _size(self._draft) == size
        source = os.open(path, _READ)
        try:
            status = os.fstat(source)
            if not stat.S_ISREG(status.st_mode) or status.st_size != size:
                return False
            target = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                if self._clone(target, source):
                    return os.fstat(target).st_size == size
                disk = os.fstatvfs(target)
                free, capacity = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
                return room.takes_copy(size, free, capacity) and _copy(source, target, size, is_stopping)
            finally:
                os.close(target)
        finally:
            os.close(source)


def _size(path: Path) -> int | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _copy(source: int, target: int, size: int, is_stopping: Callable[[], bool]) -> bool:
    """Copy a file, in the kernel where it can; tell whether it was all copied before it was to stop."""
    at, by_kernel = 0, hasattr(os, "copy_file_range")
    while at < size and not is_stopping():
        count = min(COPY_BYTES, size - at)
        try:
            done = os.copy_file_range(source, target, count, at, at) if by_kernel else _pump(source, target, count, at)
        except OSError as error:
            if not by_kernel or error.errno not in _NO_KERNEL_COPY:
                raise
            by_kernel = False
            continue
        if not done:
            return False
        at += done
    return at == size


def _pump(source: int, target: int, count: int, at: int) -> int:
    return os.pwrite(target, os.pread(source, count, at), at)
