"""What a write transaction has written so far, in key order, laid over a tree that stays as it was until the commit."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping

Item = tuple[bytes, bytes]

_INSERT_SHARE = 16
"""Sorting anew beats inserting one by one when more than one key in this many is new."""


class Overlay:
    """Keys with their new values; None stands for a key that was deleted."""

    __slots__ = ("_fresh", "_order", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, bytes | None] = {}
        self._order: list[bytes] = []
        self._fresh: list[bytes] = []

    def set(self, key: bytes, value: bytes | None) -> None:
        """Lay a value, or a deletion, over a key."""
        if key not in self.values:
            self._fresh.append(key)
        self.values[key] = value

    def update(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Lay values and deletions over many keys."""
        self._fresh.extend([key for key in rows if key not in self.values] if self.values else rows)
        self.values.update(rows)

    def items(self) -> list[tuple[bytes, bytes | None]]:
        """Return everything in the order of keys."""
        self._sort()
        return [(key, self.values[key]) for key in self._order]

    def forwards(self, beneath: Iterator[Item], prefix: bytes, start: bytes) -> Iterator[Item]:
        """Merge with the tree's items from `start` on; what is written while this runs is met if it lies ahead."""
        order, values = self._order, self.values
        below = next(beneath, None)
        bound, place = start, bisect_left
        while True:
            self._sort()
            at = place(order, bound)
            above = order[at] if at < len(order) and order[at].startswith(prefix) else None
            if above is None or (below is not None and below[0] < above):
                if below is None:
                    return
                bound = below[0]
                yield below
                below = next(beneath, None)
            else:
                bound = above
                if below is not None and below[0] == above:
                    below = next(beneath, None)
                value = values[above]
                if value is not None:
                    yield above, value
            place = bisect_right

    def backwards(self, beneath: Iterator[Item], prefix: bytes, end: bytes) -> Iterator[Item]:
        """Merge with the tree's items from the last key ≤ `end` downwards."""
        order, values = self._order, self.values
        below = next(beneath, None)
        bound, place = end, bisect_right
        while True:
            self._sort()
            at = place(order, bound) - 1
            above = order[at] if at >= 0 and order[at].startswith(prefix) else None
            if above is None or (below is not None and below[0] > above):
                if below is None:
                    return
                bound = below[0]
                yield below
                below = next(beneath, None)
            else:
                bound = above
                if below is not None and below[0] == above:
                    below = next(beneath, None)
                value = values[above]
                if value is not None:
                    yield above, value
            place = bisect_left

    def _sort(self) -> None:
        if not self._fresh:
            return
        if len(self._fresh) * _INSERT_SHARE > len(self._order):
            self._order.extend(self._fresh)
            self._order.sort()
        else:
            for key in self._fresh:
                insort(self._order, key)
        self._fresh.clear()
