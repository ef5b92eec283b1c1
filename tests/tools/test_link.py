"""The bench of a long line: the line is as long as it says, and the race over it is run."""

from __future__ import annotations

import os
import time
import urllib.request

import pytest

from lading.tools.bench import link
from lading.tools.bench.delay import delayed
from lading.tools.origin import OriginProcess, Resource

pytestmark = pytest.mark.row("S2.4")


def test_a_line_passes_bytes_on_late_and_no_faster_than_it_is_told():
    """Whole and in order; a round trip to open it and another for the first byte, and then by its rate."""
    resource = Resource("far", 300_000)
    with OriginProcess([resource]) as origin:
        port = int(origin.root.rstrip("/").rpartition(":")[2])
        with delayed(port, round_trip_s=0.2, rate=1e6) as near:
            began_s = time.monotonic()
            with urllib.request.urlopen(f"http://127.0.0.1:{near}/far") as reply:
                first_s = time.monotonic() - began_s
                assert reply.read() == resource.read()
            took_s = time.monotonic() - began_s
    assert first_s >= 0.4
    assert took_s >= 0.4 + 0.25


@pytest.mark.long
def test_a_far_file_is_raced_by_several_connections_and_by_one(tmp_path, monkeypatch):
    """Over a line that limits each, and over one that limits all; each has its bound."""
    monkeypatch.setattr(link, "refuse_memory", lambda _: None)
    monkeypatch.setattr(link, "OF_EACH", 20 * link.MB)
    monkeypatch.setattr(link, "OF_ALL", 20 * link.MB)
    placings = link.run(tmp_path, turns=1, size=3_000_000)
    assert {placing.contender for placing in placings} >= {link.OURS, link.ONE}
    assert [placing.bound for placing in placings if placing.contender == link.ONE] == [
        link.LEAST_GAIN,
        link.MOST_LOSS,
    ]
    assert os.listdir(tmp_path) == []
