"""Where secrets lie: sealed under a key for each download, and these keys under the key of the home.

    HOME/vault/key    the home's key
    the store         download id → format ‖ key id ‖ nonce ‖ wrapped key ‖ nonce ‖ sealed secrets ‖ CRC-32

Everything is AES-256-GCM with the download's id and the purpose as associated data, so that nothing can be moved from
one download to another. Forgetting a download deletes its wrapped key with what it seals, and writes the store anew, so
that neither is left in a page that the store has freed. The checksum tells a damaged
record from one that another key sealed: the first is an error, the second a secret that this home does not have (it was
restored without its vault key, say).

Nothing is made or opened before there is a secret to keep: most homes never have a vault. What it protects is the log,
its exports and backups, not a stolen home: the key lies beside what it locks.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lading.adapters.vault.home_key import KEY_BYTES, HomeKey, make_key, parse_key, read_key
from lading.adapters.vault.strongroom import Strongroom
from lading.domain.errors import IntegrityError, StoreNewer, StoreUnavailable
from lading.domain.ports import Secrets, Store

KEY_FILE = "key"
PAGE = 1000
RECORD_FORMAT = 1
NONCE_BYTES = 12
TAG_BYTES = 16

_HEAD = struct.Struct(f">B8s{NONCE_BYTES}s{KEY_BYTES + TAG_BYTES}s{NONCE_BYTES}s")
_CRC = struct.Struct(">I")


class SealedVault:
    """Keeps secrets in a store of its own; implements `lading.domain.ports.Vault`.

    Args:
        folder: where the home's key lies; made when there is the first secret.
        open_store: opens a store in a folder; called only when there is a key.
        draw: where random bytes come from; a simulation seeds it.
    """

    def __init__(
        self, folder: Path, open_store: Callable[[Path], Store], *, draw: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._folder = folder
        self._room = Strongroom(folder, open_store)
        self._draw = draw
        self._lock = threading.Lock()
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
        key = self._existing(make=True)
        assert key is not None, "it was made"
        sealed = [(download.bytes, self._seal(key, download, words)) for download, words in secrets]
        with self._room.inside() as store, store.write() as transaction:
            for name, record in sealed:
                transaction.put(name, record)

    def exchange(self, download: UUID, before: Secrets | None, after: Secrets | None) -> bool:
        """Put `after` in the place of `before`, durably, if that is what there is; tell whether it was.

        None is nothing, or what cannot be read any more.

        Raises:
            StoreUnavailable, DiskFull: nothing was stored, and the message says why.
        """
        key = self._existing(make=after is not None)
        if key is None:
            return before is None
        with self._room.inside() as store, store.write() as transaction:
            if _readable(key, download, transaction.get(download.bytes)) != before:
                return False
            if after is not None:
                transaction.put(download.bytes, self._seal(key, download, after))
            else:
                transaction.delete(download.bytes)
        return True

    def recall(self, download: UUID) -> Secrets | None:
        """Return the secrets of a download, or None when this home does not have them.

        Raises:
            IntegrityError: they are there, and damaged.
            StoreNewer: a newer Lading stored them.
            StoreUnavailable: the vault cannot be read.
        """
        key = self._existing()
        if key is None:
            return None
        with self._room.inside() as store, store.read() as reader:
            record = reader.get(download.bytes)
        return None if record is None else _unseal(key, download, record)

    def kept(self) -> Iterator[UUID]:
        """Yield the downloads of which there are secrets.

        Raises:
            StoreUnavailable, IntegrityError: the vault cannot be read.
        """
        after: bytes | None = None
        while self._existing() is not None:
            with self._room.inside() as store, store.read() as reader:
                page = list(islice(reader.scan(b"", start=after), PAGE))
            yield from (UUID(bytes=name) for name, _ in page if name != after)
            if len(page) < PAGE:
                return
            after = page[-1][0]

    def forget(self, downloads: Sequence[UUID]) -> None:
        """Delete the secrets of these downloads and the keys that sealed them, and write the vault anew without them.

        What it costs goes by the size of the vault, however few they are. Where an earlier call was cut off, another
        finishes what that began.

        Raises:
            StoreUnavailable, DiskFull: some of it may be left, and the message says why.
        """
        if self._existing() is None:
            return
        with self._room.inside() as store, store.write() as transaction:
            for download in downloads:
                transaction.delete(download.bytes)
        self._room.write_anew()

    def close(self) -> None:
        """Let go of the vault; a second call does nothing."""
        with self._lock:
            self._closed, self._key = True, None
        self._room.close()

    def _existing(self, *, make: bool = False) -> HomeKey | None:
        """Return the home's key; without `make`, None where there is none."""
        with self._lock:
            if not make and self._key is None and not self._closed and read_key(self._folder / KEY_FILE) is None:
                return None
            return self._home_key()

    def _home_key(self) -> HomeKey:
        if self._closed:
            raise StoreUnavailable("the vault is closed", hint="open the home again")
        if self._key is None:
            path = self._folder / KEY_FILE
            text = read_key(path)
            if text is None:
                make_key(path, self._draw(KEY_BYTES))
                text = read_key(path)
            if text is None:
                raise StoreUnavailable(f"the key of the vault, {path}, was removed", hint="put it back from a backup")
            self._key = HomeKey(parse_key(path, text))
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


def _readable(key: HomeKey, download: UUID, record: bytes | None) -> Secrets | None:
    """Return what a record tells, None where it tells nothing any more."""
    try:
        return None if record is None else _unseal(key, download, record)
    except IntegrityError:
        return None


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
