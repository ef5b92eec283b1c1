"""Who fetches which bytes: one file's missing ranges, shared out among the connections that fetch it.

Each connection has one share at a time, and works through it in order. Shares are handed out from the front, a *block*
at a time, so that the file grows from its beginning on although several connections fetch it; a single connection is
given all there is. When nothing is left to hand out, a connection that is idle takes over the far half of the longest
share, as far as that is worth a request of its own.
"""

from __future__ import annotations

import attrs

from lading.domain import spans

LEAST_BYTES = 1024 * 1024
"""What is not worth another request: less than this is left to who has it."""
GRAIN_BYTES = 64 * 1024
"""Shares are cut at whole multiples of this, so that writes and pieces stay aligned."""


@attrs.define(eq=False)
class Share:
    """The bytes from `start` up to `end`, of which `at` is the next; an end may move, and None is one not known."""

    start: int
    end: int | None
    at: int = attrs.field(default=attrs.Factory(lambda self: self.start, takes_self=True), init=False)

    @property
    def fetched(self) -> int:
        """How many bytes of it were fetched."""
        return self.at - self.start

    @property
    def left(self) -> int | None:
        """How many bytes are still to be fetched; None for nobody knows."""
        return None if self.end is None else max(0, self.end - self.at)


class Allotment:
    """The bytes that are missing, and the shares that are being fetched.

    Args:
        missing: what is to be fetched, of a file of known size.
        grid: the size of the file's pieces, at whose ends it is cut where that can be.
    """

    def __init__(self, missing: spans.Spans, grid: int) -> None:
        self._free = missing
        self._grid = grid
        self._shares: list[Share] = []

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to hand out, and nobody has anything left."""
        return not self._free and not any(share.left for share in self._shares)

    @property
    def left(self) -> int:
        """How many bytes are still to be fetched."""
        return spans.size(self._free) + sum(share.left or 0 for share in self._shares)

    def take_all(self, start: int) -> Share:
        """Hand out the missing range that begins at `start`, whole: what a request without an end is answered with."""
        end = next(high for low, high in self._free if low == start)
        return self._hand_out(start, end)

    def can_take(self) -> bool:
        """Tell whether there is something worth taking for one more connection."""
        return self._next(LEAST_BYTES) is not None

    def take(self, block: int) -> Share | None:
        """Hand out the next `block` bytes, or fewer; None when there is nothing worth taking.

        Who has a share that they are in the middle of keeps what is before them.
        """
        following = self._next(block)
        if following is None:
            return None
        start, end = following
        for share in self._shares:
            if share.at < start < (share.end or 0):
                self._free = spans.union(self._free, start, share.end or 0)
                share.end = start
                break
        return self._hand_out(start, end)

    def extend(self, share: Share, block: int) -> bool:
        """Let a share go on for `block` bytes, or fewer, if what follows on it is free; tell whether it is."""
        following = next((end for start, end in self._free if start == share.end), None)
        if following is None or share.end is None:
            return False
        end = self._cut(share.end + block, following)
        self._free = spans.subtract(self._free, share.end, end)
        share.end = end
        return True

    def give_back(self, share: Share) -> None:
        """End a share; what was not fetched of it is free again."""
        self._shares.remove(share)
        if share.end is not None:
            self._free = spans.union(self._free, share.at, share.end)

    def _next(self, block: int) -> spans.Span | None:
        if self._free:
            start, end = self._free[0]
        else:
            longest = max(self._shares, key=_left, default=None)
            if longest is None or longest.end is None or _left(longest) < 2 * LEAST_BYTES:
                return None
            start, end = self._cut(longest.at + min(block, _left(longest) // 2), longest.end), longest.end
        return (start, end if end - start <= block else self._cut(start + block, end)) if start < end else None

    def _hand_out(self, start: int, end: int) -> Share:
        self._free = spans.subtract(self._free, start, end)
        share = Share(start, end)
        self._shares.append(share)
        return share

    def _cut(self, at: int, end: int) -> int:
        """Return where to cut near `at`, before `end`: at the end of a piece, if that is not too far."""
        grain = self._grid if end - at > 2 * self._grid else GRAIN_BYTES
        return min(-(-at // grain) * grain, end)


def _left(share: Share) -> int:
    return share.left or 0
