"""Tables of decisions: which function answers which command.

`control` has those that answer what people want, `reports` those for what workers tell, and `tending` those for what an
engine does about a download by itself; `decide` looks in all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from lading.domain import events as e
from lading.domain.download import Download
from lading.domain.errors import IllegalCommand

Events = tuple[e.Event, ...]
C = TypeVar("C")


class Decisions(dict[type[Any], Callable[[Download, Any], Events]]):
    """The answers to commands, by the kind of command."""

    def on(self, kind: type[C]) -> Callable[[Callable[[Download, C], Events]], Callable[[Download, C], Events]]:
        """Enter a function as the answer to commands of a kind."""

        def enter(decision: Callable[[Download, C], Events]) -> Callable[[Download, C], Events]:
            self[kind] = decision
            return decision

        return enter


def illegal(download: Download, verb: str, hint: str) -> IllegalCommand:
    """Return the error for what cannot be done in the state of a download."""
    return IllegalCommand(f"cannot {verb} a download that is {download.state.shown}", hint=hint)
