"""Feature flags: what is on, off, or on for a share of the downloads, decided by their ids.

Which downloads are among a share follows from their ids and the feature's name alone: an attempt goes the way that the
one before it went, as long as the setting stays, and a share of one feature is not the same downloads as of another.
`Started` records what is not plainly on, so that a log tells which way was taken.
"""

from __future__ import annotations

import hashlib
import math
from uuid import UUID

import attrs


class Percent(int):
    """A share of the downloads, from 0, which is off, to 100, which is on; shown as people write it."""

    @classmethod
    def parse(cls, value: object) -> Percent:
        """Read `on`, `off` or `30%`; a number without its sign may mean another thing, and is none of these.

        Raises:
            ValueError: it is none of these, or a share that cannot be.
        """
        if isinstance(value, Percent):
            return value
        if isinstance(value, bool):
            return cls(100 * value)
        word = value.strip().lower() if isinstance(value, str) else ""
        known = {"on": 100, "yes": 100, "true": 100, "off": 0, "no": 0, "false": 0}
        if word in known:
            return cls(known[word])
        share = float(word.removesuffix("%")) if word.endswith("%") else math.nan
        if not 0 <= share <= 100 or share != int(share):
            raise ValueError(value)
        return cls(share)

    def __str__(self) -> str:
        return {0: "off", 100: "on"}.get(int(self), f"{int(self)}%")

    __repr__ = __str__


ON = Percent(100)


def bucket(feature: str, id: UUID) -> int:
    """Return where a download stands from 0 to 99: a feature is on for it where its share is greater."""
    return int.from_bytes(hashlib.sha256(feature.encode() + b"\0" + id.bytes).digest()[:8]) % 100


@attrs.frozen(kw_only=True)
class Features:
    """What can be switched off, or rolled out to a share.

    Attributes:
        retry: another attempt after a failure that may pass; without it a failure is final at once.
        network: looking whether there is a network before anything is fetched.
        recovery: what an engine that ended without a word left running goes on by itself; without it, it is paused.
        own_transport: our own transport; without it, httpx's.
        direct_io: writing past the page cache where the file system can; without it, through the cache.
    """

    retry: Percent = ON
    network: Percent = ON
    recovery: Percent = ON
    own_transport: Percent = ON
    direct_io: Percent = ON

    def is_on(self, feature: str, id: UUID) -> bool:
        """Tell whether a feature is on for a download."""
        share: Percent = getattr(self, feature)
        return share == ON or bucket(feature, id) < share

    def flags(self, id: UUID) -> tuple[str, ...]:
        """Return what is not plainly on: `retry:off`, or `direct_io:on:30%` and `direct_io:off:30%` of a share."""
        said = ((name, getattr(self, name)) for name in _NAMES)
        return tuple(self._flag(name, share, id) for name, share in said if share != ON)

    def _flag(self, name: str, share: Percent, id: UUID) -> str:
        word = "on" if self.is_on(name, id) else "off"
        return f"{name}:{word}:{share}" if share else f"{name}:off"


_NAMES = tuple(field.name for field in attrs.fields(Features))
