"""The disk's side of an attempt: the part file, what the log vouches for in it, and the tally of its bytes.

Every blocking step runs in a worker thread. A new part is made when something is to be written into it, and what is the
whole of a small file is kept back until it is to be flushed or published: so that making, writing, digesting, flushing
and publishing it are one step, where five would have to find a thread each. Nothing here speaks to the log; it returns
what there is to say.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import NamedTuple

import attrs
import trio

from lading.domain import spans
from lading.domain.disks import Disk, Part
from lading.domain.errors import TransferError
from lading.domain.faults import Cause
from lading.domain.pieces import Piece
from lading.domain.ports import Threads
from lading.domain.tally import Tally

READ_BYTES, CLONE_BYTES = 1024 * 1024, 16 * 1024 * 1024
CATCH_UP = 4
"""How many bytes are read back for the digest of the whole, for each that arrives, as long as some are behind."""
BEHIND_BYTES = 64 * 1024 * 1024
PREALLOCATE_LEAST, PREALLOCATE_MOST = 4 * 1024 * 1024, 256 * 1024 * 1024
"""How much room is set aside ahead of the bytes: as much again as there are, within these bounds.

So a thousand slow downloads of large files do not fill the disk with room that they will need next week."""


@attrs.frozen(kw_only=True)
class Finding:
    """A range of the part that does not count: damaged since it was logged, or never vouched for."""

    start: int
    end: int
    reason: str


class Arrived(NamedTuple):
    """Bytes of a file that begin at `start`, and the number of the source that they came from, None for our own."""

    start: int
    data: memoryview
    source: int | None


class Holding:
    """A part file in hand: bytes are written where they belong, digested as they go by, and flushed before claimed.

    Args:
        path: where the part lies or is to lie, absolute.
        part: the part, open; None for a new one, which is made when it is needed.
        disk: makes it.
        threads: where all that blocks runs.
        algorithm: by which the whole is digested.
        also: another algorithm by which the whole is digested, if any.
        reserve_bytes: what must stay free where room is set aside.
        direct: whether writing may go past the page cache.
    """

    def __init__(
        self,
        path: str,
        part: Part | None,
        disk: Disk,
        threads: Threads,
        *,
        algorithm: str,
        also: str | None,
        reserve_bytes: int,
        direct: bool = True,
    ) -> None:
        self.path = path
        self._part = part
        self._direct = direct
        if part is not None and not direct:
            part.stay_in_cache()
        self._disk = disk
        self._threads = threads
        self._algorithm = algorithm
        self._reserve_bytes = reserve_bytes
        self._allocated = 0
        self._is_empty = part is None
        self._kept_back: memoryview | None = None
        self._also = also
        self.tally = Tally(algorithm, None, also)

    @property
    def part(self) -> Part:
        """The part, made if it is not there yet; may block.

        Raises:
            InvalidDestination, DiskFull: it cannot be made.
            TransferError: another worker holds it.
        """
        if self._part is None:
            self._part = self._disk.open_part(self.path, create=True)
            if self._part is not None and not self._direct:
                self._part.stay_in_cache()
        if self._part is None:
            raise TransferError("another worker holds the part file", cause=Cause.DISK)
        return self._part

    @property
    def is_made(self) -> bool:
        """Whether there is a part on the disk."""
        return self._part is not None

    @property
    def refusal(self) -> str | None:
        """Why nothing is written past the page cache any more, where that was tried; else None."""
        return None if self._part is None else self._part.refusal

    @property
    def unlogged(self) -> bool:
        """Whether there are bytes that no checkpoint has covered yet."""
        return self.tally.unlogged > 0 or self._kept_back is not None

    def close(self) -> None:
        """Let go of the part; what was kept back is forgotten."""
        self._kept_back = None
        if self._part is not None:
            self._part.close()

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
        self._also, self._kept_back = also, None
        self.tally = Tally(self._algorithm, total, also)
        self._allocated = 0
        if not self._is_empty:
            await self._threads.run(lambda: self.part.truncate(0))
            self._is_empty = True

    def forget(self) -> None:
        """Let nothing count that was written: whoever begins again empties the part first."""
        self.tally = Tally(self._algorithm, None, self._also)
        self._allocated, self._kept_back = 0, None

    async def clone(self, descriptor: int, size: int) -> bool:
        """Let the part be what an open file of some size is, without a copy, and digest it; tell whether it can be."""
        self._is_empty = False
        if not await self._threads.run(lambda: self.part.clone(descriptor)):
            return False
        while self.tally.end < size and await self._threads.run(lambda: self._digest_part(CLONE_BYTES)):
            continue
        return True

    def _digest_part(self, most: int) -> bool:
        """Digest more of what is in the part already; tell whether there was so much of it."""
        until = self.tally.end + most
        while self.tally.end < until and (data := self.part.read(self.tally.end, READ_BYTES)):
            self.tally.take(self.tally.end, memoryview(data))
        return self.tally.end >= until

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

    def keep_back(self, data: memoryview) -> None:
        """Take the whole content of a small file, to be written when it is to be flushed or published.

        Nobody may touch the memory any more.
        """
        self._kept_back = data

    def _write_kept_back(self) -> None:
        """Write and digest what was kept back; blocks.

        Raises:
            DiskFull: there is no room; it is kept back no longer.
        """
        data, self._kept_back = self._kept_back, None
        if data is not None:
            self._store(Arrived(0, data, None), len(data))

    async def store(self, arrived: Arrived, total: int | None) -> None:
        """Write and digest what is little, in one step.

        Raises:
            DiskFull: there is no room; nothing of this counts, and nothing that the log claims is harmed.
            OSError: the disk failed.
        """
        before = self.tally.copy()
        try:
            with trio.CancelScope(shield=True):
                await self._threads.run(lambda: self._store(arrived, total))
        except BaseException:
            self.tally = before
            raise

    def _store(self, arrived: Arrived, total: int | None) -> None:
        self.write(arrived, total)
        self.digest_pieces(arrived)
        self.digest_whole(arrived, self.tally.held)

    def write(self, arrived: Arrived, total: int | None) -> None:
        """Write what arrived, which counts when its pieces have been digested; blocks, in one thread at a time.

        Raises:
            DiskFull: there is no room; nothing that the log claims is harmed.
            OSError: the disk failed.
        """
        self._is_empty = False
        end = arrived.start + len(arrived.data)
        if total is not None and end > self._allocated and total > READ_BYTES:
            self._set_aside(end, total)
        self.part.write(arrived.start, arrived.data)

    def digest_pieces(self, arrived: Arrived) -> None:
        """Digest the pieces of what was written; blocks, in one thread at a time."""
        self.tally.take_pieces(*arrived)

    def digest_whole(self, arrived: Arrived, written: spans.Spans) -> None:
        """Digest the whole with what arrived, and before it with what went by too early, as far as it is `written`.

        Blocks, in one thread at a time, whatever others do with this or anything else.

        Raises:
            OSError: the disk failed, or what was written is not there any more.
        """
        start, end = self._behind(CATCH_UP * len(arrived.data))
        self._read_back((start, min(end, spans.prefix(written))))
        self.tally.take_whole(arrived.start, arrived.data)

    async def settle(self) -> int:
        """Take everything into the digest of the whole, and return the inode of the part.

        Raises:
            DiskFull: there is no room for what was kept back.
            OSError: the disk failed; or what was written is not there any more.
        """
        if self._kept_back is not None:
            await self._threads.run(self._write_kept_back)
        while self.tally.behind[0] < self.tally.behind[1]:
            await self._threads.run(lambda: self._take_behind(BEHIND_BYTES))
        return await self._threads.run(lambda: self.part.inode)

    def prepare(self, expected: str | None) -> Part | None:
        """Have everything in the part, and return it if the whole has the digest that is `expected`; blocks.

        Raises:
            DiskFull, OSError: the disk failed.
        """
        self._write_kept_back()
        self._take_behind(self.tally.size)
        return None if self.tally.agrees(expected) is False else self.part

    def _behind(self, most: int) -> spans.Span:
        """Return what of the part the digest of the whole needs next and has not seen, at most so many bytes."""
        start, end = self.tally.behind
        return start, min(end, start + most)

    def _take_behind(self, most: int) -> None:
        self._read_back(self._behind(most))

    def _read_back(self, span: spans.Span) -> None:
        start, end = span
        while start < end:
            data = self.part.read(start, min(end - start, READ_BYTES))
            if not data:
                raise OSError(errno.EIO, "bytes that were written are not there any more")
            self.tally.take_behind(memoryview(data))
            start += len(data)

    def _set_aside(self, end: int, total: int) -> None:
        """Set room aside behind `end`, as much as there is without the reserve."""
        step = min(total, end + min(max(end, PREALLOCATE_LEAST), PREALLOCATE_MOST))
        free = self._disk.free(self.path.rpartition("/")[0])
        if free - (step - self._allocated) > self._reserve_bytes:
            self.part.preallocate(step)
        self._allocated = step

    async def read(self, start: int, count: int) -> bytes:
        """Return bytes that are in the part."""
        return await self._threads.run(lambda: self.part.read(start, count))

    async def flush(self) -> tuple[Piece, ...]:
        """Make what was written durable, and return the pieces that may now be logged (watermark first, then flush)."""
        if self._kept_back is not None:
            await self._threads.run(self._write_kept_back)
        pieces = self.tally.snapshot()
        await self.flush_part()
        return pieces

    async def flush_part(self) -> None:
        """Make what was written before this call durable.

        Raises:
            OSError: none of it may be believed.
        """
        await self._threads.run(self._flush)

    def _flush(self) -> None:
        self.part.flush()
