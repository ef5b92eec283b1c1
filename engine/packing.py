"""How events and secrets lie in a backup: one after the other, in compressed frames of about a mebibyte.

    frame    length of what is compressed (u32) ‖ length of it unpacked (u32) ‖ items in it (u32) ‖ zlib
    item     length (u32) ‖ bytes
    event    stream (16) ‖ version (u64) ‖ length of the topic (u16) ‖ topic ‖ state, sealed as every log keeps it
    secret   length of the key (u16) ‖ key ‖ value, sealed as the vault keeps it

All numbers are big-endian. An event has no position here: its place in the row is its ordinal, which is the same in
every log. So what was backed up from one kind of log can be restored into any other.

Whoever unpacks holds a frame at a time, and no frame is longer than `FRAME_BYTES_MAX`, whatever it says of itself.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from uuid import UUID

from lading.domain.errors import BackupDamaged
from lading.domain.ports import Entry, Recorded

FRAME_BYTES = 1024 * 1024
FRAME_BYTES_MAX = 64 * 1024 * 1024
LEVEL = 1  # of zlib: the log is JSON, of which the first level takes four fifths away
_FRAME = struct.Struct(">III")
_LENGTH = struct.Struct(">I")
_EVENT = struct.Struct(">16sQH")
_KEY = struct.Struct(">H")


def pack(items: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the frames that hold these items."""
    held: list[bytes] = []
    size = 0
    for item in items:
        held += (_LENGTH.pack(len(item)), item)
        size += _LENGTH.size + len(item)
        if size >= FRAME_BYTES:
            yield _frame(held, size)
            held, size = [], 0
    if held:
        yield _frame(held, size)


def _frame(held: list[bytes], size: int) -> bytes:
    if size > FRAME_BYTES_MAX:
        raise ValueError(f"an item of {size} bytes is longer than a frame can be")
    packed = zlib.compress(b"".join(held), LEVEL)
    return _FRAME.pack(len(packed), size, len(held) // 2) + packed


def unpack(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the items of the frames that lie in these chunks, however those are cut.

    Raises:
        BackupDamaged: they hold no frames, or not whole ones.
    """
    source = _Source(chunks)
    while head := source.take(_FRAME.size, may_end=True):
        length, size, count = _FRAME.unpack(head)
        if max(length, size) > FRAME_BYTES_MAX:
            raise BackupDamaged(f"a frame in the backup claims {max(length, size)} bytes, more than any has")
        yield from _items(source.take(length), size, count)


def _items(packed: bytes, size: int, count: int) -> list[bytes]:
    inflating = zlib.decompressobj()
    try:
        data = inflating.decompress(packed, size + 1)
    except zlib.error as error:
        raise BackupDamaged("a frame in the backup cannot be unpacked") from error
    if len(data) != size or not inflating.eof or inflating.unused_data:
        raise BackupDamaged("a frame in the backup is not as long as it says")
    items, at = [], 0
    while at < size:
        start = at + _LENGTH.size
        at = start + int.from_bytes(data[at:start], "big")
        items.append(data[start:at])
    if at != size or len(items) != count:
        raise BackupDamaged("a frame in the backup does not hold what it says")
    return items


class _Source:
    """Chunks, read in pieces of other lengths; as much is held as is asked for at once, and one chunk."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""
        self._at = 0

    def take(self, count: int, *, may_end: bool = False) -> bytes:
        """Return so many bytes; none where everything has been read and it `may_end` there."""
        parts: list[bytes] = []
        while count:
            if self._at == len(self._held):
                self._held, self._at = next(self._chunks, b""), 0
                if not self._held:
                    if may_end and not parts:
                        return b""
                    raise BackupDamaged("the backup ends in the midst of a frame")
            part = self._held[self._at : self._at + count]
            parts.append(part)
            self._at += len(part)
            count -= len(part)
        return b"".join(parts)


def pack_event(recorded: Recorded) -> bytes:
    """Return an event as an item."""
    _, stream, version, topic, state = recorded
    name = topic.encode()
    return _EVENT.pack(stream.bytes, version, len(name)) + name + state


def unpack_event(item: bytes) -> Entry:
    """Read back what `pack_event` made.

    Raises:
        BackupDamaged: it is not that.
    """
    try:
        stream, version, length = _EVENT.unpack_from(item)
        end = _EVENT.size + length
        if end > len(item):
            raise ValueError("its topic is cut off")
        return Entry(UUID(bytes=stream), version, item[_EVENT.size : end].decode(), item[end:])
    except (struct.error, ValueError) as error:
        raise BackupDamaged("an event in the backup cannot be read") from error


def pack_secret(key: bytes, value: bytes) -> bytes:
    """Return a row of the vault as an item."""
    return _KEY.pack(len(key)) + key + value


def unpack_secret(item: bytes) -> tuple[bytes, bytes]:
    """Read back what `pack_secret` made.

    Raises:
        BackupDamaged: it is not that.
    """
    end = _KEY.size + int.from_bytes(item[: _KEY.size], "big")
    if not _KEY.size < end <= len(item):
        raise BackupDamaged("a secret in the backup cannot be read")
    return item[_KEY.size : end], item[end:]
