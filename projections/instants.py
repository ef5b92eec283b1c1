"""Instants as people and other programs read them: ISO 8601 in UTC, to the microsecond."""

from __future__ import annotations

import datetime as dt

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def iso(at_ns: int | None) -> str | None:
    """Return a time (UTC, ns since 1970) such as `2031-05-04T03:02:01.000000Z`, or None for None."""
    if at_ns is None:
        return None
    instant = _EPOCH + dt.timedelta(microseconds=at_ns // 1000)
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")
