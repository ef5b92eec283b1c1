"""Drift: what was seen of a URL, in order of time, as rows that say what had changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lading.domain.digests import Digest
from lading.domain.errors import InvalidDigest
from lading.domain.sightings import Sighting
from lading.projections.instants import iso

Row = dict[str, Any]
_SAID = ("etag", "last_modified", "length", "stated_digest", "digest")


def row(sighting: Sighting) -> Row:
    """Return a sighting as a row, which does not tell yet what had changed; unknown is None.

    `stated_digest` is what the server says that the file digests to, `digest` what it did when we had it.
    """
    fact, said = sighting.fact, sighting.validator
    return {
        "position": fact.position,
        "at": iso(fact.at_ns),
        "id": str(fact.stream),
        "attempt": sighting.attempt,
        "event": type(fact.event).__name__,
        "url": sighting.url,
        "handle": sighting.handle,
        "final_url": sighting.final_url,
        "status": sighting.status,
        "etag": said.etag,
        "last_modified": said.last_modified,
        "length": said.length,
        "stated_digest": said.digest,
        "digest": sighting.digest,
    }


def compared(rows: Iterable[Row]) -> Iterator[Row]:
    """Add to each row, in order of time, in `changed` what is not what it was when it was last told.

    Digests are compared with those of the same algorithm, stated ones with ours; what is not told changes nothing.
    """
    last: dict[str, Any] = {}
    for each in rows:
        changed = []
        for name in _SAID:
            value, place = _comparable(name, each[name])
            if value is None:
                continue
            if last.get(place, value) != value:
                changed.append(name)
            last[place] = value
        yield {**each, "changed": changed}


def _comparable(name: str, value: Any) -> tuple[Any, str]:
    """Return a value in the one form in which it can be compared, and with what."""
    if value is None or "digest" not in name:
        return value, name
    try:
        value = str(Digest.parse(value))
    except InvalidDigest:
        return None, name
    return value, value.partition(":")[0]
