"""The tally: digests of what goes by, whole and piece by piece, in chunks of any size."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.domain import digests, holdings, pieces, tally
from lading.domain.events import Progressed
from lading.domain.tally import Tally

CELL = 64


@pytest.fixture(scope="module", autouse=True)
def _small_cells():
    """Cells of 64 bytes, so that a short text has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "cell_size", lambda _: CELL)
        yield


def body(size: int) -> bytes:
    """Return bytes that differ from place to place."""
    return hashlib.shake_128(b"body").digest(size)


def are_right(snapshot: tuple[pieces.Piece, ...], data: bytes) -> bool:
    """Tell whether every piece has the digest of its bytes and lies within one cell."""
    return all(
        piece.digest == digests.of(data[piece.start : piece.end], "blake3")
        and piece.start // CELL == (piece.end - 1) // CELL
        for piece in snapshot
    )


@pytest.mark.law(2)
@settings(max_examples=100)
@given(chunks=st.lists(st.integers(1, 3 * CELL), max_size=12), logs=st.lists(st.booleans(), min_size=12, max_size=12))
def test_pieces_lie_end_to_end_and_have_the_digests_of_their_bytes(chunks, logs):
    """However the body is cut, the logged pieces cover it all, and each is what its digest says."""
    data, at, events = body(sum(chunks)), 0, []
    running = Tally("sha256", len(data))
    for size, log in zip(chunks, logs, strict=False):
        running.take(memoryview(data)[at : at + size])
        at += size
        assert running.at == at
        snapshot = running.snapshot()
        assert are_right(snapshot, data)
        if log:
            events.append(snapshot)
            running.logged(snapshot)
            assert running.unlogged == 0
    standing = holdings.standing(Progressed(attempt=1, pieces=snapshot) for snapshot in (*events, running.snapshot()))
    assert holdings.contiguous(standing) == standing
    assert (standing[-1].end if standing else 0) == len(data)
    assert running.digest == digests.of(data)


@settings(max_examples=100)
@given(size=st.integers(0, 300), cut=st.integers(0, 300), algorithm=st.sampled_from(("sha256", "md5")))
def test_a_resumed_prefix_counts_for_the_whole_and_not_as_new(size, cut, algorithm):
    """The digest is of the whole file; the prefix is logged already, and the next piece begins after it."""
    data = body(size)
    cut = min(cut, size)
    running = Tally(algorithm, size)
    running.take_logged(memoryview(data)[:cut])
    assert (running.at, running.unlogged, running.snapshot()) == (cut, 0, ())
    running.take(memoryview(data)[cut:])
    assert running.unlogged == size - cut
    snapshot = running.snapshot()
    assert are_right(snapshot, data)
    assert not snapshot or (snapshot[0].start, snapshot[-1].end) == (cut, size)
    assert running.digest == digests.of(data, algorithm)


@pytest.mark.law(2)
def test_what_arrives_during_the_flush_is_not_logged_with_it():
    """The watermark is taken before the flush: only pieces of the snapshot become logged."""
    data = body(3 * CELL)
    running = Tally("sha256", None)
    running.take(memoryview(data)[: CELL + 10])
    before = running.snapshot()
    running.take(memoryview(data)[CELL + 10 :])
    running.logged(before)
    assert running.unlogged == 2 * CELL - 10
    assert [(piece.start, piece.end) for piece in running.snapshot()] == [(CELL, 2 * CELL), (2 * CELL, 3 * CELL)]
