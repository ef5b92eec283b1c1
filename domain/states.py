"""Where a download can be, and the one table of what may happen to it there.

Everything that affects legality is in `TRANSITIONS`: state × event → state. An absent key is an illegal event, which
`lading.domain.evolving.evolve` refuses; nothing else in the program may know better. The diagram in the README is drawn
from this table.

Three states are shown to users as one word, `stopping`: somebody asked a running attempt to end, and the owner of the
file has not yet said `Stopped`. Which of them it is decides what comes after.
"""

from __future__ import annotations

import enum

from lading.domain import events as e


class State(enum.StrEnum):
    """Where a download is."""

    QUEUED = "queued"
    ACTIVE = "active"
    VERIFYING = "verifying"
    WAITING = "waiting"
    PAUSING = "pausing"
    CANCELLING = "cancelling"
    REMOVING = "removing"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REMOVED = "removed"

    @property
    def shown(self) -> str:
        """The word that users see."""
        return "stopping" if self in STOPPING else self.value


STOPPING = frozenset({State.PAUSING, State.CANCELLING, State.REMOVING})
RUNNING = frozenset({State.ACTIVE, State.VERIFYING})
ENDED = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.REMOVED})
SHOWN = tuple(dict.fromkeys(state.shown for state in State))

_S = State
_ASKED: dict[type[e.Event], State] = {e.Cancelled: _S.CANCELLED, e.Removed: _S.REMOVED}
_OPTIONS = (e.Reprioritised, e.LimitChanged)


def _options(state: State) -> dict[type[e.Event], State]:
    """Return the row of what changes how a download runs, and not where it stands."""
    return dict.fromkeys(_OPTIONS, state)


_ANYWHERE = (e.Forgotten, e.KeyShredded)
"""What is about a download's secrets alone, wherever it stands: those of one that has ended are kept as well."""

_WORKING: dict[type[e.Event], State] = {
    e.Probed: _S.ACTIVE,
    e.Joined: _S.ACTIVE,
    e.Progressed: _S.ACTIVE,
    e.PieceRejected: _S.ACTIVE,
    e.ResourceChanged: _S.ACTIVE,
    e.Restarted: _S.ACTIVE,
    e.FellBack: _S.ACTIVE,
    e.Verified: _S.VERIFYING,
    e.Completed: _S.COMPLETED,
    e.RetryScheduled: _S.WAITING,
    e.Blocked: _S.WAITING,
    e.Failed: _S.FAILED,
    e.Stopped: _S.QUEUED,
    e.Degraded: _S.ACTIVE,
    e.FinishRequested: _S.ACTIVE,
    e.Paused: _S.PAUSING,
    e.Cancelled: _S.CANCELLING,
    e.Removed: _S.REMOVING,
}

TRANSITIONS: dict[State | None, dict[type[e.Event], State]] = {
    None: {e.Queued: _S.QUEUED},
    _S.QUEUED: {
        **_ASKED,
        e.Started: _S.ACTIVE,
        e.Paused: _S.PAUSED,
        e.Blocked: _S.WAITING,
        **_options(_S.QUEUED),
        e.SourceReplaced: _S.QUEUED,
    },
    _S.WAITING: {
        **_ASKED,
        e.Started: _S.ACTIVE,
        e.Unblocked: _S.QUEUED,
        e.Resumed: _S.QUEUED,
        e.Paused: _S.PAUSED,
        e.Blocked: _S.WAITING,
        e.Completed: _S.COMPLETED,
        e.SourceReplaced: _S.WAITING,
        **_options(_S.WAITING),
    },
    _S.PAUSED: {**_ASKED, e.Resumed: _S.QUEUED, e.SourceReplaced: _S.PAUSED, **_options(_S.PAUSED)},
    _S.ACTIVE: {**_WORKING, **_options(_S.ACTIVE)},
    _S.VERIFYING: {
        e.Completed: _S.COMPLETED,
        e.PieceRejected: _S.ACTIVE,
        e.Restarted: _S.ACTIVE,
        e.RetryScheduled: _S.WAITING,
        e.Blocked: _S.WAITING,
        e.Failed: _S.FAILED,
        e.Stopped: _S.QUEUED,
        e.Paused: _S.PAUSING,
        e.Cancelled: _S.CANCELLING,
        e.Removed: _S.REMOVING,
        **_options(_S.VERIFYING),
    },
    _S.PAUSING: {
        e.Probed: _S.PAUSING,
        e.Joined: _S.PAUSING,
        e.Progressed: _S.PAUSING,
        e.PieceRejected: _S.PAUSING,
        e.Degraded: _S.PAUSING,
        e.Stopped: _S.PAUSED,
        e.Completed: _S.COMPLETED,
        e.Cancelled: _S.CANCELLING,
        e.Removed: _S.REMOVING,
        **_options(_S.PAUSING),
    },
    _S.CANCELLING: {e.Stopped: _S.CANCELLED, e.Removed: _S.REMOVING},
    _S.REMOVING: {e.Stopped: _S.REMOVED},
    _S.COMPLETED: {
        e.Removed: _S.REMOVED,
        e.Invalidated: _S.COMPLETED,
        e.Confirmed: _S.COMPLETED,
        e.Discarded: _S.COMPLETED,
        e.Returned: _S.COMPLETED,
        e.Resumed: _S.QUEUED,
    },
    _S.FAILED: {
        e.Resumed: _S.QUEUED,
        e.Cancelled: _S.CANCELLED,
        e.Removed: _S.REMOVED,
        e.SourceReplaced: _S.FAILED,
        **_options(_S.FAILED),
    },
    _S.CANCELLED: {
        e.Resumed: _S.QUEUED,
        e.Restored: _S.QUEUED,
        e.Removed: _S.REMOVED,
        e.Quarantined: _S.CANCELLED,
        e.Discarded: _S.CANCELLED,
    },
    _S.REMOVED: {
        e.Restored: _S.QUEUED,
        e.Returned: _S.COMPLETED,
        e.Quarantined: _S.REMOVED,
        e.Discarded: _S.REMOVED,
    },
}

for _state, _row in TRANSITIONS.items():
    if _state is not None:
        _row.update(dict.fromkeys(_ANYWHERE, _state))


def diagram() -> str:
    """Draw `TRANSITIONS` as a Mermaid state diagram in the words that users see."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for before, row in TRANSITIONS.items():
        for event, after in row.items():
            ends = ("[*]" if before is None else before.shown, after.shown)
            if ends[0] != ends[1]:
                arrows.setdefault(ends, [])
                if event.__name__ not in arrows[ends]:
                    arrows[ends].append(event.__name__)
    lines = [f"    {before} --> {after}: {', '.join(names)}" for (before, after), names in arrows.items()]
    return "\n".join(["stateDiagram-v2", *lines])
