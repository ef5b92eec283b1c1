"""What changed of a download between two positions of the log, as a row for people and programs.

A difference is of two states of one download, each None where there was no such download yet. It is a row when asked
for; nothing of it is kept.
"""

from __future__ import annotations

from typing import Any

import attrs

from lading.domain.download import Download
from lading.domain.states import State
from lading.projections import progress

FIELDS = (
    "state", "received", "total", "path", "priority", "attempts", "url", "digest", "error", "why", "limit_rate",
    "connections",
)  # fmt: skip
"""What is compared: what a download is, and not when or how fast."""


@attrs.frozen
class Difference:
    """A download before and after, and how many of its events lie between; going back, `before` is the later one."""

    before: Download | None
    after: Download | None
    events: int


def row(difference: Difference) -> dict[str, Any]:
    """Return a difference as `lading diff --json` shows it.

    `change` is added, gone (it was removed, or going back there is none yet) or changed; `changed` names the fields
    that are not the same. There may be none: a download that was paused and resumed is what it was, and has events.
    """
    before, after = difference.before, difference.after
    known = after or before
    assert known is not None
    was, became = _side(before), _side(after)
    return {
        "id": str(known.id),
        "key": known.order.key,
        "url": known.order.url,
        "change": _change(before, after),
        "events": difference.events,
        "changed": [name for name in FIELDS if (was or {}).get(name) != (became or {}).get(name)],
        "before": was,
        "after": became,
    }


def _side(download: Download | None) -> dict[str, Any] | None:
    if download is None:
        return None
    digest = download.digest if download.assurance is not None else None
    more = {"digest": digest, "limit_rate": download.limit_rate, "connections": download.connections}
    shown = progress.listing(download, download.updated_at_ns) | more
    return {name: shown[name] for name in FIELDS}


def _change(before: Download | None, after: Download | None) -> str:
    if before is None:
        return "added"
    if after is None or (after.state is State.REMOVED and before.state is not State.REMOVED):
        return "gone"
    return "changed"
