"""The disk's side of an attempt: the part file, what the log vouches for in it, and the tally of its bytes.

Every blocking step runs in a worker thread. Nothing here speaks to the log; it returns what there is to say.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

import attrs
import trio

from lading.domain import spans
from lading.domain.pieces import Piece
from lading.domain.ports import Disk, Part, Threads
from lading.domain.tally import Tally
from lading.nurseries import open_plain_nursery

READ_BYTES = 1024 * 1024
CATCH_UP = 4
"""How many bytes are read back for the digest of the whole, for each that arrives, as long as some are behind."""
BEHIND_BYTES = 64 * 1024 * 1024
APART_BYTES = 256 * 1024
"""From here on, digesting takes longer than finding a second thread for it."""
PREALLOCATE_LEAST, PREALLOCATE_MOST = 4 * 1024 * 1024, 256 * 1024 * 1024
"""How much room is set aside ahead of the bytes: as much again as there are, within these bounds.

So a thousand slow downloads of large files do not fill the disk with room that they will need next week."""


@attrs.frozen(kw_only=True)
class Finding:
    """A range of the part that does not count: damaged since it was logged, or never vouched for."""

    start: int
    end: int
    reason: str


class Holding:
    """A part file in hand: bytes are written where they belong, digested as they go by, and flushed before claimed."""

    def __init__(
        self,
        part: Part,
        disk: Disk,
        threads: Threads,
        *,
        algorithm: str,
        also: str | None,
        reserve_bytes: int,
        is_new: bool,
    ) -> None:
        self.part = part
        self._disk = disk
        self._threads = threads
        self._algorithm = algorithm
        self._reserve_bytes = reserve_bytes
        self._allocated = 0
        self._is_empty = is_new
        self._also = also
        self.tally = Tally(algorithm, None, also)

    async def check(self, pieces: Sequence[Piece], total: int | None) -> list[Finding]:
        """Hold the part against the log's pieces, in order of their bytes, and believe of them what the disk confirms.

        Returns:
            What was found not to count, to be said in events before anything is written over it.
        """
        return await self._threads.run(lambda: self._check(pieces, total))

    def _check(self, pieces: Sequence[Piece], total: int | None) -> list[Finding]:
        self.tally = Tally(self._algorithm, total, self._also)
        findings: list[Finding] = []
        claimed: spans.Spans = ()
        for piece in pieces:
            start = max(piece.start, claimed[-1][1] if claimed else 0)
            claimed = spans.union(claimed, piece.start, piece.end)
            reason = self._fault(piece) if start == piece.start else "it overlaps another piece"
            if reason is not None and start < piece.end:
                findings.append(Finding(start=start, end=piece.end, reason=reason))
        findings += [
            Finding(start=start, end=end, reason="the log does not vouch for it")
            for start, end in spans.gaps(claimed, self.part.size())
            if self.part.has_data(start, end)
        ]
        return findings

    def _fault(self, piece: Piece) -> str | None:
        """Take a piece in if it is what the log says; else say why not."""
        data = self.part.read(piece.start, piece.size)
        if not piece.fits(data):
            return "the part file is shorter" if len(data) != piece.size else "the digest does not match"
        self.tally.take_logged(piece.start, memoryview(data))
        self._take_behind(piece.size)
        return None

    async def cut(self) -> None:
        """Cut off what lies behind the last byte that counts."""
        await self._threads.run(lambda: self.part.truncate(self.tally.end))

    async def start_over(self, total: int | None, also: str | None = None) -> None:
        """Empty the part and begin a new tally, by another algorithm `also`."""
        self._also = also
        self.tally = Tally(self._algorithm, total, also)
        self._allocated = 0
        if not self._is_empty:
            await self._threads.run(lambda: self.part.truncate(0))
            self._is_empty = True

    async def copy_from(self, path: str, pieces: Sequence[Piece], total: int | None) -> tuple[Piece, ...]:
        """Copy the pieces of another part, which somebody else holds, as far as their digests agree.

        Returns:
            The pieces that are in our part now, written but not flushed.
        """
        return await self._threads.run(lambda: self._copy_from(path, pieces, total))

    def _copy_from(self, path: str, pieces: Sequence[Piece], total: int | None) -> tuple[Piece, ...]:
        self._is_empty = False
        self.tally = Tally(self._algorithm, total, self._also)
        for piece in pieces:
            data = self._disk.read(path, piece.start, piece.size)
            if piece.fits(data):
                self.part.write(piece.start, data)
                self.tally.take(piece.start, memoryview(data), piece.source)
        return self.tally.snapshot()

    async def write(self, start: int, data: memoryview, total: int | None, source: int | None = None) -> None:
        """Write and digest bytes that begin at `start`; much of it side by side, on two cores.

        Raises:
            DiskFull: there is no room; nothing that the log claims is harmed.
        """
        with trio.CancelScope(shield=True):
            if len(data) < APART_BYTES:
                await self._threads.run(lambda: self._write_and_digest(start, data, total, source))
            else:
                await self._write_apart(start, data, total, source)

    def _write_and_digest(self, start: int, data: memoryview, total: int | None, source: int | None) -> None:
        self._write(start, data, total)
        self._digest(start, data, source)

    async def _write_apart(self, start: int, data: memoryview, total: int | None, source: int | None) -> None:
        before = self.tally.copy()
        try:
            async with open_plain_nursery() as nursery:
                nursery.start_soon(self._threads.run, lambda: self._write(start, data, total))
                nursery.start_soon(self._threads.run, lambda: self._digest(start, data, source))
        except BaseException:
            self.tally = before
            raise

    def _digest(self, start: int, data: memoryview, source: int | None) -> None:
        """Digest bytes as they go by, and some of those that went by too early for the digest of the whole.

        What is behind is read first: it was written before, while these bytes may be about to be.
        """
        self._take_behind(CATCH_UP * len(data))
        self.tally.take(start, data, source)

    async def take_behind(self) -> None:
        """Read back whatever the digest of the whole has not seen yet.

        Raises:
            OSError: the disk failed; or what was written is not there any more.
        """
        while self.tally.behind[0] < self.tally.behind[1]:
            await self._threads.run(lambda: self._take_behind(BEHIND_BYTES))

    def _take_behind(self, most: int) -> None:
        start, end = self.tally.behind
        end = min(end, start + most)
        while start < end:
            data = self.part.read(start, min(end - start, READ_BYTES))
            if not data:
                raise OSError(errno.EIO, "bytes that were written are not there any more")
            self.tally.take_behind(memoryview(data))
            start += len(data)

    def _write(self, at: int, data: memoryview, total: int | None) -> None:
        self._is_empty = False
        end = at + len(data)
        if total is not None and end > self._allocated and total > READ_BYTES:
            step = min(total, end + min(max(end, PREALLOCATE_LEAST), PREALLOCATE_MOST))
            free = self._disk.free(self.part.path.rpartition("/")[0])
            if free - (step - self._allocated) > self._reserve_bytes:
                self.part.preallocate(step)
            self._allocated = step
        self.part.write(at, data)

    async def read(self, start: int, count: int) -> bytes:
        """Return bytes that are in the part."""
        return await self._threads.run(lambda: self.part.read(start, count))

    async def flush(self) -> tuple[Piece, ...]:
        """Make what was written durable, and return the pieces that may now be logged (watermark first, then flush)."""
        pieces = self.tally.snapshot()
        await self._threads.run(self.part.flush)
        return pieces
