"""After an engine has died without a word nobody claims that it works."""

from __future__ import annotations

import signal

import pytest

from lading.tools.cli import homes


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


def test_what_only_waits_is_not_abandoned(lading):
    """A queue without an engine is nothing to worry about."""
    id = lading.add("http://a.test/1")
    assert homes.ABANDONED not in lading("why", id).out + lading("list").err
