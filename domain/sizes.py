"""Sizes as people write them; a kilo is 1024, as in curl and aria2."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse(text: str) -> int | None:
    """Return the bytes that `2M`, `1.5GiB` or `4096` mean, or None when it is no size."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    return int(float(match[1]) * 1024 ** _POWERS[(match[2] or "").lower()])
