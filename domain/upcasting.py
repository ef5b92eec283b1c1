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

UPCASTERS: dict[str, Upcaster] = {}


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
