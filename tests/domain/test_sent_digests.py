"""Digests that servers send: read where they are what the standards say, and as good as not sent where they are not."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.domain import digests, sent_digests
from lading.domain.digests import Digest
from lading.domain.validators import Validator

pytestmark = [pytest.mark.law(4), pytest.mark.row("S2.4")]

BODY = b"what is served"
SHA256, SHA512, SHA1, MD5 = (digests.of(BODY, name) for name in ("sha256", "sha512", "sha1", "md5"))


def coded(digest: str) -> str:
    return b64encode(bytes.fromhex(digest.partition(":")[2])).decode()


def member(name: str, digest: str) -> str:
    return f"{name}=:{coded(digest)}:"


TWO = f"{member('sha-512', SHA512)}, {member('sha-256', SHA256)}"
HEADERS = [
    # what is sent, the digest that it states of the file with a whole body, and with a part of it
    ({"repr-digest": member("sha-256", SHA256)}, SHA256, SHA256),
    ({"repr-digest": member("sha-512", SHA512)}, SHA512, SHA512),
    ({"repr-digest": TWO}, SHA256, SHA256),
    ({"repr-digest": f"{member('sha-512', SHA512)};q=1,id-sha-256=:AA==:"}, SHA512, SHA512),
    ({"content-digest": member("sha-256", SHA256)}, SHA256, None),
    ({"content-md5": coded(MD5)}, MD5, None),
    ({"content-md5": f" {coded(MD5)} ", "repr-digest": TWO}, SHA256, SHA256),
    ({"digest": f"SHA-256={coded(SHA256)}"}, SHA256, SHA256),
    ({"digest": f"md5={coded(MD5)},sha={coded(SHA1)}"}, SHA1, SHA1),
    ({"digest": f"UNIXsum=30637,SHA-512={coded(SHA512)}"}, SHA512, SHA512),
    ({"digest": f"sha-256={coded(SHA256)}", "repr-digest": member("sha-256", digests.of(b"newer"))},
     digests.of(b"newer"), digests.of(b"newer")),
    ({}, None, None),
    ({"repr-digest": ""}, None, None),
    ({"repr-digest": coded(SHA256)}, None, None),
    ({"repr-digest": f"sha-256={coded(SHA256)}"}, None, None),
    ({"repr-digest": member("sha-256", MD5)}, None, None),
    ({"repr-digest": "sha-256=:!!:"}, None, None),
    ({"repr-digest": "sha-256=:AAA:"}, None, None),
    ({"repr-digest": member("crc32c", MD5)}, None, None),
    ({"digest": member("sha-256", SHA256)}, None, None),
    ({"content-md5": MD5}, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "whole", "part"), HEADERS)
def test_digest_of_the_file_is_read_from_what_is_sent(headers, whole, part):
    """Of the representation always; of the content only where that is the whole; SHA-256 before stronger ones."""
    assert sent_digests.of_file(headers, whole=True) == whole
    assert sent_digests.of_file(headers, whole=False) == part


@given(
    headers=st.dictionaries(
        st.sampled_from(["repr-digest", "content-digest", "digest", "content-md5"]),
        st.text(max_size=60) | st.sampled_from([TWO, coded(MD5)]).map(lambda good: good[:-3] + "==="),
    ),
    whole=st.booleans(),
)
def test_nonsense_is_as_good_as_not_sent(headers, whole):
    """Whatever is sent, it gives a digest that we can check or none."""
    found = sent_digests.of_file(headers, whole=whole)
    assert found is None or str(Digest.parse(found)) == found


def test_validators_differ_by_digests_of_one_algorithm_only():
    """Two algorithms say nothing about each other."""
    assert Validator(digest=SHA256).differs(Validator(digest=digests.of(b"else")))
    assert not Validator(digest=SHA256).differs(Validator(digest=SHA256))
    assert not Validator(digest=SHA256).differs(Validator(digest=MD5))
    assert not Validator(digest=SHA256).differs(Validator())
