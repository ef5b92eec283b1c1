"""What to run next, given what runs: bounded concurrency, a limit for each host, priority, then age.

`choose` is level-triggered: it looks at the state of things, not at what happened, so calling it twice does no harm and
missing a wake-up costs only time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain import urls

DEFAULT_CONCURRENCY = 3
DEFAULT_CONNECTIONS = 6
SHORTEST_PATIENCE_S = 2.0
LONGEST_PATIENCE_S = 300.0
_MOST_DOUBLINGS = 16
NOWHERE = ""
"""The host of a download that has all that it wants, and is checked and published: it counts for no host any more."""
OF_NO_CONSEQUENCE = frozenset({e.Started.TOPIC, e.Probed.TOPIC, e.Progressed.TOPIC})
"""Topics of what changes nothing of what should run: that something runs now which was chosen, and how far it is."""


class Candidate(NamedTuple):
    """The download that its host would run next."""

    id: UUID
    host: str


@attrs.frozen(kw_only=True)
class Limits:
    """How many downloads may run at once, in all and for one host (None: no limit of its own).

    `hosts` has what holds for single hosts instead, by `host` or `host:port`, 0 for no limit.
    """

    concurrency: int = DEFAULT_CONCURRENCY
    per_host: int | None = None
    hosts: Mapping[str, int] = attrs.field(factory=dict)

    def has_room(self, host: str, running: int) -> bool:
        """Tell whether one more may run on a host beside so many; what comes from nowhere is no burden to anybody."""
        if host == NOWHERE:
            return True
        own = urls.of_host(self.hosts, host) if self.hosts else None
        most = self.per_host if own is None else own
        return not most or running < most


@attrs.define
class Skipped:
    """The hosts of which nothing may start: those that are `full` now, and those that are `kept` back otherwise."""

    full: frozenset[str]
    kept: Callable[[str], bool]

    def __contains__(self, host: object) -> bool:
        return host in self.full or (isinstance(host, str) and self.kept(host))


def room(running: Mapping[UUID, str], limits: Limits) -> int:
    """Return how many more downloads may start, `running` being host by download."""
    return max(0, limits.concurrency - len(running))


def choose(candidates: Iterable[Candidate], running: Mapping[UUID, str], limits: Limits) -> Candidate | None:
    """Return the first candidate whose host has room and that does not run already, or None.

    Args:
        candidates: in the order in which they should run, as the queue view yields them.
        running: `host:port` by running download.
        limits: what may run at once.
    """
    if not room(running, limits):
        return None
    hosts = Counter(running.values())
    for candidate in candidates:
        if candidate.id in running:
            continue
        if limits.has_room(candidate.host, hosts[candidate.host]):
            return candidate
    return None


def saturated(running: Mapping[UUID, str], limits: Limits) -> frozenset[str]:
    """Return the hosts that have no room for another download."""
    if limits.per_host is None and not limits.hosts:
        return frozenset()
    return frozenset(host for host, count in Counter(running.values()).items() if not limits.has_room(host, count))


def patience_s(times: int) -> float:
    """Return how long a download rests that was let go on and blocked again so many times in a row.

    That there is room can be an illusion: a quota counts what the file system does not tell.
    """
    return min(SHORTEST_PATIENCE_S * 2.0 ** min(times, _MOST_DOUBLINGS), LONGEST_PATIENCE_S)
