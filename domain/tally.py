"""The tally of a transfer: what its bytes digest to, as a whole and piece by piece, while they go by.

Bytes arrive in runs, each in order, and several at once when several connections fetch one file. Pieces are digested as
they grow, wherever they lie. The whole is digested from its beginning on, as far as bytes lie end to end; those that
arrived ahead of that are *behind*, and are taken in again, read back from the part, when their turn has come.

A checkpoint takes a snapshot, flushes the disk, has the pieces logged, and only then tells the tally that they are. So
what a `Progressed` names was written before the flush that it stands for (law 2).
"""

from __future__ import annotations

from collections.abc import Iterable

from lading.domain import digests, spans
from lading.domain.pieces import Piece, cell_size

PIECES = digests.OF_PIECES


class _Run:
    """A piece that is not finished: it began at `start`, goes on at `at`, and is logged up to `logged`."""

    def __init__(self, start: int, source: int | None) -> None:
        self.start = self.at = self.logged = start
        self.source = source
        self._running = digests.hasher(PIECES)

    def copy(self) -> _Run:
        other = object.__new__(_Run)
        other.__dict__.update(self.__dict__)
        other._running = self._running.copy()
        return other

    def take(self, data: memoryview) -> None:
        self._running.update(data)
        self.at += len(data)

    def piece(self) -> Piece:
        return Piece(self.start, self.at, f"{PIECES}:{self._running.hexdigest()}", self.source)


class Whole:
    """What the first `at` bytes of a file digest to, by one algorithm or two.

    Args:
        algorithms: by which it is digested.
    """

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._running = {name: digests.hasher(name) for name in algorithms}
        self.at = 0

    def copy(self) -> Whole:
        """Return a second one in the same state."""
        other = Whole(())
        other._running = {name: running.copy() for name, running in self._running.items()}
        other.at = self.at
        return other

    def take(self, data: memoryview) -> None:
        """Take in the bytes that come next."""
        self.at += len(data)
        for running in self._running.values():
            running.update(data)

    def hexdigest(self, algorithm: str) -> str | None:
        """Return the digest of all that was taken in; None by an algorithm by which that was not digested."""
        running = self._running.get(algorithm)
        return None if running is None else running.hexdigest()


class Tally:
    """Digests what is taken in, each byte once; of a resumed transfer, what is held before the rest.

    Args:
        algorithm: by which the whole is digested.
        total: how many bytes there will be, when that is known; from it follows how long pieces are.
        also: another algorithm by which the whole is digested, if any.
    """

    def __init__(self, algorithm: str, total: int | None, also: str | None = None) -> None:
        self._algorithm = algorithm
        self.whole = Whole(name for name in (algorithm, also) if name)
        self._cell = cell_size(total)
        self._runs: dict[int, _Run] = {}
        self._closed: list[Piece] = []
        self._logged: spans.Spans = ()
        self.held: spans.Spans = ()

    @property
    def at(self) -> int:
        """How many bytes lie end to end from byte 0."""
        return spans.prefix(self.held)

    @property
    def size(self) -> int:
        """How many bytes were taken in."""
        return spans.size(self.held)

    @property
    def end(self) -> int:
        """The byte after the last that was taken in."""
        return self.held[-1][1] if self.held else 0

    @property
    def unlogged(self) -> int:
        """Bytes taken in that no checkpoint has covered yet."""
        return self.size - spans.size(self._logged)

    @property
    def behind(self) -> spans.Span:
        """The bytes that the digest of the whole needs next and did not see when they arrived; empty when it did."""
        return self.whole.at, self.at

    @property
    def digest(self) -> str:
        """The digest of everything, `ALGORITHM:HEX`, once nothing is behind."""
        assert self.whole.at == self.at == self.end, "the whole was taken in before its digest is asked for"
        return f"{self._algorithm}:{self.whole.hexdigest(self._algorithm)}"

    def agrees(self, stated: str | None) -> bool | None:
        """Tell whether everything so far has a stated digest, `ALGORITHM:HEX`; None when that was not computed."""
        algorithm, _, digits = (stated or "").partition(":")
        known = self.whole.hexdigest(algorithm)
        return None if known is None else known == digits

    def copy(self) -> Tally:
        """Return a second tally in the same state."""
        other = object.__new__(Tally)
        other.__dict__.update(self.__dict__)
        other.whole = self.whole.copy()
        other._runs = {at: run.copy() for at, run in self._runs.items()}
        other._closed = self._closed.copy()
        return other

    def take(self, start: int, data: memoryview, source: int | None = None) -> None:
        """Take in bytes that begin at `start` and came from `source`, None for the attempt's own."""
        self.take_pieces(start, data, source)
        self.take_whole(start, data)

    def take_whole(self, start: int, data: memoryview) -> None:
        """Take bytes into the digest of the whole, if they are what it needs next; half of `take`."""
        if start == self.whole.at:
            self.whole.take(data)

    def take_pieces(self, start: int, data: memoryview, source: int | None = None) -> None:
        """Take bytes into their pieces: the other half of `take`, which another thread may do at the same time.

        Neither half has to wait for the other. What tells of pieces is true as soon as this is done; what tells of the
        whole, when both are.
        """
        self.held = spans.union(self.held, start, start + len(data))
        at = start
        while data:
            run = self._runs.pop(at, None)
            if run is None or run.source != source:
                self._close(run)
                run = _Run(at, source)
            room = (at // self._cell + 1) * self._cell - at
            run.take(data[:room])
            at, data = run.at, data[room:]
            if at % self._cell and not spans.holds(self.held, at, at + 1):
                self._runs[at] = run
            else:
                self._close(run)

    def take_logged(self, start: int, data: memoryview) -> None:
        """Take in bytes from `start` that the log vouches for already: a piece that a resume goes on with."""
        self.held = spans.union(self.held, start, start + len(data))
        self.take_whole(start, data)
        self._logged = spans.union(self._logged, start, start + len(data))

    def take_behind(self, data: memoryview) -> None:
        """Take in, for the digest of the whole, bytes that were `behind`, from the first of them on."""
        self.whole.take(data)

    def snapshot(self) -> tuple[Piece, ...]:
        """Return the pieces that no checkpoint has covered, the unfinished ones included, in order of their bytes."""
        unfinished = (run.piece() for run in self._runs.values() if run.at > run.logged)
        return tuple(sorted((*self._closed, *unfinished), key=lambda piece: piece.start))

    def logged(self, pieces: tuple[Piece, ...]) -> None:
        """Note that the log vouches for the pieces of a snapshot now."""
        ends = {piece.start: piece.end for piece in pieces}
        for start, end in ends.items():
            self._logged = spans.union(self._logged, start, end)
        for run in self._runs.values():
            run.logged = ends.get(run.start, run.logged)
        self._closed = [piece for piece in self._closed if ends.get(piece.start) != piece.end]

    def _close(self, run: _Run | None) -> None:
        if run is not None and run.at > run.logged:
            self._closed.append(run.piece())
