"""The index of the cache: which content was got by which key, and in which order contents were used.

    k ‖ key                → what is stored
    b ‖ digest             → size, last use, and the keys that name it, at most `MOST_KEYS`
    u ‖ last use ‖ digest  → size, in the order in which contents are let go of
    t                      → the bytes of all contents

It stands on any `Store`; a row that cannot be read is as good as none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import attrs
import orjson

from lading.domain import caching
from lading.domain.caching import Room, Stored
from lading.domain.ports import Reader, Store, Transaction
from lading.domain.validators import Validator

_TOTAL = b"t"
_FIELDS = tuple(field.name for field in attrs.fields(Validator))


class _Content(NamedTuple):
    size: int
    used_ns: int
    keys: tuple[str, ...]


class Index:
    """What a store knows of the contents of a cache; every method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, key: str) -> Stored | None:
        """Return what was got under a key, if its content is still known."""
        with self._store.read() as reader:
            stored = _stored(reader.get(_of_key(key)))
            return stored if stored is not None and _content(reader, stored.digest) is not None else None

    def having(self, digest: str) -> Stored | None:
        """Return the content of a digest."""
        with self._store.read() as reader:
            content = _content(reader, digest)
        return None if content is None else Stored(digest=digest, size=content.size)

    def is_empty(self) -> bool:
        """Tell whether no content is known."""
        with self._store.read() as reader:
            return next(iter(reader.scan(b"b")), None) is None

    def touch(self, digest: str, now_ns: int) -> None:
        """Note that a content was used."""
        with self._store.write() as rows:
            content = _content(rows, digest)
            if content is not None:
                _put(rows, digest, content, content._replace(used_ns=max(now_ns, content.used_ns)))

    def add(self, key: str, stored: Stored, room: Room) -> list[str]:
        """Note what was got under a key, and return the digests that were let go of, since it is too much."""
        with self._store.write() as rows:
            before = _content(rows, stored.digest)
            keys = tuple(name for name in (before.keys if before else ()) if name != key)
            for forgotten in keys[: -caching.MOST_KEYS + 1]:
                rows.delete(_of_key(forgotten))
            keys = (*keys[-caching.MOST_KEYS + 1 :], key)
            rows.put(_of_key(key), _words(stored))
            _put(rows, stored.digest, before, _Content(stored.size, stored.stored_ns, keys))
            gone = list(caching.excess(_total(rows), room, _by_use(rows)))
            _let_go(rows, gone)
        return gone

    def let_go(self, digest: str) -> None:
        """Forget a content, and the keys that name it."""
        with self._store.write() as rows:
            _let_go(rows, [digest])

    def evict(self, most_bytes: int) -> list[tuple[str, int]]:
        """Forget what was used least lately until there are not more bytes than that; return it, with its sizes."""
        gone: list[tuple[str, int]] = []
        with self._store.write() as rows:
            total = _total(rows)
            for digest, size in _by_use(rows):
                if total <= most_bytes:
                    break
                total -= size
                gone.append((digest, size))
            _let_go(rows, [digest for digest, _ in gone])
        return gone


def _of_key(key: str) -> bytes:
    return b"k" + key.encode()


def _of_use(digest: str, content: _Content) -> bytes:
    return b"u" + max(0, content.used_ns).to_bytes(8) + digest.encode()


def _words(stored: Stored) -> bytes:
    words = attrs.asdict(stored, recurse=True)
    return orjson.dumps(words)


def _stored(row: bytes | None) -> Stored | None:
    try:
        words: dict[str, Any] = orjson.loads(row or b"{}")
        validator = Validator(**{name: words["validator"][name] for name in _FIELDS})
        return Stored(**{**words, "validator": validator})
    except (ValueError, KeyError, TypeError):
        return None


def _content(reader: Reader, digest: str) -> _Content | None:
    try:
        size, used_ns, keys = orjson.loads(reader.get(b"b" + digest.encode()) or b"[]")
        return _Content(int(size), int(used_ns), tuple(keys))
    except (ValueError, TypeError):
        return None


def _total(reader: Reader) -> int:
    return int.from_bytes(reader.get(_TOTAL) or b"")


def _by_use(reader: Reader) -> Iterator[tuple[str, int]]:
    """Yield contents with their sizes, the one first that was used least lately."""
    for row, size in reader.scan(b"u"):
        yield row[9:].decode(), int.from_bytes(size)


def _put(rows: Transaction, digest: str, before: _Content | None, after: _Content) -> None:
    if before is not None:
        rows.delete(_of_use(digest, before))
    rows.put(b"b" + digest.encode(), orjson.dumps(list(after)))
    rows.put(_of_use(digest, after), after.size.to_bytes(8))
    _count(rows, after.size - (before.size if before else 0))


def _let_go(rows: Transaction, digests: Iterable[str]) -> None:
    for digest in digests:
        content = _content(rows, digest)
        if content is not None:
            rows.delete(b"b" + digest.encode())
            rows.delete(_of_use(digest, content))
            for key in content.keys:
                stored = _stored(rows.get(_of_key(key)))
                if stored is not None and stored.digest == digest:
                    rows.delete(_of_key(key))
            _count(rows, -content.size)


def _count(rows: Transaction, more: int) -> None:
    rows.put(_TOTAL, max(0, _total(rows) + more).to_bytes(8))
