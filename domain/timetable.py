"""A timetable: which rate holds at which time of the day, written as people say it.

    22:00-06:00 unlimited, 09:00-17:00 500K, 12:00-13:00 pause

Times are local; a window that ends before it begins goes past midnight, and of several that hold the first one counts.
"""

from __future__ import annotations

import math
import re

import attrs

from lading.domain import sizes
from lading.domain.errors import InvalidSetting

DAY = 24 * 60
PAUSE, UNLIMITED = 0.0, math.inf
MOST_WINDOWS = 64
_WINDOW = re.compile(r"(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)\s+(\S.*)")
_ALLOWED = (
    "a window is HH:MM-HH:MM and then a rate such as 500K, `unlimited` or `pause`; windows are parted by commas, "
    "as in '22:00-06:00 unlimited, 12:00-13:00 pause'"
)


@attrs.frozen
class Window:
    """From the minute `start` of the day up to the minute `end`, `rate` bytes a second: `PAUSE`, or `UNLIMITED`."""

    start: int
    end: int
    rate: float

    def holds(self, minute: int) -> bool:
        """Tell whether the window holds at a minute of the day."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


Timetable = tuple[Window, ...]


def parse(text: str, key: str = "schedule") -> Timetable:
    """Read a timetable; empty text is an empty one.

    Args:
        text: as people write it.
        key: the setting that it stands in.

    Raises:
        InvalidSetting: a piece of it cannot be meant; the message names key and piece.
    """
    pieces = [piece.strip() for piece in text.split(",")] if text.strip() else []
    if len(pieces) > MOST_WINDOWS:
        raise InvalidSetting(f"{key} has {len(pieces)} windows", hint=f"at most {MOST_WINDOWS} are taken")
    return tuple(_window(piece, key) for piece in pieces)


def at(timetable: Timetable, minute: int) -> float | None:
    """Return the rate at a minute of the day in bytes a second, `PAUSE` or `UNLIMITED`; None outside of all windows."""
    return next((window.rate for window in timetable if window.holds(minute)), None)


def _window(piece: str, key: str) -> Window:
    match = _WINDOW.fullmatch(piece)
    if match is None:
        raise InvalidSetting(f"{key}: {piece!r} is not a window", hint=_ALLOWED)
    start, end = _minute(match[1], match[2]), _minute(match[3], match[4])
    if start is None or end is None or start == DAY:
        raise InvalidSetting(f"{key}: {piece!r} has a time that no clock shows", hint="times are 00:00 to 24:00")
    if start == end:
        raise InvalidSetting(f"{key}: {piece!r} lasts no time at all", hint="the whole day is 00:00-24:00")
    rate = _rate(match[5].strip().lower())
    if rate is None:
        raise InvalidSetting(f"{key}: {piece!r} has no rate that can be meant", hint=_ALLOWED)
    return Window(start, end, rate)


def _minute(hours: str, minutes: str) -> int | None:
    minute = int(hours) * 60 + int(minutes)
    return minute if int(minutes) < 60 and minute <= DAY else None


def _rate(word: str) -> float | None:
    if word in {"pause", "unlimited"}:
        return PAUSE if word == "pause" else UNLIMITED
    size = sizes.parse(word.removesuffix("/s"))
    return float(size) if size else None
