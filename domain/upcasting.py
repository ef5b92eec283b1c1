"""Old shapes of events, read as today's: what keeps a log of the first format open for ever.

Stored events are JSON objects under a versioned topic. When an event changes its shape, its topic gets a new version
and a function here turns the old object into the new one. Each step goes up by one version, so that a log of any age
comes through; the old bytes are never rewritten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lading.domain.errors import StoreNewer
from lading.domain.events import EVENTS

Payload = dict[str, Any]
Upcaster = Callable[[Payload], tuple[str, Payload]]


def _renamed(topic: str) -> Upcaster:
    """Return the step for a shape that has only gained fields, which nobody had anything to say in before."""
    return lambda payload: (topic, payload)


UPCASTERS: dict[str, Upcaster] = {
    "lading.probed.v1": _renamed("lading.probed.v2"),
    "lading.resource-changed.v1": _renamed("lading.resource-changed.v2"),
    "lading.queued.v1": _renamed("lading.queued.v2"),
    "lading.retry-scheduled.v1": _renamed("lading.retry-scheduled.v2"),
    "lading.completed.v1": _renamed("lading.completed.v2"),
    "lading.completed.v2": _renamed("lading.completed.v3"),
    "lading.verified.v1": _renamed("lading.verified.v2"),
    "lading.resumed.v1": _renamed("lading.resumed.v2"),
    "lading.resumed.v2": _renamed("lading.resumed.v3"),
    "lading.progressed.v1": _renamed("lading.progressed.v2"),
}
"""The steps. A validator of version 1 had no `digest`, a piece no `source`, an order no `bundle`, a verification no
`assurance`; nobody who tried again had a say in what lay at the path, and nothing was repaired."""


def upcast(topic: str, payload: Payload) -> tuple[str, Payload]:
    """Bring a stored payload up to a topic of today.

    Raises:
        StoreNewer: no such topic was ever written by this version or one before it.
    """
    while topic not in EVENTS:
        step = UPCASTERS.get(topic)
        if step is None:
            raise StoreNewer(f"the log holds events of the kind {topic!r}, which this version does not know")
        topic, payload = step(payload)
    return topic, payload
