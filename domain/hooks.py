"""Hooks: a program or a URL that is told of events, each at least once, in order, under a key that shows doubles.

Where a hook has come to in the log is its cursor, which moves only after a delivery: a crash in between makes a double,
never a gap. The key is the event's own id, so a receiver that drops what it has seen acts exactly once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs

from lading.domain import receivers
from lading.domain.download import Download
from lading.domain.errors import InvalidSetting
from lading.domain.events import Event
from lading.domain.facts import Fact
from lading.domain.states import TRANSITIONS, State

ALL = "all"
LONGEST_PAUSE_S = 600.0
TROUBLED = 3
"""From so many failures in a row on, somebody should look at a hook."""

SECRET = {"secret": True}
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")
_BEGINNINGS = ("now", "start")
_HEADER = "Idempotency-Key"

Payload = Mapping[str, Any]


def word(kind: type[Event]) -> str:
    """Return how the settings call an event: `retry-scheduled`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()


WORDS = {word(kind): kind for row in TRANSITIONS.values() for kind in row}
"""What hooks may be told of: all that can be said of a download."""


class HookFailed(Exception):
    """A delivery did not arrive, as far as we know; the message holds nothing secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _bounded(least: float, most: float) -> Callable[[object, attrs.Attribute[Any], float], None]:
    def check(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
        if not least <= value <= most:
            raise InvalidSetting(f"{attribute.name} cannot be {value}", hint=f"allowed is {least:g} to {most:g}")

    return check


@attrs.frozen(kw_only=True)
class Hook:
    """What a table `[hooks.NAME]` of the settings says.

    Attributes:
        command: a program with its arguments, written as for a shell; none takes part. It gets the event as JSON on
            stdin, and in its environment.
        url: or where the same JSON is posted.
        on: the events that it is told of; `all` means every one.
        timeout_s: longest that one delivery may take.
        give_up_after: failures after which an event is skipped; 0 means never.
        since: where a hook that is new begins: `now`, or at the `start` of the log.
    """

    command: str = attrs.field(default="", repr=False, metadata=SECRET)
    url: str = attrs.field(default="", repr=False, metadata=SECRET)
    on: tuple[str, ...] = ("completed", "failed")
    timeout_s: float = attrs.field(default=60.0, validator=_bounded(0.1, 86_400))
    give_up_after: int = attrs.field(default=0, validator=_bounded(0, 1_000_000))
    since: str = "now"

    def __attrs_post_init__(self) -> None:
        if bool(self.command) == bool(self.url):
            raise InvalidSetting(
                "a hook has a command or a url",
                hint='write command = "PROGRAM …" or url = "https://…", and not both',
            )
        unknown = [name for name in self.on if name != ALL and name not in WORDS]
        if unknown or not self.on:
            raise InvalidSetting(
                f"there is no event {unknown[0]!r}" if unknown else "a hook has to be told of something",
                hint=f"known are {ALL}, {', '.join(sorted(WORDS))}",
            )
        if self.since not in _BEGINNINGS:
            raise InvalidSetting(f"since cannot be {self.since!r}", hint=f"it is {' or '.join(_BEGINNINGS)}")
        if self.url:
            receivers.check_url(self.url, "a hook")
        else:
            self.arguments()

    def arguments(self) -> list[str]:
        """Return the program and its arguments.

        Raises:
            InvalidSetting: a quote is left open, or there is nothing.
        """
        return receivers.words(self.command, "a hook")

    def matches(self, event: Event) -> bool:
        """Tell whether this is one of the events that the hook is told of."""
        name = word(type(event))
        return name in WORDS and (ALL in self.on or name in self.on)


@attrs.frozen(kw_only=True)
class Cursor:
    """Where a hook has come to.

    Attributes:
        position: of the last event that it has done with.
        delivered, given_up: how many events, in all.
        failures: how often the delivery of the next one has failed, and `error` why the last time.
        at_ns: when something was last tried (UTC).
    """

    position: int
    delivered: int = 0
    given_up: int = 0
    failures: int = 0
    error: str | None = None
    at_ns: int | None = None

    @property
    def is_troubled(self) -> bool:
        """Whether somebody should look at it."""
        return self.failures >= TROUBLED


def check_name(name: str) -> None:
    """Refuse the name of a hook that no file could have.

    Raises:
        InvalidSetting: it is none.
    """
    if not _NAME.fullmatch(name):
        raise InvalidSetting(f"a hook cannot be called {name!r}", hint="letters, digits, - and _ make a name")


def payload(fact: Fact, download: Download, *, path: str | None, at: str | None) -> dict[str, Any]:
    """Return what a hook is told; the same for the same event, whenever it is told.

    Args:
        fact: the event.
        download: its download as that event left it.
        path: where its file lies or is to lie, absolute, None when unknown here.
        at: when it happened.
    """
    complete = download.state is State.COMPLETED
    failed = download.state is State.FAILED
    return {
        "event": word(type(fact.event)),
        "id": str(download.id),
        "key": download.order.key,
        "state": download.state.shown,
        "path": path,
        "size": download.total,
        "digest": download.digest if complete else None,
        "url": download.order.url,
        "tags": list(download.order.tags),
        "error": f"{download.cause}: {download.message}" if failed else None,
        "at": at,
        "position": fact.position,
        "idempotency": str(fact.id),
    }


def environment(told: Payload) -> dict[str, str]:
    """Return what of a payload stands in the environment of a command."""
    names = {"LADING_EVENT": "event", "LADING_ID": "id", "LADING_PATH": "path", "LADING_STATE": "state",
             "LADING_KEY": "key", "LADING_IDEMPOTENCY": "idempotency"}  # fmt: skip
    return {name: str(told[field] or "") for name, field in names.items()}


def headers(told: Payload) -> dict[str, str]:
    """Return what of a payload stands in the head of a request."""
    return {"Content-Type": "application/json", _HEADER: str(told["idempotency"])}


def pause_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row: a second, then twice as long each time."""
    return float(min(LONGEST_PAUSE_S, 2 ** min(failures - 1, 20)))


class Runner(Protocol):
    """What delivers."""

    async def deliver(self, hook: Hook, told: Payload, /) -> None:
        """Tell a hook of one event, and return when it has taken that.

        Raises:
            HookFailed: it has not, or not in time; then nothing of it runs any more.
        """
        ...


class Cursors(Protocol):
    """Where cursors are kept, by the names of hooks; every method may block."""

    def load(self, name: str, /) -> Cursor | None:
        """Return where a hook has come to, None for one that is new."""
        ...

    def save(self, name: str, cursor: Cursor, /) -> None:
        """Keep that, durably."""
        ...
