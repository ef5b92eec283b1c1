"""Which pieces a download still holds, by its own events: what the disk is held against when a transfer resumes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lading.domain.events import Completed, Discarded, Event, PieceRejected, Progressed, Quarantined, Restarted
from lading.domain.pieces import Piece
from lading.domain.validators import Validator


def standing(events: Iterable[Event]) -> tuple[Piece, ...]:
    """Return, in order of their bytes, the pieces that were logged and neither rejected nor given up since.

    A piece that has grown replaces the shorter one that began at the same byte. What is complete is no part any more:
    whoever fetches it once more, since its file was lost, begins without any.
    """
    held: dict[int, Piece] = {}
    for event in events:
        match event:
            case Progressed():
                held |= {piece.start: piece for piece in event.pieces}
            case PieceRejected():
                held = {
                    start: piece
                    for start, piece in held.items()
                    if piece.end <= event.start or piece.start >= event.end
                }
            case Restarted() | Discarded() | Quarantined(part=None) | Completed():
                held = {}
            case _:
                pass
    return tuple(held[start] for start in sorted(held))


def published(events: Iterable[Event]) -> tuple[Piece, ...]:
    """Return, in order of their bytes, the pieces of the file that was published last: those that stood just before.

    A small file has none, and one from the cache.
    """
    told: list[Event] = []
    pieces: tuple[Piece, ...] = ()
    for event in events:
        if isinstance(event, Completed):
            pieces = standing(told)
            told = []
        else:
            told.append(event)
    return pieces


def mendable(events: Sequence[Event], known: Validator | None) -> tuple[Piece, ...]:
    """Return the pieces of the file published last that a repair may begin with; `known` is its server's validator.

    There are none once that is surely another one than the file was published with: then only the whole of what the
    server has now can be held against the digest that was published, and nothing is joined to it (law 4).
    """
    completed = [event for event in events if isinstance(event, Completed)]
    if not completed or (known is not None and known.differs(completed[-1].validator)):
        return ()
    return published(events)


def contiguous(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Return those of `pieces` (sorted) that lie end to end from byte 0."""
    chain: list[Piece] = []
    at = 0
    for piece in pieces:
        if piece.start > at:
            break
        if piece.start == at:
            chain.append(piece)
            at = piece.end
    return tuple(chain)
