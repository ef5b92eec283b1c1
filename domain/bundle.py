"""Downloads that belong together: where a bundle stands, what may happen to it, and what its owner has to do next.

A bundle has a stream of its own, which tells of it as a whole; its members are downloads like any other, whose orders
name it. Under `best_effort` each member goes its own way. Under `all_or_nothing` and `roll_forward` the members are
published together: what is whole stays in its part until all are, and then all get their final names or none does.

As for downloads, one table says what is legal, `decide` makes events, `evolve` folds them. `following` compares the
bundle with the muster of its members and says what is to be done; it may be asked at any time, and twice in a row.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from uuid import UUID

import attrs

from lading.domain import events as e
from lading.domain.download import Download
from lading.domain.errors import IllegalCommand, LogDamaged
from lading.domain.faults import Cause
from lading.domain.requests import Order
from lading.domain.states import SHOWN, State

MEMBER = "member"
"""The cause of a bundle that failed because not all of its members are whole."""


class BundlePolicy(enum.StrEnum):
    """What becomes of the others when a member fails."""

    BEST_EFFORT = "best_effort"
    ALL_OR_NOTHING = "all_or_nothing"
    ROLL_FORWARD = "roll_forward"

    @property
    def together(self) -> bool:
        """Whether the members get their final names all together or not at all."""
        return self is not BundlePolicy.BEST_EFFORT


class Phase(enum.StrEnum):
    """Where a bundle is."""

    OPEN = "open"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    FAILED = "failed"


class Step(enum.Enum):
    """What its owner has to do with a bundle: nothing; make it visible; say that it failed; open it again."""

    NOTHING = 0
    PUBLISH = 1
    FAIL = 2
    REOPEN = 3


TRANSITIONS: dict[Phase | None, dict[type[e.Event], Phase]] = {
    None: {e.BundleOpened: Phase.OPEN},
    Phase.OPEN: {e.BundleVerified: Phase.PUBLISHING, e.BundleFailed: Phase.FAILED},
    Phase.PUBLISHING: {e.BundlePublished: Phase.PUBLISHED, e.BundleFailed: Phase.FAILED},
    Phase.PUBLISHED: {},
    Phase.FAILED: {e.BundleRetried: Phase.OPEN},
}
OF_BUNDLES = frozenset(kind for row in TRANSITIONS.values() for kind in row)


@attrs.frozen(kw_only=True)
class Bundle:
    """The state of one bundle; times are UTC in nanoseconds.

    Attributes:
        version: of its stream, the last event folded in.
        members: how many it has.
        folder: what an all-or-nothing bundle becomes, below `root`; `staging` the folder in which it is put together.
        inode: that of the staged folder, once it is about to be made visible.
        cause, message: why it failed.
    """

    id: UUID
    phase: Phase
    name: str
    policy: BundlePolicy
    members: int
    version: int = 1
    root: str = "downloads"
    folder: str | None = None
    staging: str | None = None
    inode: int | None = None
    cause: str | None = None
    message: str | None = None
    opened_at_ns: int = 0
    updated_at_ns: int = 0


@attrs.frozen(kw_only=True)
class Muster:
    """The members of a bundle taken together; sizes in bytes, of those that nobody gave up.

    Attributes:
        states: how many are in each state that users see, those in which there are any.
        staged: how many are whole and wait for the rest.
        received: durable bytes.
        total: bytes of those whose size is known.
        unsized: how many have a size that is not known yet.
    """

    states: Mapping[str, int] = attrs.field(factory=dict)
    staged: int = 0
    received: int = 0
    total: int = 0
    unsized: int = 0

    @property
    def members(self) -> int:
        """How many there are."""
        return sum(self.states.values())

    @property
    def lost(self) -> int:
        """How many have ended and are not there."""
        return sum(self.states.get(state, 0) for state in _LOST)

    @property
    def given_up(self) -> int:
        """How many somebody cancelled or removed."""
        return sum(self.states.get(state, 0) for state in _GIVEN_UP)


_GIVEN_UP = (State.CANCELLED.shown, State.REMOVED.shown)
_LOST = (State.FAILED.shown, *_GIVEN_UP)
_SETTLED = frozenset({"completed", "partial", "failed", "cancelled", "removed"})
_WORKING = (State.ACTIVE.shown, State.VERIFYING.shown, "stopping")


def muster(downloads: Iterable[Download], start: Muster | None = None, sign: int = 1) -> Muster:
    """Add downloads to a muster, or with a `sign` of -1 take them away."""
    start = start or Muster()
    states = dict(start.states)
    staged, received, total, unsized = start.staged, start.received, start.total, start.unsized
    for download in downloads:
        shown = download.state.shown
        states[shown] = states.get(shown, 0) + sign
        staged += sign * download.staged
        if shown not in _GIVEN_UP:
            received += sign * download.received
            total += sign * (download.total or 0)
            unsized += sign * (download.total is None)
    kept = {state: states[state] for state in SHOWN if states.get(state)}
    return Muster(states=kept, staged=staged, received=received, total=total, unsized=unsized)


# -- what happens to it ------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Begin:
    """All members are whole: begin to make them visible."""

    inode: int | None = None


@attrs.frozen
class Finish:
    """All members have their final names."""


@attrs.frozen(kw_only=True)
class Fail:
    """It comes to nothing for now, and nothing of it is visible."""

    cause: str
    message: str


@attrs.frozen
class TryAgain:
    """It may come to something after all."""


Command = Begin | Finish | Fail | TryAgain


def decide(bundle: Bundle, command: Command) -> tuple[e.Event, ...]:
    """Answer `command` with the events that it makes; trying again what has not failed makes none.

    Raises:
        IllegalCommand: it cannot be said of a bundle in this phase.
    """
    event: e.Event
    match command:
        case Begin():
            event = e.BundleVerified(inode=command.inode)
        case Finish():
            event = e.BundlePublished()
        case Fail():
            event = e.BundleFailed(cause=command.cause, message=command.message)
        case TryAgain():
            if bundle.phase is not Phase.FAILED:
                return ()
            event = e.BundleRetried()
    if type(event) not in TRANSITIONS[bundle.phase]:
        raise IllegalCommand(
            f"{type(event).__name__} cannot be said of a bundle that is {bundle.phase}",
            hint="`lading bundle show B` tells where it stands",
        )
    return (event,)


def evolve(bundle: Bundle | None, event: e.Event, *, stream: UUID, at_ns: int) -> Bundle:
    """Fold one event, which happened at `at_ns`, into the state of its stream.

    Raises:
        LogDamaged: the event is not legal here, so this log was not written by our decisions.
    """
    phase = TRANSITIONS[None if bundle is None else bundle.phase].get(type(event))
    if phase is None:
        before = "nothing" if bundle is None else bundle.phase
        raise LogDamaged(f"{type(event).__name__} cannot follow {before} in the stream {stream}")
    if bundle is None:
        assert isinstance(event, e.BundleOpened)
        return Bundle(
            id=stream,
            phase=phase,
            name=event.name,
            policy=BundlePolicy(event.policy),
            members=len(event.members),
            root=event.root,
            folder=event.folder,
            staging=event.staging,
            opened_at_ns=at_ns,
            updated_at_ns=at_ns,
        )
    known = attrs.evolve(bundle, phase=phase, version=bundle.version + 1, updated_at_ns=at_ns)
    match event:
        case e.BundleVerified():
            return attrs.evolve(known, inode=event.inode)
        case e.BundleFailed():
            return attrs.evolve(known, cause=event.cause, message=event.message, inode=None)
        case _:
            return attrs.evolve(known, cause=None, message=None)


# -- what is to be done with it ----------------------------------------------------------------------------------------


def following(bundle: Bundle, members: Muster) -> Step:
    """Return what the owner of the home has to do with a bundle whose members stand so.

    One that failed because of its members is open again as soon as none of them is lost any more, whoever saw to that.
    """
    if not bundle.policy.together:
        return Step.NOTHING
    whole = members.staged == bundle.members
    match bundle.phase:
        case Phase.OPEN if whole:
            return Step.PUBLISH
        case Phase.OPEN if members.lost:
            return Step.FAIL
        case Phase.PUBLISHING:
            return Step.PUBLISH if whole else Step.FAIL
        case Phase.FAILED if bundle.cause == MEMBER and not members.lost:
            return Step.REOPEN
        case _:
            return Step.NOTHING


def shown(bundle: Bundle, members: Muster) -> str:
    """Return the state of a bundle as users see it.

    That is `completed`, `partial` (some members are there, and the others will not come), `failed`, `cancelled` or
    `removed` once nothing more will happen by itself; before that `publishing`, or what its members do.
    """
    states = members.states
    if members.given_up == members.members:
        return "removed" if states.get("removed") == members.members else "cancelled"
    if bundle.policy.together:
        if bundle.phase is Phase.PUBLISHED:
            return "completed"
        if bundle.phase is Phase.PUBLISHING or members.staged == bundle.members:
            return "failed" if bundle.phase is Phase.FAILED else "publishing"
        if members.lost or (bundle.phase is Phase.FAILED and bundle.cause != MEMBER):
            return "failed"
    elif members.lost + states.get("completed", 0) == members.members:
        if not states.get("failed"):
            return "completed"
        return "partial" if states.get("completed") else "failed"
    if any(states.get(state) for state in _WORKING):
        return "active"
    left = _at_work(members)
    return next((state for state in ("queued", "waiting", "paused") if left.get(state)), "waiting")


def _at_work(members: Muster) -> dict[str, int]:
    """Return how many members are in each state of those that are not there yet, the staged ones left out."""
    left = {**members.states, "waiting": members.states.get("waiting", 0) - members.staged}
    return {state: count for state, count in left.items() if state != State.COMPLETED.shown}


def is_settled(state: str) -> bool:
    """Tell of a state that users see whether nothing more will happen unless somebody asks for it."""
    return state in _SETTLED


def why(bundle: Bundle, members: Muster) -> str:
    """Return in one short sentence why a bundle is in the state in which users see it."""
    count, whole = members.members, members.states.get("completed", 0)
    match shown(bundle, members):
        case "completed" if whole < count:
            return f"{whole} of {count} members are there, the others were given up"
        case "completed":
            return f"all {count} members are there"
        case "failed" if bundle.phase is Phase.FAILED and bundle.cause != MEMBER:
            return f"failed of {bundle.cause}: {bundle.message}"
        case "failed" | "partial":
            return f"{lost(members)}; {members.staged or whole} of {count} are whole"
        case "publishing":
            return f"all {count} members are whole, and are about to be visible"
        case "cancelled" | "removed" as ended:
            return f"{ended} by request"
        case _:
            told = (f"{number} {state}" for state, number in _at_work(members).items() if number)
            return f"{members.staged or whole} of {count} members are whole, {', '.join(told)}"


def lost(members: Muster) -> str:
    """Return in words how many members will not come."""
    counts = ((state, members.states.get(state, 0)) for state in _LOST)
    told = [f"{count} {'' if state == 'failed' else 'were '}{state}" for state, count in counts if count]
    return f"of {members.members} members {' and '.join(told) or 'none failed'}"


HINTS: Mapping[str, str] = {
    MEMBER: "`lading bundle show B` names them; `lading bundle retry B` tries again those that failed",
    Cause.DESTINATION: "move what lies there out of the way; then `lading bundle retry B` needs to fetch nothing again",
    Cause.DISK: "check that the folder is writable and has room; then `lading bundle retry B` fetches nothing again",
}


def hint(bundle: Bundle, members: Muster) -> str | None:
    """Return what to do about a bundle that failed, None for any other."""
    if shown(bundle, members) not in {"failed", "partial"}:
        return None
    return HINTS.get(bundle.cause or MEMBER)


# -- where it is put together ------------------------------------------------------------------------------------------


def staging_name(name: str, id: UUID) -> str:
    """Return the name of the hidden folder in which the bundle that is to become `name` is put together."""
    return f".{name}.{id.hex[-8:]}.bundle"


def staging_folders(order: Order) -> tuple[str, ...]:
    """Return the folders in which a member is staged, below its root, the innermost first; none outside of staging."""
    if order.bundle is None:
        return ()
    parts = order.folder.split("/")
    ours = [
        n for n, part in enumerate(parts) if part.startswith(".") and part.endswith(staging_name("", order.bundle)[1:])
    ]
    return tuple("/".join(parts[: n + 1]) for n in range(len(parts) - 1, ours[0] - 1, -1)) if ours else ()
