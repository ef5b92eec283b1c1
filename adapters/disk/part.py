"""A part file: an inode under our lock (law 6), the only place to which a transfer writes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat

from lading.adapters.disk import folders, kernel
from lading.adapters.disk.refusals import meaning

MODE = 0o600
_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = _FLAGS | os.O_CREAT | os.O_EXCL
_SLACK_BYTES = 1 << 20
_MUCH_BYTES = 256 * 1024
_BLOCK_BYTES = 4096
_fdatasync = getattr(os, "fdatasync", os.fsync)


class LocalPart:
    """An open part file under our lock; `claim` and `create` make them."""

    def __init__(self, path: str, descriptor: int, identity: folders.Identity, *, may_have_room: bool) -> None:
        self._path = path
        self._descriptor = descriptor
        self._identity = identity
        self._may_have_room = may_have_room
        self._flushed = True
        self._flush_error: int | None = None
        self._is_named = False
        self._past_cache: int | None = None
        self._refusal: str | None = None

    @property
    def path(self) -> str:
        """Where it lies, absolute."""
        return self._path

    @property
    def inode(self) -> int:
        """Its inode number, by which a published link is known as ours."""
        return self._identity[1]

    @property
    def identity(self) -> folders.Identity:
        """Which file it is, whatever it is called."""
        return self._identity

    @property
    def descriptor(self) -> int:
        """Its open file descriptor; -1 once closed."""
        return self._descriptor

    @property
    def refusal(self) -> str | None:
        """Why nothing is written past the page cache any more: the file system has refused that; else None.

        A system that has no such writes at all refuses nothing.
        """
        return self._refusal

    def stay_in_cache(self) -> None:
        """Write through the page cache from now on."""
        self._close_past_cache()

    def size(self) -> int:
        """Return the file's length in bytes, preallocated room not counted."""
        return os.fstat(self._descriptor).st_size

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`: past the page cache where it is much, aligned, and the file system lets us.

        What cannot be written to is no buffer of the pool, and may lie anywhere in memory: it goes through the cache.

        Raises:
            DiskFull: there was no room; what was flushed before is still there.
            OSError: the device failed.
        """
        self._flushed = False
        left = memoryview(data).cast("B")
        try:
            if len(left) >= _MUCH_BYTES and offset % _BLOCK_BYTES == 0 and not left.readonly:
                done = self._write_past_cache(offset, left[: len(left) // _BLOCK_BYTES * _BLOCK_BYTES])
                left, offset = left[done:], offset + done
            _write(self._descriptor, offset, left)
        except OSError as error:
            raise meaning(error, self._path) from error
        finally:
            self._flushed = False  # a flush beside this may have said otherwise meanwhile

    def _write_past_cache(self, offset: int, data: memoryview) -> int:
        """Write without a copy in the page cache, if that can be; return how many bytes were written so."""
        try:
            if self._past_cache is None:
                self._past_cache = kernel.reopen_past_cache(self._descriptor)
            if self._past_cache >= 0:
                return os.pwrite(self._past_cache, data, offset)
        except OSError as error:
            if error.errno not in kernel.NOT_HERE:
                raise
            self._close_past_cache()
            if error.errno != errno.ENOSYS:
                self._refusal = f"the file system refuses direct I/O: {error.strerror}"
        return 0

    def _close_past_cache(self) -> None:
        descriptor, self._past_cache = self._past_cache, -1
        if descriptor is not None and descriptor >= 0:
            os.close(descriptor)

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset`; fewer only at the end of the file."""
        return _read(self._descriptor, offset, count)

    def has_data(self, start: int, end: int) -> bool:
        """Tell whether anything may have been written from `start` up to `end`; room that was only set aside is a hole.

        So is what is empty in a block that is written in part. Where the system tells no holes, anything may have been.
        """
        block = -(-start // _BLOCK_BYTES) * _BLOCK_BYTES
        if any(_read(self._descriptor, start, min(block, end) - start)):
            return True
        if block >= end or not hasattr(os, "SEEK_DATA"):
            return block < end
        try:
            return os.lseek(self._descriptor, block, os.SEEK_DATA) < end
        except OSError as error:
            return error.errno != errno.ENXIO

    def preallocate(self, end: int) -> None:
        """Set blocks aside up to byte `end` where the file system can, without changing what `size` says.

        Raises:
            DiskFull: there is no room for them; some may have been set aside, and `truncate` gives them back.
            OSError: the device failed.
        """
        self._may_have_room = True
        try:
            kernel.allocate(self._descriptor, end)
        except OSError as error:
            if error.errno not in kernel.NOT_HERE:
                raise meaning(error, self._path) from error

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes, and give back what was preallocated beyond."""
        self._flushed = False
        os.ftruncate(self._descriptor, size)

    def clone(self, descriptor: int) -> bool:
        """Become what an open file is, sharing its blocks; tell whether the file system can, and leave it if not.

        Raises:
            DiskFull: there is no room for that.
            OSError: the device failed.
        """
        self._flushed = False
        try:
            return kernel.clone(self._descriptor, descriptor)
        except OSError as error:
            raise meaning(error, self._path) from error

    def flush(self) -> None:
        """Make everything written before this call durable (`fdatasync`), and the name of the part with it.

        Raises:
            OSError: nothing since the last good flush may be believed; each later flush of this part fails too (law 2).
        """
        self._flush_content()
        if not self._is_named:
            folders.flush_at(os.path.dirname(self._path))
            self._is_named = True

    def _flush_content(self) -> None:
        if self._flush_error is not None:
            raise OSError(self._flush_error, "an earlier flush of this part failed", self._path)
        self._flushed = True
        try:
            _fdatasync(self._descriptor)
        except OSError as error:
            self._flush_error = error.errno or errno.EIO
            raise

    def begin_flush(self) -> None:
        """Have the kernel begin to write out what was not flushed, and do not wait for it; nothing is durable by that.

        When several parts are flushed one after the other, all but the first then find most of it done.
        """
        if not self._flushed:
            kernel.begin_writing(self._descriptor)

    def settle(self, mode: int) -> None:
        """Make ready for a final name: no room set aside beyond the end, all flushed, and this mode.

        Raises:
            OSError: a flush failed, now or before.
        """
        if self._may_have_room:
            status = os.fstat(self._descriptor)
            if status.st_blocks * 512 > status.st_size + _SLACK_BYTES:
                self.truncate(status.st_size)
        if self._flush_error is not None or not self._flushed:
            self._flush_content()
        with contextlib.suppress(PermissionError):
            os.fchmod(self._descriptor, mode)

    def close(self) -> None:
        """Close the file and let go of its lock; a second call does nothing."""
        self._close_past_cache()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def claim(path: str) -> LocalPart | None:
    """Open and lock the part at `path`.

    Returns:
        None when nothing lies there, or another worker holds its lock or has just taken the name.

    Raises:
        OSError: something that is no part lies there, or it cannot be opened or locked.
    """
    try:
        return _claim(path, _FLAGS)
    except FileNotFoundError:
        return None


