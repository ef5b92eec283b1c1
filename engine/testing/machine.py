"""A machine that a test owns: change a field, and the next look sees it."""

from __future__ import annotations

import attrs

from lading.domain.requirements import Conditions


@attrs.define(kw_only=True)
class MemoryMachine:
    """What `look` tells: by default a machine that is online, unmetered, and has its memory to itself."""

    online: bool | None = True
    metered: bool | None = None
    memory_percent: float | None = 10.0

    def look(self, *, metered: bool) -> Conditions:
        """Look at the machine."""
        return Conditions(
            online=self.online, metered=self.metered if metered else None, memory_percent=self.memory_percent
        )
