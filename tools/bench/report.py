"""How figures are shown: a table for people, a JSON object a line for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import attrs
import orjson

from lading.tools.bench.pairs import Comparison
from lading.tools.bench.races import Placing


@attrs.frozen(kw_only=True)
class Figure:
    """One measured number, and the bound that it is to keep, if there is one; `at_most` tells which way."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    at_most: bool = True

    @property
    def held(self) -> bool | None:
        """Whether the bound is kept; None when there is none."""
        if self.bound is None:
            return None
        return self.value <= self.bound if self.at_most else self.value >= self.bound


def show(results: Iterable[Comparison | Figure | Placing], *, json: bool) -> int:
    """Print each result as soon as there is one; return the exit code, 1 when something asked for was not reached."""
    missed = False
    for result in results:
        if json:
            sys.stdout.buffer.write(orjson.dumps(attrs.asdict(result) | {"held": result.held}) + b"\n")
        else:
            print(_line(result))
        sys.stdout.flush()
        missed |= result.held is False
    return 1 if missed else 0


def _line(result: Comparison | Figure | Placing) -> str:
    verdict = {True: "held", False: "MISSED", None: ""}[result.held]
    if isinstance(result, Figure):
        bound = "" if result.bound is None else f"{'≤' if result.at_most else '≥'} {result.bound:g}"
        return f"{result.name:52} {_figure(result.value):>14} {result.unit:10} {bound:12} {verdict}"
    if isinstance(result, Placing):
        asked = "" if result.bound is None else f"≤ {result.bound:g}" + (f" (aim {result.aim:g})" if result.aim else "")
        return (
            f"{result.race:24} {result.contender:22} {result.wall_s:8.2f} s {result.cpu_s:8.2f} s of CPU "
            f"{result.peak_bytes / 2**20:7.0f} MiB   ours ×{result.ratio:5.2f} "
            f"({min(result.ratios):.2f}–{max(result.ratios):.2f})  {asked:17} {verdict}"
        )
    spread = f"{min(result.ratios):.2f}–{max(result.ratios):.2f}"
    asked = f"≥ {result.least:g}" + (f" (aim {result.aim:g})" if result.aim else "")
    return (
        f"{result.name:44} {result.ours:11,.0f} : {result.theirs:11,.0f} {result.unit}"
        f"  × {result.ratio:5.2f} ({spread})  {asked:18} {verdict}  [{result.peer}]"
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
