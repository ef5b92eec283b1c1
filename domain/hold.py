"""What holds the whole queue: somebody paused it, or something has to pass before anything can start.

It is told on the one stream `QUEUE`, by whichever engine works the home, so it outlives them all: a queue that was
paused is still paused after a restart, and what is added meanwhile waits.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from lading.domain import events as e

Told = e.QueuePaused | e.QueueResumed | e.QueueBlocked | e.QueueUnblocked


@attrs.frozen(kw_only=True)
class Hold:
    """What holds the queue: whether somebody `paused` it, and by which reasons it is `blocked`, with a message each.

    `version` is that of the stream.
    """

    paused: bool = False
    blocked: Mapping[str, str] = attrs.field(factory=dict)
    version: int = 0

    @property
    def why(self) -> str | None:
        """In one short sentence why nothing starts, None when nothing keeps it."""
        if self.paused:
            return "the queue is paused; `lading resume --queue` lets it go on"
        reasons = [f"{reason}: {message}" if message else reason for reason, message in self.blocked.items()]
        return f"the queue is blocked by {'; '.join(reasons)}" if reasons else None


def evolve(hold: Hold, event: e.Event, version: int) -> Hold:
    """Fold one event of the stream into the hold; what is none of its business only moves the version."""
    match event:
        case e.QueuePaused() | e.QueueResumed():
            return attrs.evolve(hold, paused=isinstance(event, e.QueuePaused), version=version)
        case e.QueueBlocked():
            return attrs.evolve(hold, blocked={**hold.blocked, event.reason: event.message}, version=version)
        case e.QueueUnblocked():
            left = {reason: message for reason, message in hold.blocked.items() if reason != event.reason}
            return attrs.evolve(hold, blocked=left, version=version)
        case _:
            return attrs.evolve(hold, version=version)


def pause(hold: Hold) -> tuple[Told, ...]:
    """Have the queue rest; asked again, nothing is said."""
    return () if hold.paused else (e.QueuePaused(),)


def resume(hold: Hold) -> tuple[Told, ...]:
    """Let the queue go on; asked again, nothing is said."""
    return (e.QueueResumed(),) if hold.paused else ()


def settle(hold: Hold, unmet: Mapping[str, str]) -> tuple[Told, ...]:
    """Say what has come to block the queue and what has passed, `unmet` being what blocks it now, message by reason.

    A message that only changes, such as one that tells how much is free, is not said again.
    """
    passed = [e.QueueUnblocked(reason=reason) for reason in hold.blocked if reason not in unmet]
    come = [e.QueueBlocked(reason=r, message=message) for r, message in unmet.items() if r not in hold.blocked]
    return (*passed, *come)
