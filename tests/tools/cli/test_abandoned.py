"""After an engine has died without a word nobody claims that it works."""

from __future__ import annotations

import signal

import pytest

from lading.tools.cli import homes
from lading.tools.cli.verbs import list as list_verb


@pytest.fixture
def running(lading, origin, large, working, eventually):
    """Return the id of a download that an engine of its own process is working on."""
    id = lading.add(origin.url(large.name), "-o", "it")
    eventually(lambda: lading.row("show", id)["state"] == "active")
    return id


def test_a_state_that_nobody_works_on_any_more_says_so(lading, running, working):
    """To people, in every verb that would say that an attempt is running."""
    looks = [("why", running), ("show", running), ("list",), ("list", "--total")]
    assert not [look for look in looks if homes.ABANDONED in "".join(lading(*look)[1:])]
    working.end(signal.SIGKILL)
    said = [lading(*look) for look in looks]
    assert [homes.ABANDONED in one.out for one in said] == [True, True, False, False]
    assert [homes.ABANDONED in one.err for one in said] == [False, False, True, True]
    assert lading("--json", "list").err == ""
    assert lading.row("show", running)["part"].startswith("/")


@pytest.mark.law(10)
def test_what_waits_without_an_engine_says_that_there_is_none(lading):
    """Which is nothing to worry about, and why it does not run; what has ended waits for nobody."""
    id = lading.add("http://a.test/1")
    looks = [("why", id), ("show", id), ("list",), ("list", "--total")]
    assert all(homes.UNWORKED in "".join(lading(*look)[1:]) for look in looks)
    assert homes.ABANDONED not in lading("why", id).out + lading("list").err
    assert lading("--json", "list").err == ""
    lading("cancel", id)
    assert not [look for look in looks if homes.UNWORKED in "".join(lading(*look)[1:])]


@pytest.mark.parametrize("abandoned", [True, False])
def test_what_nobody_works_on_has_no_rate_and_no_time_left(monkeypatch, abandoned):
    """The last rate in the log is that of an engine that is gone."""
    monkeypatch.setattr(homes, "is_abandoned", lambda *_: abandoned)
    rows = [{"state": "active", "rate": 5.0, "eta": 2.0}, {"state": "queued", "rate": None, "eta": None}]
    active, queued = list_verb._settled(None, rows)
    assert (active["rate"], active["eta"]) == ((None, None) if abandoned else (5.0, 2.0))
    assert queued == rows[1]
