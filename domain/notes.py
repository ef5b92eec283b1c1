"""Signed notes and checkpoints, as C2SP has them: text that people can read and programs of others can check.

A note (c2sp.org/signed-note) is text, an empty line, and a line for each signature over the text. A checkpoint
(c2sp.org/tlog-checkpoint) is a note whose text has three lines: the origin, which names the log; the size of its
ledger; and the root of that size. A verifier key names who signs and holds an Ed25519 public key.

Only shapes are told here; who signs and verifies is an adapter. What is read comes from files that anybody may have
changed: a note is what its grammar says or it is refused, and nothing is mended.
"""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

import attrs

from lading.domain.errors import NoteDamaged
from lading.domain.ledger import HASH_BYTES
from lading.domain.packing import pack, unpack

ED25519 = 1
KEY_BYTES, SIGNATURE_BYTES, ID_BYTES = 32, 64, 4
LONGEST_BYTES = 16_384
"""No checkpoint is longer; what is longer is not read."""

MOST_SIGNATURES = 64
MOST_LEAVES = 2**63
_SIGNED = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_NAME = re.compile(r"[^\s+]{1,255}")
_KEY = re.compile(r"([^\s+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


def _unpack(text: str, what: str) -> bytes:
    found = unpack(text)
    if found is None:
        raise NoteDamaged(f"{what} is not base64")
    return found


@attrs.frozen
class VerifierKey:
    """Who signs, by name, and the public key (32 bytes, RFC 8032) that shows it."""

    name: str
    key: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names this key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes((ED25519,)) + self.key).digest()[:ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{pack(bytes((ED25519,)) + self.key)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read `NAME+ID+KEY`.

        Raises:
            NoteDamaged: it is not that, or its parts do not belong together.
        """
        match = _KEY.fullmatch(text.strip())
        data = b"" if match is None else _unpack(match[3], "the key")
        if match is None or len(data) != 1 + KEY_BYTES or data[0] != ED25519:
            raise NoteDamaged("this is not the verifier key of an Ed25519 signer")
        made = cls(match[1], data[1:])
        if made.id.hex() != match[2]:
            raise NoteDamaged("the parts of this verifier key do not belong together")
        return made


@attrs.frozen
class Signature:
    """One signature line: who signed, the id of his key, and what he signed it with."""

    name: str
    key_id: bytes
    signature: bytes


@attrs.frozen
class Note:
    """A text, which ends with a line feed, and who signed it."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        lines = (f"— {each.name} {pack(each.key_id + each.signature)}\n" for each in self.signatures)
        return f"{self.text}\n{''.join(lines)}"

    @classmethod
    def parse(cls, text: str) -> Note:
        """Read a note.

        Raises:
            NoteDamaged: it is not one.
        """
        if len(text.encode(errors="surrogatepass")) > LONGEST_BYTES:
            raise NoteDamaged("this is longer than any note")
        body, gap, rest = text.rpartition("\n\n")
        lines = rest.split("\n")
        if not gap or not body or lines.pop() or not 0 < len(lines) <= MOST_SIGNATURES:
            raise NoteDamaged("this is not a signed note")
        if any(ord(letter) < 32 and letter != "\n" for letter in text):
            raise NoteDamaged("a note has no control characters")
        return cls(body + "\n", tuple(_signature(line) for line in lines))

    def signed_by(self, key: VerifierKey) -> bytes | None:
        """Return the signature that claims to be of a key, None when there is none."""
        for each in self.signatures:
            if each.name == key.name and each.key_id == key.id:
                return each.signature
        return None


def _signature(line: str) -> Signature:
    match = _SIGNED.fullmatch(line)
    data = b"" if match is None else _unpack(match[2], "a signature")
    if match is None or len(data) <= ID_BYTES:
        raise NoteDamaged("this is not a signed note")
    return Signature(match[1], data[:ID_BYTES], data[ID_BYTES:])


@attrs.frozen
class Checkpoint:
    """What a ledger was like: `root` is that of its first `size` events, `origin` names the log."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{pack(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read what was signed; lines that follow the third are nobody's business.

        Raises:
            NoteDamaged: it is not a checkpoint.
        """
        origin, size, root = (*text.split("\n"), "", "", "")[:3]
        if not origin or not _DECIMAL.fullmatch(size) or int(size) > MOST_LEAVES:
            raise NoteDamaged("this is not a checkpoint")
        found = _unpack(root, "the root")
        if len(found) != HASH_BYTES:
            raise NoteDamaged("the root of this checkpoint is not a SHA-256")
        return cls(origin, int(size), found)


def check_name(name: str) -> str:
    """Return a name that an origin or a key may have.

    Raises:
        NoteDamaged: it has spaces or a plus, is empty or very long.
    """
    if not _NAME.fullmatch(name):
        raise NoteDamaged(f"{name!r} cannot name a key")
    return name


class Signer(Protocol):
    """Signs in the name of one key, which it shows."""

    @property
    def key(self) -> VerifierKey:
        """What checks its signatures."""
        ...

    def sign(self, text: str) -> Note:
        """Return the text with its signature."""
        ...
