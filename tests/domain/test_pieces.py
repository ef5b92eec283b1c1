"""Pieces, and the grid on which they lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import digests, pieces
from lading.domain.pieces import Piece


def test_a_piece_knows_its_size():
    """The end is not part of it."""
    assert Piece(10, 25, "sha256:00").size == 15


@pytest.mark.law(2)
@pytest.mark.parametrize("algorithm", ["sha256", "blake3"])
def test_a_piece_fits_only_the_bytes_that_it_vouches_for(algorithm):
    """Not others, not fewer, not more; by the algorithm that its digest names."""
    data = b"the bytes that were flushed"
    piece = Piece(100, 100 + len(data), digests.of(data, algorithm))
    assert piece.fits(data)
    assert not any(map(piece.fits, (data[:-1], data + b"x", data.upper(), b"")))


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
