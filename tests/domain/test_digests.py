"""Digests as people write them."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import digests
from lading.domain.digests import Digest
from lading.domain.errors import InvalidDigest

EMPTY = hashlib.sha256(b"").hexdigest()


def test_blake3_is_blake3():
    """The digest of nothing, as its paper has it."""
    assert digests.of(b"", "blake3") == "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert Digest.parse(digests.of(b"", "blake3")).algorithm == "blake3"


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s"])
def test_what_we_compute_we_can_read(algorithm):
    """Each algorithm that a digest may name is one that this Python computes, to that length."""
    text = digests.of(b"lading", algorithm)
    assert str(Digest.parse(text)) == text
    assert text == f"{algorithm}:{hashlib.new(algorithm, b'lading').hexdigest()}"


@pytest.mark.parametrize(
    "text", [f"sha256:{EMPTY}", f" SHA256:{EMPTY.upper()}\n", f"sha-256:{EMPTY}", f"Sha-256:{EMPTY.title()}"]
)
def test_case_dashes_and_blanks_around_do_not_matter(text):
    """A digest is pasted from all sorts of pages."""
    assert Digest.parse(text) == Digest("sha256", EMPTY)


def test_blake2_means_the_long_one():
    """As in most tools."""
    assert Digest.parse("BLAKE2:" + "0" * 128).algorithm == "blake2b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a digest"),
        (EMPTY, "not a digest"),
        ("sha256", "not a digest"),
        ("crc32:00000000", "not a digest"),
        ("sha3-256:" + "0" * 64, "not a digest"),
        ("sha256:", "64 hex digits, this has 0"),
        (f"sha256:{EMPTY[:-1]}", "this has 63"),
        (f"sha256:{EMPTY}0", "this has 65"),
        (f"sha256:{EMPTY[:-1]}g", "0-9 and a-f"),
        (f"sha256:{EMPTY[:-1]}٣", "0-9 and a-f"),
        (f"sha256:{EMPTY[:32]} {EMPTY[33:]}", "0-9 and a-f"),
    ],
)
def test_what_is_no_digest_is_refused_and_says_why(text, said):
    """Wrong algorithm, wrong length and wrong digits are told apart, each with a hint."""
    with pytest.raises(InvalidDigest, match=said) as caught:
        Digest.parse(text)
    assert caught.value.hint


@given(st.text())
def test_no_text_makes_another_error(text):
    """What cannot be read is always `InvalidDigest`, and what can be reads back as itself."""
    try:
        digest = Digest.parse(text)
    except InvalidDigest:
        return
    assert Digest.parse(str(digest)) == digest


@given(st.lists(st.binary(max_size=20)))
def test_a_running_digest_is_the_digest_of_the_whole(chunks):
    """In how many pieces bytes come does not matter, and a copy goes on by itself."""
    running = digests.hasher()
    for chunk in chunks:
        running.update(chunk)
    copy = running.copy()
    copy.update(b"more")
    assert f"sha256:{running.hexdigest()}" == digests.of(b"".join(chunks))
