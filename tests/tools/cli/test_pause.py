"""`lading pause` lets downloads rest, and returns when they do."""

from __future__ import annotations

import signal

import pytest


def test_what_is_queued_rests(lading):
    """Pausing twice is pausing once."""
    id = lading.add("http://a.test/1")
    for _ in range(2):
        assert lading("pause", id).out == f"{id} paused\n"


def test_a_running_one_has_stopped_when_it_returns(lading, origin, large, folder, working, eventually):
    """The owner of the file said so."""
    id = lading.add(origin.url(large.name))
    eventually(lambda: [part for part in folder.glob(".*.part") if part.stat().st_size])
    assert lading.row("pause", id)["state"] == "paused"
    (part,) = folder.glob(".*.part")
    size = part.stat().st_size
    assert lading.row("show", id)["received"] <= size < large.size
    assert working.end(signal.SIGTERM).code == 130
    assert part.stat().st_size == size


def test_what_a_killed_engine_left_running_can_be_paused(lading, origin, large, working, eventually):
    """With nobody there the verb settles it itself, and starts nothing."""
    id = lading.add(origin.url(large.name))
    eventually(lambda: lading.row("list")["total"])
    working.end(signal.SIGKILL)
    assert lading.row("pause", id)["state"] == "paused"


@pytest.mark.parametrize("options", [("--tag", "x"), ("--all",)])
def test_many_are_chosen_as_far_as_it_applies(lading, options):
    """What cannot be paused is passed over."""
    lading("add", "http://a.test/1", "http://a.test/2", "--tag", "x")
    done, queued = lading.rows("list")
    lading("cancel", done["id"])
    assert [row["id"] for row in lading.rows("pause", *options)] == [queued["id"]]
    assert lading("pause", *options).err == "there was nothing to do\n"


@pytest.mark.parametrize("choice", [(), ("ID", "--all"), ("--tag", "x", "--all")])
def test_what_is_meant_must_be_said_in_one_way(lading, choice):
    """Nothing is paused by mistake."""
    id = lading.add("http://a.test/1")
    lading("pause", *(id if word == "ID" else word for word in choice), code=2)
    assert lading.row("list")["state"] == "queued"


def test_a_named_one_that_cannot_be_paused_is_exit_code_2(lading):
    """The hint says what can."""
    id = lading.add("http://a.test/1")
    lading("cancel", id)
    assert lading("--json", "pause", id, code=2).trouble["kind"] == "IllegalCommand"


def test_no_wait_only_asks(lading, origin, large, working, eventually):
    """The state may still be stopping."""
    id = lading.add(origin.url(large.name))
    eventually(lambda: lading.row("list")["total"])
    assert lading.row("pause", id, "--no-wait")["state"] in {"stopping", "paused"}
    eventually(lambda: lading.row("list")["state"] == "paused")


def test_a_verb_of_control_starts_no_download(lading, origin, small, folder):
    """Even if the home has no engine and the verb is its owner for a moment."""
    one, _ = lading("add", origin.url(small.name), origin.url(small.name)).out.split()
    lading("pause", one)
    assert [row["attempts"] for row in lading.rows("list")] == [0, 0]
    assert not list(folder.iterdir())


def test_controlling_makes_no_home(lading):
    """Exit code 3 where there is none."""
    lading("pause", "--all", code=3)
    assert not lading.home.exists()


@pytest.mark.row("S0.1")
def test_the_whole_queue_can_rest_and_what_is_added_waits_and_says_so(lading, origin, small):
    """The pause outlives every process; `run` ends, since nothing will start."""
    lading("remove", lading.add("http://a.test/1"))
    assert lading("pause", "--queue").out == "the queue is paused\n"
    id = lading.add(origin.url(small.name))
    told = lading("run")
    assert "the queue is paused" in told.err
    row = lading.row("list")
    assert (row["state"], "paused" in row["why"]) == ("queued", True)
    assert lading.row("list", "--total")["paused"] is True
    assert "lading resume --queue" in lading("list").err
    assert "paused" in lading("why", id).out
    assert lading.row("resume", "--queue") == {"paused": False, "blocked": {}}
    lading("run")
    assert lading.row("list")["state"] == "completed"


def test_the_queue_and_downloads_are_not_paused_in_one_breath(lading):
    """Nobody means both."""
    lading.add("http://a.test/1")
    lading("pause", "--queue", "--all", code=2)
    assert lading.row("list")["state"] == "queued"
