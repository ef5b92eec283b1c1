"""The tally of a transfer: what its bytes digest to, as a whole and piece by piece, while they go by in order.

A checkpoint takes a snapshot, flushes the disk, has the pieces logged, and only then tells the tally that they are. So
what a `Progressed` names was written before the flush that it stands for (law 2).
"""

from __future__ import annotations

from lading.domain import digests
from lading.domain.pieces import Piece, cell_size

PIECES = digests.OF_PIECES


class Tally:
    """Digests bytes that arrive in order, from byte 0 on; a resumed prefix is taken in before the rest.

    Args:
        algorithm: by which the whole is digested.
        total: how many bytes there will be, when that is known; from it follows how long pieces are.
        also: another algorithm by which the whole is digested, if any.
    """

    def __init__(self, algorithm: str, total: int | None, also: str | None = None) -> None:
        self._algorithm = algorithm
        self._wholes = {name: digests.hasher(name) for name in (algorithm, also) if name}
        self._cell = cell_size(total)
        self._at = 0
        self._begin(0)
        self._closed: list[Piece] = []
        self._logged = 0

    @property
    def at(self) -> int:
        """The offset of the next byte."""
        return self._at

    @property
    def unlogged(self) -> int:
        """Bytes taken in that no checkpoint has covered yet."""
        return self._at - self._logged

    @property
    def digest(self) -> str:
        """The digest of everything so far, `ALGORITHM:HEX`."""
        return f"{self._algorithm}:{self._wholes[self._algorithm].hexdigest()}"

    def agrees(self, stated: str) -> bool | None:
        """Tell whether everything so far has a stated digest, `ALGORITHM:HEX`; None when that was not computed."""
        algorithm, _, digits = stated.partition(":")
        running = self._wholes.get(algorithm)
        return None if running is None else running.hexdigest() == digits

    def copy(self) -> Tally:
        """Return a second tally in the same state."""
        other = object.__new__(Tally)
        other.__dict__.update(self.__dict__)
        other._wholes = {name: running.copy() for name, running in self._wholes.items()}
        other._piece, other._closed = self._piece.copy(), self._closed.copy()
        return other

    def take(self, data: memoryview) -> None:
        """Take in the next bytes."""
        self._digest_whole(data)
        while data:
            room = (self._start // self._cell + 1) * self._cell - self._at
            head, data = data[:room], data[room:]
            self._piece.update(head)
            self._at += len(head)
            if len(head) == room:
                self._closed.append(self._open_piece())
                self._begin(self._at)

    def take_logged(self, data: memoryview) -> None:
        """Take in bytes that the log vouches for already: the prefix that a resume goes on from."""
        self._digest_whole(data)
        self._at += len(data)
        self._logged = self._at
        self._begin(self._at)

    def snapshot(self) -> tuple[Piece, ...]:
        """Return the pieces that no checkpoint has covered, the unfinished one included."""
        unfinished = (self._open_piece(),) if self._at > self._start else ()
        return (*self._closed, *unfinished)

    def logged(self, pieces: tuple[Piece, ...]) -> None:
        """Note that the log vouches for the pieces of a snapshot now."""
        if pieces:
            self._logged = pieces[-1].end
            self._closed = [piece for piece in self._closed if piece.end > self._logged]

    def _digest_whole(self, data: memoryview) -> None:
        for running in self._wholes.values():
            running.update(data)

    def _begin(self, start: int) -> None:
        self._start = start
        self._piece = digests.hasher(PIECES)

    def _open_piece(self) -> Piece:
        return Piece(self._start, self._at, f"{PIECES}:{self._piece.hexdigest()}")
