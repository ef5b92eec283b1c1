"""Which bytes of a file: sets of half-open ranges, kept sorted, apart and not touching.

A `Spans` is a plain tuple of `(start, end)` pairs in bytes, so that it compares, hashes and serialises as itself.
"""

from __future__ import annotations

Span = tuple[int, int]
Spans = tuple[Span, ...]


def union(spans: Spans, start: int, end: int) -> Spans:
    """Return `spans` with the bytes from `start` up to `end` added."""
    if start >= end:
        return spans
    if not spans:
        return ((start, end),)
    if spans[-1][0] <= start <= spans[-1][1]:
        first, last = spans[-1]
        return (*spans[:-1], (first, max(last, end)))
    before = [span for span in spans if span[1] < start]
    after = [span for span in spans if span[0] > end]
    for low, high in spans[len(before) : len(spans) - len(after)]:
        start, end = min(start, low), max(end, high)
    return (*before, (start, end), *after)


def subtract(spans: Spans, start: int, end: int) -> Spans:
    """Return `spans` without the bytes from `start` up to `end`."""
    if start >= end:
        return spans
    kept: list[Span] = []
    for low, high in spans:
        kept.extend((a, b) for a, b in ((low, min(high, start)), (max(low, end), high)) if a < b)
    return tuple(kept)


def size(spans: Spans) -> int:
    """Return how many bytes the ranges hold."""
    held = 0
    for start, end in spans:
        held += end - start
    return held


def holds(spans: Spans, start: int, end: int) -> bool:
    """Tell whether all bytes from `start` up to `end` are among the ranges."""
    return any(low <= start and end <= high for low, high in spans)


def prefix(spans: Spans) -> int:
    """Return the end of the range that begins at byte 0, or 0 when there is none."""
    return spans[0][1] if spans and spans[0][0] == 0 else 0


def gaps(spans: Spans, total: int) -> Spans:
    """Return the ranges below `total` bytes that `spans` does not hold."""
    missing: list[Span] = []
    at = 0
    for start, end in spans:
        if at < min(start, total):
            missing.append((at, min(start, total)))
        at = max(at, end)
    if at < total:
        missing.append((at, total))
    return tuple(missing)
