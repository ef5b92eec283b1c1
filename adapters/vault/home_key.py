"""The key of a home: made once, with the first secret, for its owner only, and never overwritten.

What is used is derived from it (HKDF, RFC 5869): an id, by which a record tells which key it was sealed by; the key
that wraps those of the downloads; and the key of handles, by which a URL has a name that does not tell it.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lading.adapters import durable
from lading.domain.errors import StoreNewer, StoreUnavailable

KEY_FORMAT = 1
KEY_BYTES = 32
HANDLE_DIGITS = 32

_KEY_HEADER = "lading-vault-key"


class HomeKey:
    """The key of one home, and what is derived from it; shows nothing of itself."""

    __slots__ = ("_handles", "id", "wrapping")

    def __init__(self, secret: bytes) -> None:
        self.id = _derive(secret, b"id", 8)
        self.wrapping = AESGCM(_derive(secret, b"wrapping", KEY_BYTES))
        self._handles = _derive(secret, b"handles", KEY_BYTES)

    def handle(self, url: str) -> str:
        """Return the name of a URL under this key."""
        digest = hmac.new(self._handles, url.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
        return f"v1:{digest[:HANDLE_DIGITS]}"


def _derive(secret: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=b"lading vault v1 " + purpose).derive(secret)


def read_key(path: Path) -> str | None:
    """Return what the file of the key has, None where there is none.

    Raises:
        StoreUnavailable: it cannot be read.
    """
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(
            f"the key of the vault, {path}, cannot be read: {error.strerror}", hint="check its owner and mode (0600)"
        ) from error


def parse_key(path: Path, text: str) -> bytes:
    """Return the key that the file tells.

    Raises:
        StoreNewer: a later version made it.
        StoreUnavailable: it is damaged.
    """
    header, form, digits = (*text.split(), "", "", "")[:3]
    if header == _KEY_HEADER and form.isdecimal() and int(form) > KEY_FORMAT:
        raise StoreNewer(f"the key of the vault, {path}, has format {form}; this version reads {KEY_FORMAT}")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES or text != _key_text(secret):
        raise StoreUnavailable(
            f"the key of the vault, {path}, is damaged; it was left as it is",
            hint="put it back from a backup; or move it away: what it sealed is lost then, and new secrets work",
        )
    return secret


def _key_text(secret: bytes) -> str:
    return f"{_KEY_HEADER} {KEY_FORMAT} {secret.hex()} {_derive(secret, b'checksum', 8).hex()}\n"


def make_key(path: Path, secret: bytes) -> None:
    """Put a new key at `path`, whole and durable, unless there is one already: a link never replaces.

    Raises:
        StoreUnavailable: it cannot be made.
    """
    try:
        durable.put(path, _key_text(secret))
    except OSError as error:
        raise StoreUnavailable(
            f"the key of the vault, {path}, cannot be made: {error.strerror}",
            hint="check that the home is a writable folder on a local disk with room",
        ) from error
