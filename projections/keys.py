"""Key bytes: values laid out so that the byte order of keys is the order that a question asks for.

Every view owns one letter and puts its own second letter after it, one for each of its indexes, so that all views live
in one ordered store without knowing of each other. After these two bytes come the parts of the key: numbers as
big-endian words, text with its length in front, so that no value of one part can be taken for the next.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

LONGEST_TEXT_BYTES = 127
LONGEST_WORD_BYTES = 64
RANK_BYTES = 12
_U64 = struct.Struct(">Q")
_LENGTHS = [bytes((length,)) for length in range(256)]
_RANK = struct.Struct(">IQ")
_PRIORITY_MAX = 2**31 - 1
_PRIORITY_MIN = -(2**31)
_LATEST = 2**64 - 1

number: Callable[[int], bytes] = _U64.pack
"""Return an integer from 0 to 2⁶⁴−1 so that a greater one comes later."""


def read_number(data: bytes) -> int:
    """Read back what `number` made."""
    value: int = _U64.unpack(data)[0]
    return value


def newest_first(value: int) -> bytes:
    """Return `value` so that a greater one comes first."""
    return _U64.pack(_LATEST - value)


def text(value: str) -> bytes:
    """Return `value` as a part that no other text's part begins with; its SHA-256 stands for more than 127 bytes."""
    raw = value.encode()
    if len(raw) > LONGEST_TEXT_BYTES:
        return b"\xff" + hashlib.sha256(raw).digest()
    return _LENGTHS[len(raw)] + raw


def word(value: str) -> bytes:
    """Return a term of some vocabulary (a state, a cause, a reason), readable by `read_word`; cut at 64 bytes."""
    raw = value.encode()[:LONGEST_WORD_BYTES]
    return _LENGTHS[len(raw)] + raw


def read_word(data: bytes) -> str:
    """Read the word at the beginning of `data`."""
    return data[1 : 1 + data[0]].decode(errors="ignore")


def rank(priority: int, age: int) -> bytes:
    """Return the place in the order of running: higher priority first, then age; priorities end at 32 bits."""
    if not _PRIORITY_MIN <= priority <= _PRIORITY_MAX:
        priority = _PRIORITY_MAX if priority > 0 else _PRIORITY_MIN
    return _RANK.pack(_PRIORITY_MAX - priority, age)
