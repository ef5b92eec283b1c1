"""Where a caller's key is claimed: on a stream of its own, so that one key cannot name two downloads."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

KEYS = uuid5(NAMESPACE_URL, "lading:keys")


def key_stream(key: str) -> UUID:
    """Return the stream on which a caller's key is claimed: the same for every process and home."""
    return uuid5(KEYS, key)
