"""What has to be met before a download may start, and what is unmet right now: decided on a look at the machine.

What keeps everything from starting is said once for the whole queue (`lading.domain.hold`), not of each download: a
million of them wait for the same network. A running download that has to give way says so itself, as `Blocked`.
Nothing of this spends a retry: it is nobody's fault.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

import attrs

from lading.domain import urls
from lading.domain.errors import InvalidSetting

DISK, MEMORY, NETWORK, METERED, SCHEDULE = "disk", "memory", "network", "metered", "schedule"
GIVE_WAY = (NETWORK, METERED, SCHEDULE)
"""For these, what runs already has to stop; for room and memory only nothing more is begun."""
OF_THE_WAY = (NETWORK, METERED)
"""These are about the way to other machines, which what lies on this one does not need."""
MEMORY_EASE_PERCENT = 5
"""Memory has to come down by so much below its limit before it is no longer in the way, so that it does not flicker."""


_RATE = re.compile(r"([1-9][0-9]{0,14})([kmgKMG]?)")


@attrs.frozen(kw_only=True)
class Conditions:
    """A look at the machine; None is what the system does not tell, and stands in nobody's way.

    Attributes:
        online: whether there is a way to any other machine.
        metered: whether that way is paid for by the byte.
        memory_percent: how much of the memory is in use.
    """

    online: bool | None = None
    metered: bool | None = None
    memory_percent: float | None = None

    @property
    def is_offline(self) -> bool:
        """Whether it is known that no other machine can be reached."""
        return self.online is False


@attrs.frozen(kw_only=True)
class Policy:
    """What is required: how much memory may be in use, and what to do on a metered network (`run`, `pause` or a rate).

    `network` tells whether the network is looked at.
    """

    memory_percent: int
    metered: str = "run"
    network: bool = True


def unmet(
    conditions: Conditions, policy: Policy, *, before: Container[str] = (), asleep: bool = False
) -> dict[str, str]:
    """Return what keeps the queue from starting anything: a message for people, by reason.

    Args:
        conditions: a look at the machine.
        policy: what is required of it.
        before: what was unmet at the last look.
        asleep: whether the schedule has everything rest at this minute.
    """
    found: dict[str, str] = {}
    if policy.network and conditions.is_offline:
        found[NETWORK] = "this machine is offline; it goes on by itself when the network is back"
    if policy.network and policy.metered == "pause" and conditions.metered and not conditions.is_offline:
        found[METERED] = "the network is metered; `lading config set metered run` downloads all the same"
    if conditions.memory_percent is not None:
        most = policy.memory_percent - (MEMORY_EASE_PERCENT if MEMORY in before else 0)
        if policy.memory_percent < 100 and conditions.memory_percent >= most:
            found[MEMORY] = (
                f"{conditions.memory_percent:.0f} % of the memory is in use, {policy.memory_percent} % is the most "
                "(memory_percent)"
            )
    if asleep:
        found[SCHEDULE] = "the schedule has everything rest now"
    return found


def metered_rate(conditions: Conditions, policy: Policy) -> int | None:
    """Return how many bytes a second may be received because the network is metered; None: nobody said."""
    is_limited = policy.network and conditions.metered and policy.metered not in {"run", "pause"}
    return int(policy.metered) if is_limited else None


def holds(reasons: Mapping[str, str], host: str) -> str | None:
    """Return the reason that keeps downloads of a host (`host:port`) from running, or None.

    What lies on this very machine needs no network.
    """
    is_here = urls.is_local(host)
    return next((reason for reason in reasons if not (is_here and reason in OF_THE_WAY)), None)


def holds_all(reasons: Container[str]) -> bool:
    """Tell whether a reason keeps downloads of every host from running, so that none needs to be looked at."""
    return any(reason in reasons for reason in (MEMORY, SCHEDULE))


def reserve(reserve_bytes: int, percent: int, capacity: int) -> int:
    """Return how many bytes of a disk of so many are left alone: `percent` of them, and at least `reserve_bytes`."""
    return max(reserve_bytes, capacity * percent // 100)


def metered(value: str) -> str:
    """Return what is to happen on a metered network: `run`, `pause`, or a rate in bytes a second, as digits.

    Raises:
        InvalidSetting: it is none of these.
    """
    if value in {"run", "pause"}:
        return value
    rate = _RATE.fullmatch(value)
    if rate is None:
        raise InvalidSetting(f"metered cannot be {value!r}", hint="it is run, pause, or bytes a second, such as 200K")
    return str(int(rate[1]) * 1024 ** " kmg".index(rate[2].lower() or " "))
