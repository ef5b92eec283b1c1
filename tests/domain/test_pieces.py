"""Pieces: which of them stand, what they cover, and the grid on which they lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import pieces, spans
from lading.domain.pieces import Piece

GIVEN = st.lists(
    st.builds(lambda start, size, mark: Piece(start, start + size, f"sha256:{mark:02x}"), *[st.integers(0, 30)] * 3),
    max_size=12,
)


@pytest.mark.law(2)
@given(GIVEN)
def test_what_grew_replaces_what_it_grew_from_and_nothing_is_lost(given_pieces):
    """Of the pieces with one start the longest stands, the last of equal ones; the bytes covered are the same."""
    standing = pieces.vouched(given_pieces)
    assert [piece.start for piece in standing] == sorted({piece.start for piece in given_pieces})
    for piece in standing:
        rivals = [other for other in given_pieces if other.start == piece.start]
        longest = max(other.end for other in rivals)
        assert piece == [other for other in rivals if other.end == longest][-1]
    assert pieces.covered(standing) == pieces.covered(given_pieces)


@given(GIVEN)
def test_covered_is_every_byte_of_every_piece(given_pieces):
    """No byte is invented and none forgotten."""
    model = {byte for piece in given_pieces for byte in range(piece.start, piece.end)}
    held = pieces.covered(given_pieces)
    assert {byte for start, end in held for byte in range(start, end)} == model
    assert spans.size(held) == len(model)


def test_a_piece_knows_its_size():
    """The end is not part of it."""
    assert Piece(10, 25, "sha256:00").size == 15


@pytest.mark.law(9)
@given(st.none() | st.integers(0, 2**50))
def test_the_grid_is_aligned_and_bounded(total):
    """A cell is at least 4 MiB, whole blocks, and no file has many more than 8,192 of them."""
    cell = pieces.cell_size(total)
    assert cell >= pieces.SMALLEST_CELL
    assert cell % 4096 == 0
    assert -(-(total or 0) // cell) <= pieces.MOST_CELLS + 1


def test_a_small_file_and_one_of_unknown_size_have_the_smallest_cell():
    """The grid is coarser only where it must be."""
    assert pieces.cell_size(None) == pieces.cell_size(0) == pieces.cell_size(8192 * 4 * 1024**2) == 4 * 1024**2
    assert pieces.cell_size(1024**4) == 128 * 1024**2
