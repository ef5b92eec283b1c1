"""The bench of a crowd: what is measured is what ran."""

from __future__ import annotations

import os

import pytest

from lading.tools.bench import crowd

pytestmark = pytest.mark.row("S2.4")


@pytest.mark.long
def test_a_crowd_runs_at_once_and_is_measured(tmp_path, monkeypatch):
    """All of them run, in a process of their own, and each bound has its figure."""
    monkeypatch.setattr(crowd, "refuse_memory", lambda _: None)
    figures = {figure.name: figure for figure in crowd.run(tmp_path, count=40, seconds=2.0)}
    memory = figures["anonymous memory with 40 downloads"]
    assert 5 < memory.value < 200
    asked = 0.8 * 40 * crowd.RATE / crowd.MIB
    assert [figure.bound for figure in figures.values()] == [200, asked, 20, None, 50, 0.5, None]
    assert figures["bytes a second of all of them"].value > 0
    assert figures["the slowest download, to the median"].held
    assert os.listdir(tmp_path) == []
