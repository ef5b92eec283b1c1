"""Paired runs: ours, theirs, ours, theirs …, and the ratios pair by pair."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import attrs

Measure = Callable[[], float]


@attrs.frozen(kw_only=True)
class Comparison:
    """What came of the pairs: medians of both sides in `unit`, and the ratios of ours to theirs.

    `least` is the ratio that is asked for, `aim` the one that is hoped for.
    """

    name: str
    peer: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    ratios: tuple[float, ...]
    least: float
    aim: float | None = None

    @property
    def held(self) -> bool:
        """Whether the median of the ratios is what is asked for."""
        return self.ratio >= self.least


def compare(
    name: str, ours: Measure, theirs: Measure, *, peer: str, pairs: int, least: float, aim: float | None = None
) -> Comparison:
    """Measure both sides in turn, `pairs` times after one warm-up, and compare; both return events a second."""
    ours(), theirs()
    both: Sequence[tuple[float, float]] = [(ours(), theirs()) for _ in range(pairs)]
    ratios = tuple(mine / other for mine, other in both)
    return Comparison(
        name=name,
        peer=peer,
        unit="events/s",
        ours=statistics.median(mine for mine, _ in both),
        theirs=statistics.median(other for _, other in both),
        ratio=statistics.median(ratios),
        ratios=ratios,
        least=least,
        aim=aim,
    )
