"""Heads of proofs, envelopes and JSON are taken in the one form that they have, and else not at all."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import SSlibKey

from lading.domain import dsse, packing, proofs
from lading.domain.errors import NotAReceipt

HASH = base64.b64encode(bytes(range(32))).decode()
HEAD = f"{proofs.MAGIC}\nindex 5\n{HASH}\n\n"


@given(st.binary(max_size=100))
def test_bytes_have_one_form_as_text(data):
    """What was packed is unpacked, and no other text is."""
    text = packing.pack(data)
    assert packing.unpack(text) == data
    for other in (f"{text} ", f"{text}\n", f"{text}=", text[:-1] or "=", f"-{text[1:]}", None, 5, data):
        assert packing.unpack(other) is None or packing.pack(packing.unpack(other)) == other != text


def test_the_same_bytes_in_another_form_are_refused():
    """Bits that are left over are none to play with."""
    assert packing.unpack("AA==") == b"\0"
    assert packing.unpack("AB==") is None
    assert packing.unpack("AA") is None


def test_a_head_is_what_it_has_to_be():
    """And nothing that looks like it."""
    assert proofs.read_head(HEAD) == (5, (bytes(range(32)),))
    assert proofs.read_head(proofs.head(0, ())) == (0, ())
    for other in (
        None, "", "\n", proofs.MAGIC, f"{proofs.MAGIC}\n", HEAD[:-1], f"{HEAD}\n", f"{HEAD}x", f" {HEAD}",
        HEAD.replace("index 5", "index 05"), HEAD.replace("index 5", "index -5"), HEAD.replace("index 5", "index ٥"),
        HEAD.replace("index 5", "index " + "9" * 20), HEAD.replace("index 5", "index 5 "), HEAD.replace("@v1", "@v2"),
        HEAD.replace("index 5\n", "extra AAAA\nindex 5\n"), HEAD.replace("\n", "\r\n"), HEAD.replace(HASH, HASH[:-4]),
        HEAD.replace(HASH, "A" * 44), HEAD.replace(f"{HASH}\n", f"{HASH}\n" * 129), HEAD.replace("\n", ""),
    ):  # fmt: skip
        assert proofs.read_head(other) is None, other


def test_a_key_has_the_id_that_others_give_it():
    """That of securesystemslib, for the bare public key."""
    key = SSlibKey.from_dict("", {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": bytes(32).hex()}})
    assert SSlibKey.from_crypto(key._crypto_key()).keyid == dsse.key_id(bytes(32))


def test_what_is_signed_is_told_apart_by_its_type():
    """The example of the specification."""
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}', b'{"a":{"b":1,"b":2}}', b"NaN", b"[Infinity]", b"-Infinity", b"\xff", b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}", b"", b"{", b"{}{}", b"[1,]", b"01", b"9" * 5000, b"[" * 200_000, b'{"a":' * 200_000, b"'a'",
    ],
)  # fmt: skip
def test_json_that_has_two_readings_or_none_is_refused(data):
    """Names that stand twice, numbers that are none, other encodings; and nothing is too deep or too long to say so."""
    with pytest.raises(NotAReceipt):
        dsse.read_json(data, 10**6)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=40)
@given(values, values)
def test_the_canonical_form_is_equal_for_equal_values_alone(one, other):
    """Whatever the order of names; and 1, 1.0 and true are three things."""
    assert dsse.read_json(dsse.canonical(one), 10**6) == one
    assert (dsse.canonical(one) == dsse.canonical(other)) == (repr(sorted_(one)) == repr(sorted_(other)))
    assert len({dsse.canonical(value) for value in (1, 1.0, True, "1")}) == 4


def sorted_(value):
    """Return a value with its names in order."""
    if isinstance(value, dict):
        return {name: sorted_(value[name]) for name in sorted(value)}
    return [sorted_(item) for item in value] if isinstance(value, list) else value


def test_an_envelope_comes_back_as_it_was():
    """And one with more or less in it does not come at all."""
    envelope = dsse.Envelope("t", b"payload", (dsse.EnvelopeSignature("k", b"sig"),))
    words = envelope.words()
    assert dsse.Envelope.parse(json.dumps(words).encode()) == envelope
    one = words["signatures"][0]
    for change in (
        {"signatures": []}, {"signatures": [one] * 17}, {"signatures": {}}, {"signatures": [{**one, "more": 1}]},
        {"signatures": [{"sig": one["sig"]}]}, {"signatures": ["x"]}, {"payload": "x"}, {"payloadType": None}, {"x": 1},
    ):  # fmt: skip
        with pytest.raises(NotAReceipt):
            dsse.Envelope.parse(json.dumps({**words, **change}).encode())
