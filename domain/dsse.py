"""DSSE envelopes (secure-systems-lab/dsse, v1): bytes of a type, and who signed both.

    {"payload": BASE64, "payloadType": TYPE, "signatures": [{"keyid": HEX, "sig": BASE64}, …]}

What is signed is no JSON but `pae`: nothing hangs on how JSON is written, and nothing has to be parsed before its
signature is known to be good. A key goes by the id under which TUF and in-toto know it, the SHA-256 of its canonical
JSON, so that their tools find it when they are given the bare public key.

What is read comes from anybody. JSON is taken as RFC 8259 has it, but for what two readers may read as two things: a
name that stands twice in an object, NaN, and what is not UTF-8. Two bytes of it can become a hundred in memory, so its
values are counted, and how deep they stand, before any of them is made.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import attrs

from lading.domain.errors import NotAReceipt
from lading.domain.packing import pack, unpack

MOST_SIGNATURES = 16
MOST_TOKENS = 1024
"""Of an envelope: strings, brackets and commas; one with `MOST_SIGNATURES` has some 170."""

DEEPEST = 64
"""So deep at most JSON is nested; receipts are to a tenth of that."""

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)


@attrs.frozen
class EnvelopeSignature:
    """A signature, and the id of the key that it claims to be of."""

    key_id: str
    signature: bytes


@attrs.frozen
class Envelope:
    """A payload, what type it is of, and its signatures."""

    payload_type: str
    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]

    def words(self) -> dict[str, Any]:
        """Return it as the object that JSON has."""
        signatures = [{"keyid": each.key_id, "sig": pack(each.signature)} for each in self.signatures]
        return {"payload": pack(self.payload), "payloadType": self.payload_type, "signatures": signatures}

    @classmethod
    def parse(cls, data: bytes) -> Envelope:
        """Read an envelope.

        Raises:
            NotAReceipt: it is not one.
        """
        words = read_json(data, MOST_TOKENS)
        if not isinstance(words, dict) or words.keys() != {"payload", "payloadType", "signatures"}:
            raise NotAReceipt("this is no DSSE envelope")
        kind, payload, signatures = words["payloadType"], unpack(words["payload"]), words["signatures"]
        if not isinstance(kind, str) or payload is None or not isinstance(signatures, list):
            raise NotAReceipt("this is no DSSE envelope")
        if not kind.isascii() or not kind.isprintable():
            raise NotAReceipt("the type of what this DSSE envelope holds is none")
        if not 0 < len(signatures) <= MOST_SIGNATURES:
            raise NotAReceipt("this DSSE envelope is not signed, or by too many")
        return cls(kind, payload, tuple(map(_signature, signatures)))


def _signature(words: object) -> EnvelopeSignature:
    if isinstance(words, dict) and words.keys() == {"keyid", "sig"}:
        key_id, signature = words["keyid"], unpack(words["sig"])
        if isinstance(key_id, str) and signature is not None:
            return EnvelopeSignature(key_id, signature)
    raise NotAReceipt("a signature of this DSSE envelope cannot be read")


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed of a payload and its type: the pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def key_id(key: bytes) -> str:
    """Return the id of an Ed25519 public key (32 bytes) by which TUF, in-toto and securesystemslib know it."""
    words = {"keytype": "ed25519", "keyval": {"public": key.hex()}, "scheme": "ed25519"}
    return hashlib.sha256(canonical(words)).hexdigest()


def canonical(words: object) -> bytes:
    """Return JSON in one form: equal for equal values, and for no others."""
    return json.dumps(words, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")


def read_json(data: bytes, most: int) -> Any:
    """Read JSON of which there is one reading, and which has at most so many strings, brackets and commas.

    Raises:
        NotAReceipt: it is not that.
    """
    _measure(data, most)
    try:
        return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotAReceipt("this is not JSON, or it was cut short") from error


def _measure(data: bytes, most: int) -> None:
    """Refuse JSON that would be more values than any receipt has, or deeper, in the memory of one of its strings."""
    depth = 0
    for count, match in enumerate(_TOKEN.finditer(data), start=1):
        kind = data[match.start()]
        depth += (kind in b"[{") - (kind in b"]}")
        if count > most or depth > DEEPEST:
            raise NotAReceipt("this is JSON of more values than any receipt has, or deeper nested")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return made


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")
