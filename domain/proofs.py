"""Proofs that an entry is in a ledger, as C2SP has them (c2sp.org/tlog-proof): text that programs of others can check.

    c2sp.org/tlog-proof@v1
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
    … (one hash a line, lowest first)

    and the signed checkpoint, verbatim

Many proofs under one checkpoint have all but their heads in common: up to the empty line, and with it. So a head is
kept of each, and the checkpoint once; put together they are the whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lading.domain.ledger import HASH_BYTES, LONGEST_PATH
from lading.domain.packing import pack, unpack

MAGIC = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)


def head(index: int, path: Sequence[bytes]) -> str:
    """Return the head of the proof that stands for a path of hashes, up to the checkpoint."""
    return "".join(f"{line}\n" for line in (MAGIC, f"index {index}", *map(pack, path), ""))


def read_head(text: object) -> tuple[int, tuple[bytes, ...]] | None:
    """Return index and path of a head, or None where `head` would not have made this."""
    if not isinstance(text, str):
        return None
    magic, _, rest = text.partition("\n")
    index, *hashes = rest.split("\n", LONGEST_PATH + 3)
    found = _INDEX.fullmatch(index)
    if magic != MAGIC or found is None or len(hashes) > LONGEST_PATH + 2 or hashes[-2:] != ["", ""]:
        return None
    path = tuple(map(unpack, hashes[:-2]))
    if any(step is None or len(step) != HASH_BYTES for step in path):
        return None
    return int(found[1]), tuple(step for step in path if step is not None)
