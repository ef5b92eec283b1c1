"""What all events have in common, and the register of them by topic."""

from __future__ import annotations

from typing import ClassVar

import attrs

EVENTS: dict[str, type[Event]] = {}


@attrs.frozen(kw_only=True, slots=False)
class Event:
    """A fact; subclasses say which."""

    TOPIC: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        topic = cls.__dict__.get("TOPIC")
        if topic:
            EVENTS[topic] = cls
