"""What an origin serves follows from seed, version and offset, and from nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain.errors import InvalidDigest
from lading.tools.origin import (
    Resource,
)
from lading.tools.origin.content import NOISE, PAGE, PIECE

SIZE = 10_000
FILE = Resource("a file.bin", SIZE, "seed")
TRUTH = FILE.read()
OTHER = FILE.read(version=1)


BIG = Resource("big", 1 << 40, "big")


@given(
    start=st.integers(0, BIG.size - NOISE),
    shift=st.one_of(
        st.integers(1, PAGE),
        st.integers(1, 1 << 20).map(lambda pages: pages * PAGE),
        st.integers(1, 1 << 14).map(lambda periods: periods * NOISE),
    ),
)
def test_no_two_windows_of_4_kib_are_equal(start, shift):
    """A range that was shifted, by whole pages or whole periods of the noise too, has other bytes."""
    other = (start + shift) % (BIG.size - PAGE)
    assert BIG.read(start, start + PAGE) != BIG.read(other, other + PAGE)


PAGES = Resource("pages", 3 * PIECE + 5, "pages")
PAGES_READ = PAGES.read()


@given(st.integers(0, PAGES.size), st.integers(0, PAGES.size))
def test_any_range_reads_as_the_slice_of_the_whole(one, other):
    """Bytes follow from their offset, not from where the reading began."""
    start, end = sorted((one, other))
    assert PAGES.read(start, end) == PAGES_READ[start:end]


def test_versions_and_seeds_differ_nearly_everywhere_and_a_mirror_nowhere():
    """A splice of two versions changes bytes wherever it is made; the same seed is the same content."""
    for other in (FILE.read(version=1), Resource("x", SIZE, "another").read()):
        assert sum(a == b for a, b in zip(TRUTH, other, strict=True)) < SIZE / 50
    assert Resource("mirror", SIZE, "seed").read() == TRUTH
    assert Resource("grown", SIZE + 500, "seed").read()[:SIZE] == TRUTH


def test_the_bytes_of_a_seed_never_change():
    """A seed that failed on one machine shows the same bytes on every other, in every release."""
    assert FILE.digest() == "sha256:4161f38847bfca27d5de114e39c6efd0612e1f5d9fbf79d97b9a59b4e5928222"


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "blake2b"])
def test_the_digest_is_that_of_the_bytes(algorithm):
    """What the origin says about its content is true of what it serves."""
    assert FILE.digest(algorithm) == f"{algorithm}:{hashlib.new(algorithm, TRUTH).hexdigest()}"
    assert FILE.digest(algorithm, 1) == f"{algorithm}:{hashlib.new(algorithm, OTHER).hexdigest()}"


def test_an_unknown_digest_and_a_range_outside_are_refused():
    """The truth is told about what exists only."""
    with pytest.raises(InvalidDigest):
        FILE.digest("crc99")
    with pytest.raises(ValueError, match="does not lie inside"):
        FILE.read(5, SIZE + 1)
