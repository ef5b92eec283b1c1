"""The bench of receipts makes and checks real ones."""

from __future__ import annotations

import pytest

from lading.tools.bench import receipt

pytestmark = [
    pytest.mark.row("C.5"),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]


def test_it_measures_a_receipt(tmp_path, monkeypatch):
    """Of as many events as were asked for, wherever it is tried."""
    monkeypatch.setattr(receipt, "refuse_memory", lambda _: None)
    figures = {figure.name: figure.value for figure in receipt.run(tmp_path, events=40)}
    assert figures["of each event"] * 40 == pytest.approx(figures["receipt of 40 events"] * 1e6)
    assert 1000 < figures["of each event"] < 2500
    assert list(tmp_path.iterdir()) == []
