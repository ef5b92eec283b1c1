"""How the bytes of an answer leave: a chain of stages, each of which treats a stream of pieces in one way.

`STAGES` is the whole story: the field of the behaviour that brings a stage in, and the stage, from the content outwards
to the wire. A stage takes the pieces, its field's value and the delivery; it may cut them, wait, or raise `Severed`.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from lading.tools.origin.behaviour import HONEST, Behaviour, Drip, Drop, Framing, Stall
from lading.tools.origin.content import PIECE

Piece = bytes | memoryview
Pieces = Iterator[Piece]

PACES_PER_S = 50


class Severed(Exception):
    """The connection ends here, whatever was promised."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


@attrs.define
class Delivery:
    """One body on its way.

    Attributes:
        name: The resource's.
        behaviour: How it is treated.
        framing: What ends it on this connection.
        ordinal: Deliveries of this resource before this one, since the behaviour was set.
        length: Bytes of content.
        wait: Waits so many seconds; raises `Severed` when the origin is closing.
        sent: Bytes handed to the socket so far, of the body without its chunk framing.
    """

    name: str
    behaviour: Behaviour
    framing: Framing
    ordinal: int
    length: int
    wait: Callable[[float], None]
    sent: int = 0

    def stream(self, pieces: Pieces) -> Pieces:
        """Return what goes out on the wire after the head."""
        for field, stage in STAGES.items():
            value = getattr(self.behaviour, field)
            if value != getattr(HONEST, field):
                pieces = stage(pieces, value, self)
        pieces = _counted(pieces, self)
        return _chunked(pieces) if self.framing is Framing.CHUNKED else pieces

    def concerns(self, times: int | None) -> bool:
        """Whether this is among the first `times` deliveries."""
        return times is None or self.ordinal < times


def _compressed(pieces: Pieces, _gzip: object, _delivery: Delivery) -> Pieces:
    packer = zlib.compressobj(level=1, wbits=31)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def _dripped(pieces: Pieces, drip: Drip, delivery: Delivery) -> Pieces:
    for piece in _cut(pieces, drip.size):
        yield piece
        delivery.wait(drip.pause_s)


def _paced(pieces: Pieces, rate: int, delivery: Delivery) -> Pieces:
    begun, done = time.monotonic(), 0
    for piece in _cut(pieces, min(PIECE, max(1, rate // PACES_PER_S))):
        done += len(piece)
        delivery.wait(begun + done / rate - time.monotonic())
        yield piece


def _stalled(pieces: Pieces, stall: Stall, delivery: Delivery) -> Pieces:
    for place, piece in _cut_at(pieces, stall.at):
        if place == stall.at and delivery.concerns(stall.times):
            delivery.wait(stall.seconds)
        yield piece


def _dropped(pieces: Pieces, drop: Drop, delivery: Delivery) -> Pieces:
    chance = random.Random(f"{drop.seed}/{delivery.name}/{delivery.ordinal}")
    if chance.random() >= drop.probability or not delivery.concerns(drop.times):
        yield from pieces
        return
    after = chance.randrange(delivery.length + 1) if drop.after is None else drop.after
    for place, piece in _cut_at(pieces, after):
        if place >= after:
            break
        yield piece
    raise Severed(reset=drop.reset)


STAGES: Mapping[str, Callable[[Pieces, Any, Delivery], Pieces]] = {
    "gzip": _compressed,
    "drip": _dripped,
    "rate": _paced,
    "stall": _stalled,
    "drop": _dropped,
}


def _counted(pieces: Pieces, delivery: Delivery) -> Pieces:
    """Count each piece once it is gone: the next is asked for only then."""
    for piece in pieces:
        yield piece
        delivery.sent += len(piece)


def _chunked(pieces: Pieces) -> Pieces:
    """Frame each piece as a chunk (RFC 9112 §7.1); no last chunk follows a body that was severed."""
    for piece in pieces:
        if piece:
            yield b"".join((b"%x\r\n" % len(piece), piece, b"\r\n"))
    yield b"0\r\n\r\n"


def _cut(pieces: Pieces, size: int) -> Pieces:
    """Cut the pieces so that none is larger than `size` bytes."""
    for piece in pieces:
        for place in range(0, len(piece), size):
            yield memoryview(piece)[place : place + size]


def _cut_at(pieces: Pieces, cut: int) -> Iterator[tuple[int, Piece]]:
    """Give each piece with its offset, cutting the one over which `cut` lies, so that one begins exactly there."""
    place = 0
    for piece in pieces:
        head = cut - place
        if 0 < head < len(piece):
            yield place, memoryview(piece)[:head]
            yield cut, memoryview(piece)[head:]
        else:
            yield place, piece
        place += len(piece)
