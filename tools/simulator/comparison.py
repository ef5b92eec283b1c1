"""Comparison: decisions of two courses side by side, and how far a simulation agrees with what was recorded.

A record does not tell everything that decided: clocks are read at other moments than what they are read for. What lies
within that is the same; all else differs, and is counted as it is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from lading.domain.requirements import DISK
from lading.tools.simulator.decisions import END, KINDS, QUEUE, START, WAIT, Decided, Decision, Key

NOT_KNOWABLE_S, NOT_KNOWABLE = 0.5, 0.02
"""How long a pass, a commit or a flush took is not in a record. So starts are the same that differ by so many seconds,
or by that share of the time since the beginning, over which it adds up."""
SAME_S = 0.05
"""Two simulations differ by no accident; what they differ by less is how long a pass takes."""
DELAY_S = 0.01
_PARTS = {START: "starts", END: "ends", WAIT: "blocks", QUEUE: "blocks"}
TIE_S = 0.02
"""What one pass of the scheduler starts is told in no order, and a pass comes so long after another at most."""


class Row(NamedTuple):
    """One decision as it was recorded, as it comes out under the recorded settings, and as it would have been."""

    key: Key
    recorded: Decision | None
    again: Decision | None
    simulated: Decision | None
    differs: bool

    @property
    def at_ns(self) -> int:
        """When it was made, or would have been."""
        made = self.simulated if self.recorded is None else self.recorded
        return 0 if made is None else made.at_ns


def rows(recorded: Decided, again: Decided, simulated: Decided | None, *, last_ns: int) -> list[Row]:
    """Return every decision, in the order of time.

    Without other settings a row differs where the simulation does not come to what was recorded; with them, where that
    changes what it comes to: so what is not knowable is not taken for what they do.
    """
    others = again if simulated is None else simulated
    found = []
    for key in recorded.decisions.keys() | again.decisions.keys() | others.decisions.keys():
        told = recorded.decisions.get(key)
        one, other = again.decisions.get(key), others.decisions.get(key)
        if simulated is None:
            differs = not _is_again(told, one) and not _is_beyond(told, one, last_ns)
        else:
            differs = not agree(one, other, SAME_S)
        found.append(Row(key, told, one, other, differs))
    return sorted(found, key=lambda row: (row.at_ns, KINDS.index(row.key[0]), row.key))


def _is_again(recorded: Decision | None, simulated: Decision | None) -> bool:
    """Tell whether a simulation comes to what was recorded, within what is not knowable."""
    passed_s = 0.0 if recorded is None else recorded.at_ns / 1e9
    return agree(recorded, simulated, max(NOT_KNOWABLE_S, NOT_KNOWABLE * passed_s))


def agree(one: Decision | None, other: Decision | None, within_s: float) -> bool:
    """Tell whether two decisions are the same; starts also by when, since that is what is decided."""
    if one is None or other is None:
        return one is other
    if one.what != other.what or abs(one.details.get("delay", 0.0) - other.details.get("delay", 0.0)) > DELAY_S:
        return False
    if one.what == "starts" and abs(one.at_ns - other.at_ns) > within_s * 1e9:
        return False
    names = (one.details.keys() | other.details.keys()) - {"delay"}
    return all(one.details.get(name) == other.details.get(name) for name in names)


def fidelity(recorded: Decided, again: Decided, *, last_ns: int) -> dict[str, Any]:
    """Return how well a simulation under the recorded settings agrees with the record, from 0 to 1, part by part.

    Each decision of either counts once, those apart that the record ends before. That an attempt completed, that it
    was stopped by somebody, or that there was room again on its disk, is given and decided by nobody: it counts only
    where the other comes to something else. The delay of a retry is as lucky as it was; that there is one, and out of
    how long a delay it was drawn, is decided. `order` is the share of starts that come in the same order; two that
    began within one pass have none.
    """
    agreed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for key in recorded.decisions.keys() | again.decisions.keys():
        one, other = recorded.decisions.get(key), again.decisions.get(key)
        if _is_beyond(one, other, last_ns) or _is_given(one, other):
            continue
        kind = _PARTS[key[0]]
        if key[0] == END and "retries" in {made.what for made in (one, other) if made is not None}:
            kind = "retries"
        total[kind] += 1
        agreed[kind] += _is_again(one, other)
    shares = {kind: _share(agreed[kind], total[kind]) for kind in ("starts", "retries", "ends", "blocks")}
    return {
        "all": _share(sum(agreed.values()), sum(total.values())),
        "order": _order(recorded, again, last_ns),
        **shares,
        "within": {"seconds": NOT_KNOWABLE_S, "share": NOT_KNOWABLE},
        "decisions": sum(total.values()),
        "agreed": sum(agreed.values()),
    }


def _is_given(recorded: Decision | None, simulated: Decision | None) -> bool:
    """Tell whether something came to the same in both, which the world or somebody gave it."""
    both = (recorded, simulated)
    if all(made is not None and made.what == "unblocked" and made.details.get("reason") == DISK for made in both):
        return True
    return {None if made is None else made.what for made in both} in ({"completed"}, {"stopped"})


def _is_beyond(recorded: Decision | None, simulated: Decision | None, last_ns: int) -> bool:
    """Tell whether a decision would have been made after the record ends, or so close to that that it may have been."""
    return recorded is None and simulated is not None and simulated.at_ns >= last_ns - NOT_KNOWABLE_S * 1e9


def _order(recorded: Decided, again: Decided, last_ns: int) -> float | None:
    """Return the share of starts that come in the same order: nothing that came clearly before one comes after it."""
    starts = {key: made for key, made in again.decisions.items() if key[0] == START}
    told = {key: made for key, made in recorded.decisions.items() if key[0] == START}
    both = sorted((made.at_ns, starts[key].at_ns) for key, made in told.items() if key in starts)
    alone = sum(key not in starts for key in told)
    alone += sum(not _is_beyond(told.get(key), made, last_ns) for key, made in starts.items() if key not in told)
    return _share(sum(_in_order(both)), len(both) + alone)


def _in_order(times: Sequence[tuple[int, int]]) -> Iterator[bool]:
    """Tell of each pair of times, sorted by the first, whether all others lie on the same side of it in both."""
    firsts = [one for one, _ in times]
    latest = list(accumulate((other for _, other in times), max))
    earliest = list(accumulate((other for _, other in reversed(times)), min))[::-1]
    tie_ns = int(TIE_S * 1e9)
    for one, other in times:
        before, after = bisect_left(firsts, one - tie_ns), bisect_right(firsts, one + tie_ns)
        is_late = before > 0 and latest[before - 1] > other + tie_ns
        is_early = after < len(times) and earliest[after] < other - tie_ns
        yield not is_late and not is_early


def _share(part: int, whole: int) -> float | None:
    """Return a share, rounded down: what is not all of it is never said to be."""
    return int(part / whole * 10_000) / 10_000 if whole else None
