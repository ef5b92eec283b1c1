"""`lading why` tells the chain of causes, from the download's own events."""

from __future__ import annotations

import pytest

from lading.tools.origin import Behaviour, Refusal


def test_a_failure_is_told_from_the_first_event_to_the_last(lading, origin, small):
    """Who wanted it, what was tried, what came of it, what to do."""
    origin.set(small.name, Behaviour(refusals=[Refusal(503, times=None, retry_after_s=0)]))
    id = lading.row("get", origin.url(small.name), "--retries", 1, code=1)["id"]
    row = lading.row("why", id)
    events = [cause["event"] for cause in row["causes"]]
    assert events[0] == "Queued"
    assert events[-1] == "Failed"
    assert events.count("Started") == 2
    assert "RetryScheduled" in events
    assert row["why"].startswith("failed of ")
    assert all(cause["at"] and cause["text"] for cause in row["causes"])


def test_who_asked_is_named(lading):
    """A pause is somebody's."""
    id = lading.add("http://a.test/1")
    lading("pause", id)
    *_, last = lading.row("why", id)["causes"]
    assert last["text"] == f"asked to pause by {last['actor']} on {last['host']}"
    assert "asked to pause by" in lading("why", id).out


def test_the_hint_of_a_cause_is_given(lading, origin):
    """To people and to programs."""
    id = lading.row("get", origin.url("missing"), code=1)["id"]
    assert lading.row("why", id)["hint"] in lading("why", id).out


@pytest.mark.law(10)
@pytest.mark.row("S2.11")
def test_what_is_slow_says_which_limit_holds_it(lading, origin, large, working, eventually):
    """Its own and those of the settings, each by its name."""
    lading("config", "set", "limit_rate", "300K")
    id = lading.add(origin.url(large.name), "--limit-rate", "200K")
    eventually(lambda: lading.row("list")["state"] == "active")
    assert lading.row("why", id)["limits"] == {"its own limit": 204_800, "limit_rate": 307_200}
    assert "held to 200.0 KiB/s by its own limit" in lading("why", id).out
