"""The ledger: a Merkle tree over everything that the log has, as RFC 6962 §2.1 makes one.

    entry = format (1 byte) ‖ stream (16) ‖ version (u64) ‖ topic ‖ SHA-256 of the state (32)
    leaf  = SHA-256(0x00 ‖ entry)
    node  = SHA-256(0x01 ‖ left ‖ right)

Leaves stand in the order of the log, each by its ordinal: how many events came before it. No position is hashed, and
nothing that a storage adds of its own, so that the same events have the same root wherever they lie. An entry commits
to the state as it is stored; who has an entry and its proof need not have the state.

Whoever keeps a tree gives it as `Subtree`: the hash of the complete subtree of 2^level leaves that is number `index` of
its level. All else follows from that: roots of any size that there ever was, and proofs that others can check with the
two `verify_…` here, or by any other implementation of RFC 6962 or RFC 9162.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

ENTRY_FORMAT = 1
HASH_BYTES = 32
EMPTY = hashlib.sha256().digest()
"""The root of a tree without leaves."""

LONGEST_PATH = 128
"""More hashes than any proof over 2⁶⁴ leaves can have; what is longer is not looked at."""

Subtree = Callable[[int, int], bytes]
"""Gives the hash of the complete subtree number `index` among those of 2^`level` leaves: `subtree(level, index)`."""

_FORMAT = bytes((ENTRY_FORMAT,))
_LEAF_FORMAT = b"\0" + _FORMAT
_sha256 = hashlib.sha256


def entry(stream: UUID, version: int, topic: str, state: bytes) -> bytes:
    """Return what a leaf commits to of one event."""
    return b"".join((_FORMAT, stream.bytes, version.to_bytes(8, "big"), topic.encode(), _sha256(state).digest()))


def leaf(stream: UUID, version: int, topic: str, state: bytes) -> bytes:
    """Return the leaf of one event."""
    return _sha256(
        b"".join((_LEAF_FORMAT, stream.bytes, version.to_bytes(8, "big"), topic.encode(), _sha256(state).digest()))
    ).digest()


def leaf_of(entry: bytes) -> bytes:
    """Return the leaf of an entry."""
    return _sha256(b"\0" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of what stands above two hashes."""
    return _sha256(b"\1" + left + right).digest()


def level_above(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes above an even number of them."""
    pairs = iter(hashes)
    return [_sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]


# -- roots and proofs --------------------------------------------------------------------------------------------------


def root(size: int, subtree: Subtree) -> bytes:
    """Return the root of the first `size` leaves."""
    return _span(0, size, subtree) if size else EMPTY


def inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that leaf `index` is among the first `size`, lowest hash first (RFC 6962 §2.1.1).

    Raises:
        ValueError: it is not.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not among the first {size}")
    start, end = 0, size
    path: list[bytes] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_span(middle, end, subtree))
            end = middle
        else:
            path.append(_span(start, middle, subtree))
            start = middle
    return path[::-1]


def consistency(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that the first `old` leaves are where the first `new` began (RFC 6962 §2.1.2).

    Raises:
        ValueError: the sizes are not in order, or `old` is 0, of which there is nothing to prove.
    """
    if not 0 < old <= new:
        raise ValueError(f"nothing can be proven of {old} leaves within {new}")
    start, end, is_whole = 0, new, True
    path: list[bytes] = []
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_span(middle, end, subtree))
            end = middle
        else:
            path.append(_span(start, middle, subtree))
            start, is_whole = middle, False
    if not is_whole:
        path.append(_span(start, end, subtree))
    return path[::-1]


def _split(leaves: int) -> int:
    """Return the largest power of two that is smaller than a number of leaves."""
    power: int = 1 << (leaves - 1).bit_length() - 1
    return power


def _span(start: int, end: int, subtree: Subtree) -> bytes:
    """Return the hash over the leaves from `start` up to `end`; a subtree of at least as many begins at `start`."""
    parts: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append(subtree(level, start >> level))
        start += 1 << level
    return _fold(parts)


def _fold(parts: Sequence[bytes]) -> bytes:
    """Return the hash over subtrees that grow smaller from left to right."""
    found = parts[-1]
    for part in reversed(parts[:-1]):
        found = node(part, found)
    return found


# -- what a third party checks -----------------------------------------------------------------------------------------


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Tell whether `path` proves `leaf` to be number `index` of the `size` leaves under `root` (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size or not _is_path(path):
        return False
    place, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Tell whether `path` proves that what is under `old_root` is where `new_root` began (RFC 9162 §2.1.4.2)."""
    if not 0 < old <= new or not _is_path(path):
        return False
    if old == new:
        return not path and old_root == new_root
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node(step, before), node(step, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node(after, step)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _is_path(path: Sequence[bytes]) -> bool:
    return len(path) <= LONGEST_PATH and all(len(step) == HASH_BYTES for step in path)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaves that are at hand, in memory that grows with the logarithm of their number."""
    stack: list[tuple[int, bytes]] = []
    for each in leaves:
        level, found = 0, each
        while stack and stack[-1][0] == level:
            found = node(stack.pop()[1], found)
            level += 1
        stack.append((level, found))
    return _fold([found for _, found in stack]) if stack else EMPTY
