r"""How one event lies in the log: a short header, its stream, its state, and a checksum.

    format u8 | kind u8 | stream length u16 | topic u32 | version u64 | stream | state | CRC32 u32
    \\____________________ big-endian ____________________/                     \\ little-endian

`kind` says whether the stream is a UUID (16 bytes) or text (UTF-8). `topic` is the number that the table of topics
gave to the topic's name. The state is opaque here: time, event id and metadata live inside it. The CRC32 covers
everything before it and is stored with its low byte first, because the CRC32 of a message followed by its own CRC32
in that order is one constant: a reader checks a whole record with one call and no slicing. LMDB itself notices no
damaged payload.

Keys sort by stream, then by version, so that a stream is one range. A stream's prefix can never be the beginning of
another's: a UUID has a fixed length, text carries its length, and text too long for a key goes by its SHA-256.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID
from zlib import crc32

from lading.domain.errors import LogDamaged, StoreNewer

RECORD_FORMAT = 1
UUID_KIND = 0
TEXT_KIND = 1

CRC_MISFIT = "its checksum does not fit its bytes"
CRC_RESIDUE = 0x2144DF1C  # CRC32 of any message ‖ its little-endian CRC32
SHORTEST = 20  # bytes of a record: header and CRC
LONGEST_TEXT_KEY = 480  # bytes; LMDB takes keys of at most 511

_HEADER = struct.Struct(">BBHIQ")
_UUID_HEADER = struct.Struct(">BBHIQ16s")
_CRC = struct.Struct("<I")
_NUMBER = struct.Struct(">Q")
_UUID_MARK = bytes((UUID_KIND, 0, 16))
"""What a record of a stream with a UUID has behind its format; `version` follows at 8, and the stream at 16."""


class UnknownTopic(LogDamaged):
    """A record names a topic by a number that is not (or, to this process, not yet) in the table of topics."""


Event = tuple[UUID | str, int, str, bytes]
"""An event to be put: stream, version, topic, state; `lading.domain.ports.Entry` is one."""

Row = tuple[int, UUID | str, int, str, bytes]
"""A decoded record: position, stream, version, topic, state."""

pack_number = _NUMBER.pack
"""A position or a version (0 to 2⁶⁴−1) as the eight big-endian bytes under which it sorts."""


def number(packed: bytes) -> int:
    """Return the position or version that eight big-endian bytes hold."""
    return int.from_bytes(packed, "big")


def stream_prefix(stream: UUID | str) -> bytes:
    """Return what the keys of a stream's versions begin with, and those of no other stream."""
    if isinstance(stream, UUID):
        return b"\x00" + stream.bytes
    text = stream.encode()
    if len(text) <= LONGEST_TEXT_KEY:
        return b"\x01" + len(text).to_bytes(2, "big") + text
    return b"\x02" + hashlib.sha256(text).digest()


def encode(events: Iterable[Event], topics: Mapping[str, int]) -> tuple[list[bytes], list[bytes]]:
    """Return the events' keys in the index, and their records.

    Args:
        events: fastest when those of one stream follow each other.
        topics: the topics' numbers by name.
    """
    keys: list[bytes] = []
    records: list[bytes] = []
    add_key, add_record, pack_head, pack_crc = keys.append, records.append, _HEADER.pack, _CRC.pack
    prefix, packed, kind, previous = b"", b"", TEXT_KIND, None
    for stream, version, topic, state in events:
        if stream is not previous:
            previous, prefix = stream, stream_prefix(stream)
            packed, kind = (stream.bytes, UUID_KIND) if isinstance(stream, UUID) else (stream.encode(), TEXT_KIND)
        body = pack_head(RECORD_FORMAT, kind, len(packed), topics[topic], version) + packed + state
        add_key(prefix + pack_number(version))
        add_record(body + pack_crc(crc32(body)))
    return keys, records


def choose(items: Iterable[tuple[bytes, bytes]], topic_codes: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    """Return those of (packed position, record) pairs whose topic has one of these codes.

    Raises:
        LogDamaged: any of the records is not what was stored: its topic cannot be believed.
    """
    chosen: list[tuple[bytes, bytes]] = []
    for item in items:
        if crc32(item[1]) != CRC_RESIDUE or len(item[1]) < SHORTEST:
            raise damaged(item[0], CRC_MISFIT)
        if item[1][4:8] in topic_codes:
            chosen.append(item)
    return chosen


def topic_code(topic: int) -> bytes:
    """Return a topic's number as records carry it."""
    return topic.to_bytes(4, "big")


def decode(items: Iterable[tuple[bytes, bytes]], topics: Sequence[str]) -> list[Row]:
    """Return the rows of (packed position, record) pairs, each checked against its CRC.

    Args:
        items: as a cursor over the log yields them.
        topics: the topics' names by number.

    Raises:
        LogDamaged: a record is not what was stored; the message names its position.
        StoreNewer: a record of a later format.
    """
    rows: list[Row] = []
    streams: dict[bytes, UUID] = {}
    unpack, add, seen = _UUID_HEADER.unpack_from, rows.append, streams.get
    for key, record in items:
        if crc32(record) != CRC_RESIDUE or len(record) < SHORTEST:
            raise damaged(key, CRC_MISFIT)
        if record[1] != UUID_KIND or record[0] != RECORD_FORMAT:
            add(_decode_text(key, record, topics))
            continue
        _, _, _, topic, version, packed = unpack(record)
        stream = seen(packed)
        if stream is None:
            stream = streams[packed] = UUID(bytes=packed)
        try:
            add((int.from_bytes(key, "big"), stream, version, topics[topic], record[32:-4]))
        except IndexError:
            raise _unknown_topic(key, topic) from None
    return rows


def _decode_text(key: bytes, record: bytes, topics: Sequence[str]) -> Row:
    kind, length, topic, version = _HEADER.unpack_from(record)[1:]
    if record[0] != RECORD_FORMAT:
        raise StoreNewer(
            f"the record at position {number(key)} has format {record[0]}, this program reads {RECORD_FORMAT}"
        )
    if kind != TEXT_KIND:
        raise damaged(key, f"its stream is of the unknown kind {kind}")
    if topic >= len(topics):
        raise _unknown_topic(key, topic)
    end = _HEADER.size + length
    return number(key), record[_HEADER.size : end].decode(), version, topics[topic], record[end:-4]


def is_whole(record: bytes) -> bool:
    """Tell whether a record is what was stored."""
    return crc32(record) == CRC_RESIDUE and len(record) >= SHORTEST


def index_key(record: bytes) -> bytes:
    """Return the key under which the index has (or a snapshot is) this record, which is whole.

    Raises:
        ValueError: its stream is text, and not UTF-8.
    """
    if record[1:4] == _UUID_MARK:
        return b"\x00" + record[_HEADER.size : _UUID_HEADER.size] + record[8:16]
    kind, length, _, version = _HEADER.unpack_from(record)[1:]
    stream = record[_HEADER.size : _HEADER.size + length]
    prefix = b"\x00" + stream if kind == UUID_KIND else stream_prefix(stream.decode())
    return prefix + pack_number(version)


def damaged(key: bytes, why: str) -> LogDamaged:
    """Return the error that names the damaged record's position (for a snapshot, which has none: its key)."""
    return LogDamaged(f"{_name(key)} is damaged: {why}")


def _name(key: bytes) -> str:
    return f"the record at position {number(key)}" if len(key) == _NUMBER.size else f"the snapshot {key.hex()}"


def _unknown_topic(key: bytes, topic: int) -> UnknownTopic:
    return UnknownTopic(f"{_name(key)} is damaged: its topic has the unknown number {topic}")
