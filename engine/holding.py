"""The disk's side of an attempt: the part file, what the log vouches for in it, and the tally of its bytes.

Every blocking step runs in a worker thread. Nothing here speaks to the log; it returns what there is to say.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import trio

from lading.domain.pieces import Piece
from lading.domain.ports import Disk, Part, Threads
from lading.domain.tally import Tally
from lading.nurseries import open_plain_nursery

READ_BYTES = 1024 * 1024
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
    """A part file in hand: bytes are written in order, digested as they go by, and flushed before they are claimed."""

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
        """Hold the part against the log's pieces, which lie end to end from byte 0, and cut off what does not count.

        Returns:
            What was found not to count, to be said in events before anything is written over it.
        """
        return await self._threads.run(lambda: self._check(pieces, total))

    def _check(self, pieces: Sequence[Piece], total: int | None) -> list[Finding]:
        self.tally = Tally(self._algorithm, total, self._also)
        findings: list[Finding] = []
        size = self.part.size()
        for piece in pieces:
            data = self.part.read(piece.start, piece.size)
            if not piece.fits(data):
                reason = "the part file is shorter" if len(data) != piece.size else "the digest does not match"
                findings.append(Finding(start=piece.start, end=pieces[-1].end, reason=reason))
                break
            self.tally.take_logged(memoryview(data))
        if size > max(self.tally.at, pieces[-1].end if pieces else 0):
            start = max(self.tally.at, pieces[-1].end if pieces else 0)
            findings.append(Finding(start=start, end=size, reason="the log does not vouch for it"))
        return findings

    async def cut(self) -> None:
        """Cut the part down to what counts."""
        await self._threads.run(lambda: self.part.truncate(self.tally.at))

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
            if not piece.fits(data):
                break
            self.part.write(piece.start, data)
            self.tally.take(memoryview(data))
        return self.tally.snapshot()

    async def write(self, data: memoryview, total: int | None) -> None:
        """Write and digest the next bytes in order; much of it side by side, on two cores.

        Raises:
            DiskFull: there is no room; nothing that the log claims is harmed.
        """
        with trio.CancelScope(shield=True):
            if len(data) < APART_BYTES:
                await self._threads.run(lambda: self._write_and_digest(data, total))
            else:
                await self._write_apart(data, total)

    def _write_and_digest(self, data: memoryview, total: int | None) -> None:
        self._write(self.tally.at, data, total)
        self.tally.take(data)

    async def _write_apart(self, data: memoryview, total: int | None) -> None:
        before, at = self.tally.copy(), self.tally.at
        try:
            async with open_plain_nursery() as nursery:
                nursery.start_soon(self._threads.run, lambda: self._write(at, data, total))
                nursery.start_soon(self._threads.run, lambda: self.tally.take(data))
        except BaseException:
            self.tally = before
            raise

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

    async def flush(self) -> tuple[Piece, ...]:
        """Make what was written durable, and return the pieces that may now be logged (watermark first, then flush)."""
        pieces = self.tally.snapshot()
        await self._threads.run(self.part.flush)
        return pieces
