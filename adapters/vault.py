"""Where secrets lie: sealed under a key for each download, and these keys under the key of the home.

    HOME/vault/key    the home's key; made with the first secret, mode 0600, never overwritten
    the store         download id → format ‖ key id ‖ nonce ‖ wrapped key ‖ nonce ‖ sealed secrets ‖ CRC-32

Everything is AES-256-GCM with the download's id and the purpose as associated data, so that nothing can be moved from
one download to another. Forgetting a download deletes its wrapped key with what it seals. The checksum tells a damaged
record from one that another key sealed: the first is an error, the second a secret that this home does not have (it was
restored without its vault key, say).

Nothing is made or opened before there is a secret to keep: most homes never have a vault. What it protects is the log,
its exports and backups, not a stolen home: the key lies beside what it locks.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import struct
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lading.domain.errors import IntegrityError, StoreNewer, StoreUnavailable
from lading.domain.ports import Secrets, Store

KEY_FILE = "key"
PAGE = 1000
KEY_FORMAT = 1
RECORD_FORMAT = 1
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
HANDLE_DIGITS = 32

_KEY_HEADER = "lading-vault-key"
_HEAD = struct.Struct(f">B8s{NONCE_BYTES}s{KEY_BYTES + TAG_BYTES}s{NONCE_BYTES}s")
_CRC = struct.Struct(">I")


class HomeKey:
    """The key of one home, and what is derived from it (HKDF, RFC 5869); shows nothing of itself."""

    __slots__ = ("_handles", "id", "wrapping")

    def __init__(self, secret: bytes) -> None:
        self.id = _derive(secret, b"id", 8)
        self.wrapping = AESGCM(_derive(secret, b"wrapping", KEY_BYTES))
        self._handles = _derive(secret, b"handles", KEY_BYTES)

    def handle(self, url: str) -> str:
        """Return the name of a URL under this key."""
        digest = hmac.new(self._handles, url.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
        return f"v1:{digest[:HANDLE_DIGITS]}"


class SealedVault:
    """Keeps secrets in a store of its own; implements `lading.domain.ports.Vault`.

    Args:
        folder: where the home's key lies; made when there is the first secret.
        open_store: opens the store of the vault, given that folder; called at most once, and only when there is a key.
        draw: where random bytes come from; a simulation seeds it.
    """

    def __init__(
        self, folder: Path, open_store: Callable[[Path], Store], *, draw: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._folder = folder
        self._open_store = open_store
        self._draw = draw
        self._lock = threading.Lock()
        self._opened: tuple[HomeKey, Store] | None = None
        self._key: HomeKey | None = None
        self._closed = False

    def handle(self, url: str) -> str:
        """Return a name for a whole URL that does not tell it; makes the home's key if there is none yet.

        Raises:
            StoreUnavailable: the key cannot be made or read.
        """
        with self._lock:
            return self._home_key().handle(url)

    def keep(self, secrets: Sequence[tuple[UUID, Secrets]]) -> None:
        """Store the secrets of these downloads, durably, in one commit; what a download had before is replaced.

        Raises:
            StoreUnavailable, DiskFull: nothing was stored, and the message says why.
        """
        if not secrets:
            return
        key, store = self._open()
        sealed = [(download.bytes, self._seal(key, download, words)) for download, words in secrets]
        with store.write() as transaction:
            for name, record in sealed:
                transaction.put(name, record)

    def recall(self, download: UUID) -> Secrets | None:
        """Return the secrets of a download, or None when this home does not have them.

        Raises:
            IntegrityError: they are there, and damaged.
            StoreNewer: a newer Lading stored them.
            StoreUnavailable: the vault cannot be read.
        """
        opened = self._open_existing()
        if opened is None:
            return None
        key, store = opened
        with store.read() as reader:
            record = reader.get(download.bytes)
        return None if record is None else _unseal(key, download, record)

    def kept(self) -> Iterator[UUID]:
        """Yield the downloads of which there are secrets.

        Raises:
            StoreUnavailable, IntegrityError: the vault cannot be read.
        """
        opened = self._open_existing()
        after: bytes | None = None
        while opened is not None:
            with opened[1].read() as reader:
                page = list(islice(reader.scan(b"", start=after), PAGE))
            yield from (UUID(bytes=name) for name, _ in page if name != after)
            if len(page) < PAGE:
                return
            after = page[-1][0]

    def forget(self, download: UUID) -> None:
        """Delete the secrets of a download and the key that sealed them; without any, do nothing.

        The store may keep the freed pages readable until it reuses them or is compacted.

        Raises:
            StoreUnavailable: the vault cannot be written.
        """
        opened = self._open_existing()
        if opened is not None:
            with opened[1].write() as transaction:
                transaction.delete(download.bytes)

    def close(self) -> None:
        """Let go of the vault; a second call does nothing."""
        with self._lock:
            self._closed = True
            opened, self._opened, self._key = self._opened, None, None
        if opened is not None:
            opened[1].close()

    def _open(self) -> tuple[HomeKey, Store]:
        with self._lock:
            if self._opened is None:
                key = self._home_key()
                self._opened = (key, self._open_store(self._folder))
            return self._opened

    def _open_existing(self) -> tuple[HomeKey, Store] | None:
        missing = self._opened is None and not self._closed and _read_key(self._folder / KEY_FILE) is None
        return None if missing else self._open()

    def _home_key(self) -> HomeKey:
        if self._closed:
            raise StoreUnavailable("the vault is closed", hint="open the home again")
        if self._key is None:
            path = self._folder / KEY_FILE
            text = _read_key(path)
            if text is None:
                _make_key(path, self._draw(KEY_BYTES))
                text = _read_key(path)
            if text is None:
                raise StoreUnavailable(f"the key of the vault, {path}, was removed", hint="put it back from a backup")
            self._key = HomeKey(_parse_key(path, text))
        return self._key

    def _seal(self, key: HomeKey, download: UUID, secrets: Secrets) -> bytes:
        secret = self._draw(KEY_BYTES)
        wrap_nonce, seal_nonce = self._draw(NONCE_BYTES), self._draw(NONCE_BYTES)
        words = [secrets.urls, dict(secrets.headers), secrets.secret_path]
        record = _HEAD.pack(
            RECORD_FORMAT,
            key.id,
            wrap_nonce,
            key.wrapping.encrypt(wrap_nonce, secret, download.bytes + b"key"),
            seal_nonce,
        ) + AESGCM(secret).encrypt(
            seal_nonce, json.dumps(words, separators=(",", ":")).encode(), download.bytes + b"secrets"
        )
        return record + _CRC.pack(zlib.crc32(record))


def _unseal(key: HomeKey, download: UUID, record: bytes) -> Secrets | None:
    if len(record) < _HEAD.size + TAG_BYTES + _CRC.size or _CRC.unpack(record[-4:])[0] != zlib.crc32(record[:-4]):
        raise _damaged(download)
    form, key_id, wrap_nonce, wrapped, seal_nonce = _HEAD.unpack_from(record)
    if form != RECORD_FORMAT:
        raise StoreNewer(f"the vault holds a record of format {form}; this version reads {RECORD_FORMAT}")
    if key_id != key.id:
        return None
    try:
        secret = key.wrapping.decrypt(wrap_nonce, wrapped, download.bytes + b"key")
        words = AESGCM(secret).decrypt(seal_nonce, record[_HEAD.size : -4], download.bytes + b"secrets")
    except InvalidTag:
        raise _damaged(download) from None
    urls, headers, secret_path = json.loads(words)
    return Secrets(urls=tuple(urls), headers=headers, secret_path=secret_path)


def _damaged(download: UUID) -> IntegrityError:
    return IntegrityError(
        f"the secrets of download {download} are damaged in the vault", hint="add it again with its whole URL"
    )


def _derive(secret: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=b"lading vault v1 " + purpose).derive(secret)


def _read_key(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(
            f"the key of the vault, {path}, cannot be read: {error.strerror}", hint="check its owner and mode (0600)"
        ) from error


def _parse_key(path: Path, text: str) -> bytes:
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


def _make_key(path: Path, secret: bytes) -> None:
    """Put a new key at `path`, whole and durable, unless there is one already: a link never replaces."""
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync(folder.parent)
        descriptor, draft = tempfile.mkstemp(prefix=".key.", dir=folder)  # O_EXCL, mode 0600
        try:
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(_key_text(secret))
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its key is the home's
        finally:
            os.unlink(draft)
        _sync(folder)
    except OSError as error:
        raise StoreUnavailable(
            f"the key of the vault, {path}, cannot be made: {error.strerror}",
            hint="check that the home is a writable folder on a local disk with room",
        ) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
