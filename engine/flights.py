"""Who fetches what the cache may keep: of several that want the same, one goes ahead, and the others wait for it.

The first of a key leads. Others wait as long as it may still bring something that the cache keeps; once it cannot, all
of them go on by themselves, and once it has, all find it there. When it came to nothing, the one that has waited the
longest takes its place. Nobody waits for somebody who is not at work: a lead that is not taken up in time is lost.

Nothing of this outlives the engine. After a restart nobody leads, so whoever waited may go on.
"""

from __future__ import annotations

import math
from uuid import UUID

import attrs

TAKE_UP_S = 10.0
"""How long the place of who leads is kept for the one whose turn it is."""
MOST_WAITING = 10_000


@attrs.define
class _Flight:
    leader: UUID
    until_s: float = math.inf
    is_vain: bool = False


class Flights:
    """For the tasks of one engine; times are monotonic seconds."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}
        self._waiting: dict[UUID, str] = {}
        self._served: set[UUID] = set()

    def join(self, key: str, id: UUID, now_s: float) -> UUID | None:
        """Let a download lead, or return which one it is to wait for; who has waited until it was kept does neither."""
        if id in self._served:
            self._served.discard(id)
            return None
        flight = self._flights.get(key)
        if flight is None or flight.leader == id or flight.until_s <= now_s:
            self._flights[key] = _Flight(id)
        elif not flight.is_vain and len(self._waiting) + len(self._served) < MOST_WAITING:
            self._waiting[id] = key
            return flight.leader
        self._waiting.pop(id, None)
        return None

    def give_up(self, key: str, id: UUID) -> bool:
        """Note that what a download fetches will not be kept, and tell whether somebody may go on now who waited."""
        flight = self._flights.get(key)
        if flight is None or flight.leader != id:
            return False
        flight.is_vain = True
        return self._free(key)

    def leave(self, id: UUID) -> bool:
        """Let nobody wait for a download, whatever it fetches, and tell whether somebody may go on now who waited."""
        led = [key for key, flight in self._flights.items() if flight.leader == id and not flight.is_vain]
        freed = [self.give_up(key, id) for key in led]
        return any(freed)

    def land(self, key: str, id: UUID, now_s: float, *, kept: bool) -> bool:
        """Note that a download is done with it, and tell whether somebody may go on now who waited.

        The others find it in the cache if it was `kept`, or try themselves.
        """
        flight = self._flights.get(key)
        if flight is None or flight.leader != id:
            return False
        del self._flights[key]
        if kept:
            self._served.update(waiting for waiting, wanted in self._waiting.items() if wanted == key)
        if kept or flight.is_vain:
            return self._free(key)
        heir = next((waiting for waiting, wanted in self._waiting.items() if wanted == key), None)
        if heir is not None:
            del self._waiting[heir]
            self._flights[key] = _Flight(heir, until_s=now_s + TAKE_UP_S)
        return heir is not None

    def held_back(self, now_s: float) -> frozenset[UUID]:
        """Return which downloads are still to wait."""
        vain = {key for key, flight in self._flights.items() if flight.until_s <= now_s}
        return frozenset(id for id, key in self._waiting.items() if key in self._flights and key not in vain)

    def may_go_on(self, id: UUID, now_s: float) -> bool:
        """Tell whether a download that waits has nobody to wait for any more."""
        key = self._waiting.get(id)
        flight = None if key is None else self._flights.get(key)
        if flight is None or flight.until_s <= now_s:
            self._waiting.pop(id, None)
            return True
        return False

    def _free(self, key: str) -> bool:
        """Let nobody wait for a key any more; tell whether anybody did."""
        before = len(self._waiting)
        self._waiting = {id: wanted for id, wanted in self._waiting.items() if wanted != key}
        return len(self._waiting) < before
