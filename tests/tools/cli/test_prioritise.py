"""`lading prioritise` changes the order of the queue."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("priority", [7, -7])
def test_the_number_stands_last(lading, priority):
    """Also a negative one."""
    first, second = lading("add", "http://a.test/1", "http://a.test/2").out.split()
    assert [row["priority"] for row in lading.rows("prioritise", first, second, priority)] == [priority, priority]


def test_higher_runs_first(lading, origin, small):
    """One at a time."""
    lading("add", origin.url(small.name), "-o", "a")
    last = lading.add(origin.url(small.name), "-o", "b")
    lading("prioritise", last, 1)
    lading("run", "--concurrency", 1)
    started = [row["id"] for row in lading.rows("log") if row["event"] == "Started"]
    assert started[0] == last


@pytest.mark.parametrize("words", [("--all",), ("--all", "high"), ("--all", 2**31)])
def test_it_must_be_a_number(lading, words):
    """Of 32 bits."""
    lading.add("http://a.test/1")
    lading("prioritise", *words, code=2)
    assert lading.row("list")["priority"] == 0
