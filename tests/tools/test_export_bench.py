"""`lading bench export` measures exports, at a size that a test has time for."""

from __future__ import annotations

import pytest

from lading.tools.bench import export

pytestmark = pytest.mark.row("C.7")


@pytest.mark.long
def test_it_tells_the_rate_and_the_memory(tmp_path, monkeypatch):
    """By the clock, by CPU time; own and resident."""
    monkeypatch.setattr(export, "refuse_memory", lambda _: None)
    figures = {figure.name: figure for figure in export.run(tmp_path, count=2_000, turns=1)}
    rate, memory = figures["2,000 events to Parquet"], figures["… own memory at most"]
    assert (rate.bound, rate.at_most, memory.bound, memory.at_most) == (100_000, False, 300, True)
    assert rate.value > 0
    assert 0 < memory.value < 300
    assert list(tmp_path.iterdir()) == []
