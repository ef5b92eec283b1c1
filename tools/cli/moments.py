"""Naming a place in the past: a position of the log, or a time; and opening a home as it was there.

A time that is written to the second means all of that second, because that is how `lading log` shows the times of
events; so a time that was copied from there includes its event.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from lading.tools.cli.frame import Frame

if TYPE_CHECKING:
    from lading.reading import Reading

_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smhdw])(?:\s+ago)?", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WITH_SECONDS = re.compile(r"\d\d:\d\d:\d\d(?P<fraction>[.,]\d+)?|[T ]\d{6}(?P<basic>[.,]\d+)?")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LATEST_NS = 2**64 - 2
"""The last time that can be written in a log and has another one after it, in the year 2554."""
_EARLIEST_YEAR, _LATEST_YEAR = 1969, 2554
"""What lies before or after these years does so in any zone; not of every year is it known what local time was."""
HEAD = "head"


class MomentType(click.ParamType[int]):
    """A time as an option takes it: ISO 8601, local without a zone, or so long ago; UTC in nanoseconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the last nanosecond that is meant."""
        if isinstance(value, int):
            return value
        at_ns = read(str(value), time.time_ns())
        if at_ns is None:
            self.fail(f"{value!r} is not a time such as 2031-05-04T03:02:01, 2031-05-04 03:02Z or 2h", param, ctx)
        return at_ns


class Place(NamedTuple):
    """A place in the log: a position, or a time (UTC, ns); neither is its end."""

    position: int | None = None
    at_ns: int | None = None


class PlaceType(click.ParamType[Place]):
    """A position, `head`, or a time."""

    name = "place"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Return the place; digits alone are a position."""
        if isinstance(value, Place):
            return value
        text = str(value).strip()
        if text.lower() == HEAD:
            return Place()
        if text.isdecimal() and len(text) < 20:
            return Place(position=int(text))
        return Place(at_ns=MomentType().convert(text, param, ctx))


MOMENT, PLACE = MomentType(), PlaceType()


def read(text: str, now_ns: int) -> int | None:
    """Return the last nanosecond (UTC) of the time that a text means, None when it means none.

    A time before 1970 is 1970, and one that no event can be later than is the latest one.
    """
    words = text.strip()
    if words.lower() == "now":
        return now_ns
    ago = _AGO.fullmatch(words)
    if ago is not None:
        return max(0, now_ns - int(float(ago[1]) * _SECONDS[ago[2].lower()] * 1e9))
    try:
        moment = dt.datetime.fromisoformat(words)
        if not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
            return 0 if moment.year < _EARLIEST_YEAR else _LATEST_NS
        exact = (moment if moment.tzinfo is not None else moment.astimezone()) - _EPOCH
    except (ValueError, OverflowError, OSError):
        return None
    at_ns = exact // dt.timedelta(microseconds=1) * 1000
    written = _WITH_SECONDS.search(words)
    if written is not None:
        at_ns += 999 if written["fraction"] or written["basic"] else 999_999_999
    return min(max(0, at_ns), _LATEST_NS)


def options(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a verb `--to` and `--at`."""
    at = click.option(
        "--at",
        "at_ns",
        type=MOMENT,
        metavar="TIME",
        help="As it stood at this time: ISO 8601, local without a zone, or so long ago, such as 2h.",
    )
    to = click.option(
        "--to",
        "position",
        type=click.IntRange(min=0),
        metavar="P",
        help="As it stood after the event at this position.",
    )
    return to(at(function))


def find(reading: Reading, place: Place) -> int:
    """Return the position of a place."""
    if place.position is not None:
        return place.position
    return reading.log.head() if place.at_ns is None else reading.position_at(place.at_ns)


@contextmanager
def looking_back(frame: Frame, place: Place) -> Iterator[tuple[Reading, int]]:
    """Open the read side of the home as it was at a place, and tell the time that it was there (UTC, ns).

    Raises:
        UsageError: both a position and a time are given, or the log has not come so far.
    """
    from lading.domain.errors import UsageError
    from lading.projections.instants import iso
    from lading.tools.cli.answers import note
    from lading.tools.cli.homes import looking
    from lading.tools.cli.units import moment

    if place.position is not None and place.at_ns is not None:
        raise UsageError("a position and a time are two places", hint="give --to or --at, not both")
    with looking(frame, caught_up=False) as reading, reading.as_of(find(reading, place)) as then:
        last = then.last()
        if last is None:
            note(frame, "nothing had happened yet")
        else:
            note(frame, f"as of position {last.position}, {moment(iso(last.at_ns))}")
        yield then, place.at_ns if place.at_ns is not None else last.at_ns if last is not None else 0
