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


@st.composite
def arrivals(draw) -> list[tuple[int, int]]:
    """Draw chunks, start and end, of a file that several connections fetch: each in order, interleaved at random."""
    cuts = draw(st.lists(st.integers(1, 6 * CELL), min_size=1, max_size=4))
    ends = [sum(cuts[: number + 1]) for number in range(len(cuts))]
    at = [end - size for end, size in zip(ends, cuts, strict=True)]
    chunks = []
    while any(here < end for here, end in zip(at, ends, strict=True)):
        number = draw(st.sampled_from([n for n, end in enumerate(ends) if at[n] < end]))
        size = min(draw(st.integers(1, 2 * CELL)), ends[number] - at[number])
        chunks.append((at[number], at[number] + size))
        at[number] += size
    return chunks


@pytest.mark.law(2)
@settings(max_examples=150)
@given(chunks=arrivals(), data=st.data())
def test_pieces_cover_what_arrived_and_have_the_digests_of_their_bytes(chunks, data):
    """However a file is cut and in whatever order it arrives: logged pieces are it, and the whole has its digest."""
    whole, events, written = body(max(end for _, end in chunks)), [], set()
    running = Tally("sha256", len(whole))
    for start, end in chunks:
        if data.draw(st.booleans()):
            low, high = running.behind
            running.take_behind(memoryview(whole)[low : data.draw(st.integers(low, high))])
        running.take(start, memoryview(whole)[start:end], data.draw(st.sampled_from([None, 1])))
        written |= set(range(start, end))
        assert (running.size, running.end) == (len(written), max(written) + 1)
        snapshot = running.snapshot()
        assert are_right(snapshot, whole)
        if data.draw(st.booleans()):
            events.append(snapshot)
            running.logged(snapshot)
            assert (running.unlogged, running.snapshot()) == (0, ())
    standing = holdings.standing(Progressed(attempt=1, pieces=pieces) for pieces in (*events, running.snapshot()))
    assert holdings.contiguous(standing) == standing
    assert standing[-1].end == len(whole) == running.at
    low, high = running.behind
    running.take_behind(memoryview(whole)[low:high])
    assert running.digest == digests.of(whole)


@settings(max_examples=100)
@given(size=st.integers(0, 300), cut=st.integers(0, 300), algorithm=st.sampled_from(("sha256", "md5")))
def test_what_was_resumed_counts_for_the_whole_and_not_as_new(size, cut, algorithm):
    """The digest is of the whole file; what was held is logged already, and the next piece begins after it."""
    data = body(size)
    cut = min(cut, size)
    running = Tally(algorithm, size)
    running.take_logged(0, memoryview(data)[:cut])
    assert (running.at, running.unlogged, running.snapshot()) == (cut, 0, ())
    running.take(cut, memoryview(data)[cut:])
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
    running.take(0, memoryview(data)[: CELL + 10])
    before = running.snapshot()
    running.take(CELL + 10, memoryview(data)[CELL + 10 :])
    running.logged(before)
    assert running.unlogged == 2 * CELL - 10
    assert [(piece.start, piece.end) for piece in running.snapshot()] == [(CELL, 2 * CELL), (2 * CELL, 3 * CELL)]


def test_a_piece_comes_from_one_source():
    """Where another source goes on in the middle of a cell, another piece begins."""
    data = body(CELL)
    running = Tally("sha256", None)
    running.take(0, memoryview(data)[:10], None)
    running.take(10, memoryview(data)[10:20], 2)
    running.take(20, memoryview(data)[20:], 2)
    assert [(piece.start, piece.end, piece.source) for piece in running.snapshot()] == [(0, 10, None), (10, CELL, 2)]
    assert are_right(running.snapshot(), data)


def test_a_run_that_nobody_will_go_on_with_is_not_kept():
    """Where what follows is there already, its piece is closed; else a long file would collect them."""
    data = body(3 * CELL)
    running = Tally("sha256", None)
    for start in range(10, 3 * CELL, 20):
        running.take(start, memoryview(data)[start : start + 10])
    for start in range(0, 3 * CELL, 20):
        running.take(start, memoryview(data)[start : start + 10])
    assert len(running._runs) <= 1
    assert are_right(running.snapshot(), data)
    assert running.at == running.end


def test_a_copy_goes_its_own_way():
    """What failed to be written is forgotten by going back to a copy."""
    data = body(100)
    running = Tally("sha256", None)
    running.take(0, memoryview(data)[:50])
    before = running.copy()
    running.take(50, memoryview(data)[50:])
    running.logged(running.snapshot())
    assert (before.size, before.unlogged, before.digest) == (50, 50, digests.of(data[:50]))
    before.take(50, memoryview(data)[50:])
    assert before.digest == running.digest
    assert before.snapshot() == (pieces.Piece(0, CELL, digests.of(data[:CELL], "blake3")),
                                 pieces.Piece(CELL, 100, digests.of(data[CELL:], "blake3")))  # fmt: skip
