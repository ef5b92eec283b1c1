"""Bytes as text: base64 (RFC 4648 §4), of which each sequence of bytes has one form and no other is taken."""

from __future__ import annotations

import base64
import binascii


def pack(data: bytes) -> str:
    """Return bytes as text."""
    return base64.b64encode(data).decode()


def unpack(text: object) -> bytes | None:
    """Return what was packed, or None where `pack` would not have made this."""
    if not isinstance(text, str):
        return None
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if pack(found) == text else None
