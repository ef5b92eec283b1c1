"""Who signs checkpoints: an Ed25519 key (RFC 8032) that is made at first use and never leaves the home.

    keys/signing        the private key, mode 0600, never overwritten
    keys/signing.pub    what checks its signatures: verifier keys of c2sp.org/signed-note, a line each, to be given to
                        others; those of keys that this home had before stay in it

Whoever has the private key can sign a history that never was. So it stays out of backups unless asked, and what is to
be believed against the owner of this home himself is anchored outside of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lading.adapters import durable
from lading.adapters.plain_files import open_plain
from lading.domain.errors import StoreNewer, StoreUnavailable
from lading.domain.notes import KEY_BYTES, Note, Signature, VerifierKey, check_name

PRIVATE, PUBLIC = "signing", "signing.pub"
LONGEST_BYTES = 1024 * 1024
_HEADER, _FORMAT = "lading-signing-key", "1"


class FileSigner:
    """Signs with the key in `folder`, which is made when there is none; implements `lading.domain.notes.Signer`.

    Args:
        folder: where it lies.
        name: in whose name it signs; of a checkpoint that is its origin.
        draw: where random bytes come from.

    Raises:
        StoreUnavailable: the key cannot be made or read.
        StoreNewer: a newer Lading made it.
    """

    def __init__(self, folder: Path, name: str, *, draw: Callable[[int], bytes] = os.urandom) -> None:
        path = folder / PRIVATE
        text = _read(path)
        if text is None:  # the public half comes first: one without the other half harms nobody
            secret = draw(KEY_BYTES)
            _publish(folder, _verifier(name, secret))
            _write(path, _key_text(secret), mode=0o600, replace=False)
            text = _read(path)
        if text is None:
            raise StoreUnavailable(f"the signing key {path} was removed", hint="put it back from a backup")
        secret = _parse(path, text)
        self._private = Ed25519PrivateKey.from_private_bytes(secret)
        self._key = _verifier(name, secret)
        _publish(folder, self._key)

    @property
    def key(self) -> VerifierKey:
        """What checks its signatures."""
        return self._key

    def sign(self, text: str) -> Note:
        """Return the text with its signature."""
        return Note(text, (Signature(self._key.name, self._key.id, self._private.sign(text.encode())),))

    def sign_bytes(self, data: bytes) -> bytes:
        """Return the signature (64 bytes) over anything else."""
        return self._private.sign(data)


def is_signed(note: Note, keys: Iterable[VerifierKey]) -> bool:
    """Tell whether a note was signed with the private half of one of these keys."""
    for key in keys:
        signature = note.signed_by(key)
        if signature is not None and verifies(key, signature, note.text.encode()):
            return True
    return False


def verifies(key: VerifierKey, signature: bytes, data: bytes) -> bool:
    """Tell whether a signature over data was made with the private half of a key."""
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_keys(folder: Path) -> tuple[VerifierKey, ...]:
    """Return what checks the signatures of a home, the latest key last; nothing where nothing was ever signed.

    Raises:
        StoreUnavailable: they cannot be read.
        NoteDamaged: these are no keys.
    """
    text = _read(folder / PUBLIC)
    return tuple(VerifierKey.parse(line) for line in (text or "").splitlines() if line.strip())


def read_private(folder: Path) -> bytes | None:
    """Return the public half of the key that signs, None where there is none.

    Raises:
        StoreUnavailable, StoreNewer: it cannot be read.
    """
    path = folder / PRIVATE
    text = _read(path)
    if text is None:
        return None
    return Ed25519PrivateKey.from_private_bytes(_parse(path, text)).public_key().public_bytes_raw()


def _verifier(name: str, secret: bytes) -> VerifierKey:
    return VerifierKey(check_name(name), Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw())


def _publish(folder: Path, key: VerifierKey) -> None:
    """Have a key among those that check the signatures of the home, as the latest."""
    known = read_keys(folder)
    if key not in known:
        _write(folder / PUBLIC, "".join(f"{each}\n" for each in (*known, key)), mode=0o644, replace=True)


def _key_text(secret: bytes) -> str:
    """Return what the file of a private key says, with a checksum that tells nothing of it."""
    checksum = hashlib.sha256(b"lading signing key checksum " + secret).hexdigest()[:16]
    return f"{_HEADER} {_FORMAT} {secret.hex()} {checksum}\n"


def _read(path: Path) -> str | None:
    try:
        with open_plain(path) as file:
            return file.read(LONGEST_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(
            f"the signing key {path} cannot be read: {error.strerror}", hint="check its owner and mode"
        ) from error


def _parse(path: Path, text: str) -> bytes:
    header, form, digits = (*text.split(), "", "", "")[:3]
    if header == _HEADER and form.isdecimal() and int(form) > int(_FORMAT):
        raise StoreNewer(f"the signing key {path} has format {form}; this version reads {_FORMAT}")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES or text != _key_text(secret):
        raise StoreUnavailable(
            f"the signing key {path} is damaged; it was left as it is",
            hint="put it back from a backup; or move it away, and tell those who check checkpoints of the new key",
        )
    return secret


def _write(path: Path, text: str, *, mode: int, replace: bool) -> None:
    try:
        durable.put(path, text, mode=mode, replace=replace)
    except OSError as error:
        raise StoreUnavailable(
            f"the signing key {path} cannot be made: {error.strerror}",
            hint="check that the home is a writable folder on a local disk with room",
        ) from error
