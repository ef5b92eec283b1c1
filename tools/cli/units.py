"""Sizes, rates, durations and times as people write and read them; a kilo is 1024, as in curl and aria2."""

from __future__ import annotations

import re

import click

from lading.domain import amounts
from lading.domain.sizes import parse as parse_size

UNKNOWN = "-"


class SizeType(click.ParamType[int]):
    """A size as an option takes it."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes."""
        size = value if isinstance(value, int) else parse_size(str(value))
        if size is None:
            self.fail(f"{value!r} is not a size such as 500K, 2M or 1.5G", param, ctx)
        return size


class RateType(SizeType):
    """Bytes a second as an argument takes them, or `none`, which is given as 0."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes a second."""
        if str(value).lower() == "none":
            return 0
        rate = super().convert(value, param, ctx)
        if rate < 1:
            self.fail(f"{value!r} is no limit; `none` takes it away", param, ctx)
        return rate


SIZE, RATE = SizeType(), RateType()


_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class SpanType(click.ParamType[float]):
    """A span of time as an option takes it: `30d`, `12h`, `90m`, `45s`."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        match = _SPAN.fullmatch(str(value).strip())
        if match is None or not (match[2] or float(match[1]) == 0):
            self.fail(f"{value!r} is not a span of time with its unit, such as 30d, 12h or 90m", param, ctx)
        return float(match[1]) * _SECONDS[match[2].lower()]


SPAN = SpanType()


def size(count: int | None) -> str:
    """Return a number of bytes for people."""
    if count is None:
        return UNKNOWN
    return amounts.size(count)


def share(received: int, total: int | None) -> str:
    """Return how much of how much, for people."""
    return f"{size(received)}, size unknown" if total is None else f"{size(received)} of {size(total)}"


def rate(bytes_a_second: float | None) -> str:
    """Return a rate for people."""
    return UNKNOWN if bytes_a_second is None else f"{size(int(bytes_a_second))}/s"


def percent(share: float | None) -> str:
    """Return a share for people; 100 % is said of nothing that is not whole."""
    return UNKNOWN if share is None else f"{int(share * 10) / 10:.1f} %"


def duration(seconds: float | None) -> str:
    """Return a time span for people, its two largest units."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {left:02d} s" if minutes else f"{left} s"


def left(seconds: float | None) -> str:
    """Return how long it will take, for people; empty when nobody knows."""
    return "" if seconds is None else f"{duration(seconds)} left"


def moment(instant: str | None) -> str:
    """Return an ISO instant such as the views give it, to the second: `2031-05-04 03:02:01Z`."""
    return UNKNOWN if instant is None else f"{instant[:10]} {instant[11:19]}Z"
