"""A file of signed notes, each a JSON string on a line of its own: the checkpoints of a home, or their anchor.

Notes are only ever appended, each durable before the next thing happens. Writers take turns at a `flock` on the file. A
last line without its end is what a crash has cut short; it was never told to anybody, and the next writer removes it. A
file that ends with anything else is not ours, or damaged, and is left as it is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from lading.adapters.durable import sync_folder
from lading.adapters.plain_files import NOT_PLAIN, open_plain
from lading.domain.errors import DiskFull, NoteDamaged, StoreUnavailable
from lading.domain.notes import LONGEST_BYTES, Note

WAIT_S = 5.0
"""So long one writer waits for another."""

_RETRY_S = 0.01
_LONGEST_LINE = 2 * LONGEST_BYTES
_BEGINNING = b'"lading/'
"""What every line begins with: the JSON of a note that names one of our logs."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class Notebook:
    """The notes in the file at `path`; it is made with the first of them. Every method blocks, for a bounded time.

    Args:
        path: where it lies.
        outside: whether that is outside of the home; then its folder is somebody else's, and is not made.

    Raises:
        StoreUnavailable: from every method, when the file cannot be read or written.
    """

    def __init__(self, path: Path, *, outside: bool = False) -> None:
        self.path = path
        self._outside = outside

    def notes(self) -> Iterator[Note]:
        """Yield all notes, in order.

        Raises:
            NoteDamaged: what is there is no note; the message tells where.
        """
        try:
            with open_plain(self.path) as file:
                number = 0
                while (line := file.readline(_LONGEST_LINE)).endswith(b"\n"):
                    number += 1
                    yield self._parse(line, f"line {number}")
                self._expect_remnant(line, f"line {number + 1}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unavailable(error) from error

    def last(self) -> Note | None:
        """Return the last whole note, None when there is none; takes as long however many there are.

        Raises:
            NoteDamaged: it is no note.
        """
        try:
            with open_plain(self.path) as file:
                return _Turn(self, file.fileno()).last()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error

    def append(self, note: Note) -> None:
        """Put a note behind the others, durably.

        Raises:
            DiskFull: there is no room; nothing was written.
        """
        with self.turn() as turn:
            turn.append(note)

    @contextmanager
    def turn(self) -> Iterator[_Turn]:
        """Hold the file for one writer, who looks and then appends."""
        try:
            if not self._outside:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = self._open()
        except OSError as error:
            raise self._unavailable(error) from error
        try:
            self._lock(descriptor)
            yield _Turn(self, descriptor)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise DiskFull(f"there is no room for a checkpoint in {self.path}") from error
            raise self._unavailable(error) from error
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        """Open the file to write, which must be one: nobody waits for whoever reads a pipe."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise OSError(errno.EINVAL, NOT_PLAIN)

    def _lock(self, descriptor: int) -> None:
        until_s = time.monotonic() + WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until_s:
                    raise StoreUnavailable(
                        f"another program has held {self.path} for {WAIT_S:.0f} s", hint="end it, or wait for it"
                    ) from None
                time.sleep(_RETRY_S)
            else:
                return

    def _parse(self, line: bytes, where: str) -> Note:
        try:
            text = orjson.loads(line)
            return Note.parse(text if isinstance(text, str) else "")
        except (orjson.JSONDecodeError, NoteDamaged) as error:
            raise NoteDamaged(f"{where} of {self.path} is no signed note") from error

    def _expect_remnant(self, line: bytes, where: str) -> None:
        """See that what has no line end is what a crash may leave of a note."""
        if len(line) >= _LONGEST_LINE or line[: len(_BEGINNING)] != _BEGINNING[: len(line)]:
            raise NoteDamaged(f"{where} of {self.path} is no signed note")

    def _unavailable(self, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self.path} cannot be used: {error.strerror}", hint="check its owner, mode and folder"
        )


class _Turn:
    """One writer's turn at an open notebook."""

    def __init__(self, book: Notebook, descriptor: int) -> None:
        self._book = book
        self._descriptor = descriptor

    def last(self) -> Note | None:
        """Return the last whole note, None when there is none."""
        end, tail = self._tail()
        line = tail[tail.rfind(b"\n", 0, -1) + 1 :]
        return self._book._parse(line, "the last line") if end else None  # noqa: SLF001 # a turn is a part of its book

    def append(self, note: Note) -> None:
        """Put a note behind the others, durably."""
        end, _ = self._tail()
        line = orjson.dumps(str(note), option=orjson.OPT_APPEND_NEWLINE)
        os.ftruncate(self._descriptor, end)
        written = os.pwrite(self._descriptor, line, end)
        if written != len(line):
            os.ftruncate(self._descriptor, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._descriptor)
        if not end:
            sync_folder(self._book.path.parent)

    def _tail(self) -> tuple[int, bytes]:
        """Return where the last whole line ends, and what stands before that, as far as a line can be long.

        Raises:
            NoteDamaged: what stands behind that was never the beginning of a line of ours.
        """
        size = os.fstat(self._descriptor).st_size
        begin = max(0, size - 2 * _LONGEST_LINE)
        tail = os.pread(self._descriptor, size - begin, begin)
        whole = tail[: tail.rfind(b"\n") + 1]
        self._book._expect_remnant(tail[len(whole) :], "the last line")  # noqa: SLF001 # a turn is a part of its book
        return (begin + len(whole) if whole else 0), whole
