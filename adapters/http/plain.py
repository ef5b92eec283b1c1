"""What is plain in HTTP/1.1, written and read in one pass: nearly every question, and the head of nearly every answer.

h11 knows the whole protocol, and whoever strays from it; for a small file, that is a good part of all work. So what
looks exactly as it should is taken care of here, by a few expressions that are narrower than h11's: visible characters,
lines that end in CRLF, one length in digits or chunks and nothing else. Whatever does not match is None, and h11's:
its word is the last on everything that could be doubtful. A test holds this room against h11 for any bytes: what is
taken here, h11 takes alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

Fields = Sequence[tuple[bytes, bytes]]
"""The fields of a head: names and values."""

_TARGET = re.compile(rb"/[!-~]*")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[!-~](?:[ -~]*[!-~])?")
_STATUS = re.compile(rb"HTTP/1\.1 ([2-9][0-9]{2}) ([ -~]*)\r\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([ -~]*)\r\n")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_APART = 3
"""The bytes of a line that are neither name nor value: a colon and a line's end."""


class Plain(NamedTuple):
    """The head of an answer in HTTP/1.1 that is not an interim one; names are in lower case. `size` is the head's."""

    status: int
    reason: bytes
    fields: list[tuple[bytes, bytes]]
    size: int


def question(target: bytes, fields: Fields) -> bytes | None:
    """Return a GET without content as it goes over the wire, `Host` first among its fields; None if it is not plain."""
    if not _TARGET.fullmatch(target):
        return None
    lines = [b"GET ", target, b" HTTP/1.1\r\n"]
    for name, value in fields:
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            return None
        lines += (name, b": ", value, b"\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


def answer(held: bytes) -> Plain | None:
    """Return the head with which `held` begins; None if it is not plain, or not all there."""
    end = held.find(b"\r\n\r\n") + 2
    first = _STATUS.match(held)
    if end < 2 or first is None:
        return None
    block = held[first.end() : end]
    found = _FIELD.findall(block)
    fields = [(name.lower(), value.strip(b" ")) for name, value in found]
    if sum(len(name) + len(value) + _APART for name, value in found) != len(block):
        return None
    framing = [(name, value) for name, value in fields if name in {b"content-length", b"transfer-encoding"}]
    if len(framing) > 1 or not all(_is_plain(name, value) for name, value in framing):
        return None
    return Plain(int(first[1]), first[2], fields, end + 2)


def _is_plain(name: bytes, value: bytes) -> bool:
    return bool(_LENGTH.fullmatch(value)) if name == b"content-length" else value == b"chunked"
