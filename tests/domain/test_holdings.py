"""Which pieces a download still holds by its own events."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import events as e
from lading.domain import holdings
from lading.domain.errors import Fenced, IllegalCommand
from lading.domain.pieces import Piece
from lading.domain.validators import Validator

HELD = e.Progressed(attempt=1, pieces=(Piece(0, 10, "a"), Piece(10, 20, "b")))
COMPLETED = e.Completed(
    attempt=1, path="f", size=20, digest="sha256:00", assurance="length", url="https://a/", validator=Validator()
)


@pytest.mark.law(2)
@settings(max_examples=50)
@given(data=st.data())
def test_no_piece_stands_that_the_log_does_not_vouch_for(stream, commands, data):
    """Whatever happened, the standing pieces lie within the durable bytes of the download."""
    walk = stream()
    for _ in range(30):
        try:
            walk.do(data.draw(commands(walk.download)))
        except (Fenced, IllegalCommand):
            continue
        durable = {byte for start, end in walk.download.durable for byte in range(start, end)}
        for piece in holdings.standing(walk.events):
            assert durable >= set(range(piece.start, piece.end))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((), ["a", "b"]),
        ((e.Progressed(attempt=1, pieces=(Piece(10, 25, "c"),)),), ["a", "c"]),
        ((e.PieceRejected(attempt=1, start=10, end=20, reason=""),), ["a"]),
        ((e.PieceRejected(attempt=1, start=19, end=30, reason=""),), ["a"]),
        ((e.PieceRejected(attempt=1, start=20, end=30, reason=""),), ["a", "b"]),
        ((e.PieceRejected(attempt=1, start=0, end=10, reason=""),), ["b"]),
        ((e.Restarted(attempt=1, reason="", discarded=20),), []),
        ((e.Cancelled(),), ["a", "b"]),
        ((e.Removed(),), ["a", "b"]),
        ((e.Cancelled(), e.Discarded(size=20)), []),
        ((e.Paused(), e.Stopped(attempt=1, reason="")), ["a", "b"]),
        ((e.Restarted(attempt=1, reason="", discarded=20), HELD), ["a", "b"]),
    ],
)
def test_a_piece_stands_until_it_is_replaced_rejected_or_given_up(after, expected):
    """Each event does to the pieces what it says."""
    assert [piece.digest for piece in holdings.standing([HELD, *after])] == expected


def test_a_transfer_in_order_goes_on_from_what_lies_end_to_end():
    """A gap ends the chain, and so does a beginning that is not byte 0."""
    first, second, third = Piece(0, 10, "a"), Piece(10, 20, "b"), Piece(30, 40, "c")
    assert holdings.contiguous([first, second, third]) == (first, second)
    assert holdings.contiguous([second, third]) == ()
    assert holdings.contiguous([first, Piece(5, 15, "overlaps"), second]) == (first, second)
    assert holdings.contiguous([]) == ()


@pytest.mark.law(4)
@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (None, ["a", "b"]),
        (Validator(etag='"1"'), ["a", "b"]),
        (Validator(etag='"1"', date="another day"), ["a", "b"]),
        (Validator(etag='"2"'), []),
        (Validator(length=21), []),
    ],
)
def test_a_repair_begins_with_nothing_once_its_server_has_another_version(known, expected):
    """Else pieces of the published file would be joined to bytes of the other one."""
    events = [
        HELD,
        attrs.evolve(COMPLETED, validator=Validator(etag='"1"', length=20)),
        e.Resumed(fresh=True, repair=True),
    ]
    assert [piece.digest for piece in holdings.mendable(events, known)] == expected


def test_a_repair_of_what_was_never_published_begins_with_nothing():
    """Its pieces are those of a part."""
    assert holdings.mendable([HELD], None) == ()