def create(path: str) -> LocalPart | None:
    """Make, open and lock a part at `path`; a part that nobody holds gives its name to the new one.

    Returns:
        None when another worker holds the part there, or has just taken the name.

    Raises:
        OSError: something that is no part lies there, or it cannot be made, opened or locked.
    """
    try:
        return _claim(path, _NEW)
    except FileExistsError:
        stale = claim(path)
    if stale is None:
        return None
    try:
        os.unlink(path)
        return _claim(path, _NEW)
    except FileExistsError:
        return None
    finally:
        stale.close()


def peek(path: str, offset: int, count: int) -> bytes:
    """Read from a file without its lock; empty when nothing lies there.

    Raises:
        OSError: what lies there is no regular file, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    try:
        _regular(descriptor, path)
        return _read(descriptor, offset, count)
    finally:
        os.close(descriptor)


def _write(descriptor: int, offset: int, data: memoryview) -> None:
    while data:
        count = os.pwrite(descriptor, data, offset)
        data, offset = data[count:], offset + count


def _read(descriptor: int, offset: int, count: int) -> bytes:
    pieces: list[bytes] = []
    while count > 0 and (piece := os.pread(descriptor, count, offset)):
        pieces.append(piece)
        count -= len(piece)
        offset += len(piece)
    return b"".join(pieces)


def _regular(descriptor: int, path: str) -> folders.Identity:
    """Return which file it is that was opened, if it is one that has bytes of its own."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.ENXIO, "not a regular file", path)
    return status.st_dev, status.st_ino


def _claim(path: str, flags: int) -> LocalPart | None:
    descriptor = os.open(path, flags, MODE)
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, descriptor)
        identity = _regular(descriptor, path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if folders.identity(path) != identity:
            return None
        undo.pop_all()
        return LocalPart(path, descriptor, identity, may_have_room=flags != _NEW)
