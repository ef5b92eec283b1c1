"""Which range counts, and what each kind of range support claims and sends for it (RFC 9110 §14)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs

from lading.tools.origin.behaviour import IfRange, Modified, Ranges
from lading.tools.origin.case import Case

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@attrs.frozen
class Part:
    """What a 206 claims (`first` up to but not including `end`, of `total`) and from where it sends, if elsewhere.

    An empty one is answered with 416.
    """

    first: int
    end: int
    total: int | str
    sent_from: int | None = None


RANGES: Mapping[Ranges, Callable[[int, int, int], Part | None]] = {
    Ranges.HONEST: Part,
    Ranges.IGNORED: lambda _first, _end, _size: None,
    Ranges.REFUSED: lambda _first, _end, size: Part(0, 0, size),
    Ranges.EARLIER: lambda first, end, size: Part(first // 2, end, size),
    Ranges.SHORTER: lambda first, end, size: Part(first, end - (end - first) // 2, size),
    Ranges.NO_TOTAL: lambda first, end, _size: Part(first, end, "*"),
    Ranges.WRONG_START: lambda first, end, size: Part(min(first + 1, end - 1), end, size),
    Ranges.WRONG_TOTAL: lambda first, end, size: Part(first, end, size + 1),
    Ranges.FROM_ZERO: lambda first, end, size: Part(first, end, size, sent_from=0),
}


def asked_span(case: Case) -> tuple[int, int] | None:
    """Return the range that counts, as [first, end), empty if it cannot be satisfied; None to send the whole."""
    headers = case.request.headers
    match = _ONE_RANGE.fullmatch(headers.get("range", "").strip())
    first, last = match.groups() if match else ("", "")
    if case.request.method != "GET" or case.behaviour.gzip or not (first or last) or not _if_range_holds(case):
        return None
    size = case.content.size
    if not first:
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size


def _if_range_holds(case: Case) -> bool:
    """Whether the range counts beside its If-Range (RFC 9110 §13.1.5: strong comparison, or the exact strong date)."""
    condition = case.request.headers.get("if-range")
    if condition is None or case.behaviour.if_range is IfRange.IGNORED:
        return True
    if case.behaviour.if_range is IfRange.DROPS_RANGE:
        return False
    if condition.endswith('"'):
        return condition == case.etag and not condition.startswith("W/")
    return condition == case.last_modified and case.behaviour.modified is Modified.OLD
