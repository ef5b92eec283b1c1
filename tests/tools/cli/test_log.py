"""`lading log` prints the events, from anywhere to anywhere, and as they come."""

from __future__ import annotations

import json
import signal


def test_every_event_is_there_in_order(lading):
    """With who, when and what."""
    id = lading.add("http://a.test/1", "--tag", "x")
    lading("pause", id)
    rows = lading.rows("log")
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)
    queued = rows[0]
    assert (queued["event"], queued["topic"], queued["id"], queued["version"]) == ("Queued", "lading.queued.v2", id, 1)
    assert queued["data"]["order"]["tags"] == ["x"]
    assert len(lading("log").out.splitlines()) == len(rows)


def test_a_stretch_of_it_has_both_ends(lading):
    """Positions as they are printed."""
    lading("add", *(f"http://a.test/{number}" for number in range(5)))
    assert [row["position"] for row in lading.rows("log", "--from", 2, "--to", 4)] == [2, 3, 4]
    assert lading.rows("log", "--from", 6) == []


def test_one_download_is_followed_to_its_end(lading, origin, large, spawn, working):
    """And then it returns."""
    id = lading.add(origin.url(large.name))
    said = spawn("--json", "log", "--follow", "--id", id).end()
    assert {row["id"] for row in said.rows} == {id}
    assert said.rows[-1]["event"] == "Completed"


def test_all_is_followed_until_interrupted(lading, spawn):
    """Each event is there when it is recorded."""
    id = lading.add("http://a.test/1")
    following = spawn("--json", "log", "--follow")
    assert json.loads(following.popen.stdout.readline())["id"] == id
    other = lading.add("http://a.test/2")
    assert json.loads(following.popen.stdout.readline())["id"] == other
    assert following.end(signal.SIGINT).code == 130


def test_an_engines_own_events_are_found_by_their_stream(lading):
    """They belong to no download."""
    lading("run")
    worker = lading.rows("log")[0]["id"]
    assert [row["event"] for row in lading.rows("log", "--id", worker)] == ["EngineOpened", "EngineClosed"]
    lading("log", "--id", "nobody", code=2)


def test_a_stretch_that_ends_before_it_begins_is_refused(lading):
    """Silence would look like an empty log."""
    lading("add", *(f"http://a.test/{number}" for number in range(5)))
    said = lading("log", "--from", 5, "--to", 3, code=2)
    assert "--from 5 lies behind --to 3" in said.err
    assert len(lading.rows("log", "--from", 3, "--to", 3)) == 1
