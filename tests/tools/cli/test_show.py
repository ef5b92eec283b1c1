"""`lading show` has all there is to know of one download."""

from __future__ import annotations

import attrs
import pytest

from lading.tools.origin import Behaviour, Drop, Redirect


def test_it_has_what_the_list_has_and_more(lading, origin, small):
    """The fields of both are of one download."""
    id = lading.row("get", origin.url(small.name), "--key", "mine")["id"]
    shown, listed = lading.row("show", id), lading.row("list")
    assert shown.items() >= listed.items()
    assert shown["digest"] == small.digest()
    assert [tried["state"] for tried in shown["tries"]] == ["completed"]


@pytest.mark.parametrize("called", ["mine", "{id}", "{start}", "{bare}"])
def test_a_download_is_called_by_id_beginning_of_it_or_key(lading, called):
    """As long as only one is meant."""
    id = lading.add("http://a.test/1", "--key", "mine")
    name = called.format(id=id, start=id[:13], bare=id.replace("-", ""))
    assert lading.row("show", name)["id"] == id


def test_the_beginning_of_two_ids_is_refused(lading):
    """With a hint."""
    id, _ = lading("add", "http://a.test/1", "http://a.test/2").out.split()
    said = lading("--json", "show", id[:8], code=2)
    assert said.trouble["kind"] == "UnknownDownload"
    assert said.trouble["hint"] == "give more of its id"


def test_people_get_lines_that_steer_no_terminal(lading):
    """Whatever a name holds."""
    id = lading.add("http://a.test/1", "-o", "a\x1b[31mb")
    assert "\x1b" not in lading("show", id).out
    assert lading.row("show", id)["path"].endswith("a\x1b[31mb")


def test_a_part_is_absolute_and_told_only_while_something_may_go_on_with_it(lading, origin, small, folder):
    """What is complete or given up has none; what failed keeps what it got."""
    done = lading.row("get", origin.url(small.name))["id"]
    assert lading.row("show", done)["part"] is None
    failed = lading.row("get", origin.url(small.name), "-o", "x", "--digest", f"md5:{'0' * 32}", "--retries", 0, code=1)
    part = lading.row("show", failed["id"])["part"]
    assert part.startswith(f"{folder}/.x.")
    assert f" {part}\n" in lading("show", failed["id"]).out
    lading("cancel", failed["id"])
    assert lading.row("show", failed["id"])["part"] is None


# -- where a byte came from --------------------------------------------------------------------------------------------


@pytest.mark.row("C.6")
def test_a_byte_is_traced_to_the_attempt_that_brought_it(lading, origin, small, large):
    """Piece, digest, attempt, worker, URL after redirects, validator, time and event; the log has no peer."""
    origin.set(large.name, Behaviour())
    origin.put(attrs.evolve(small, name="moved"))
    origin.set("moved", Behaviour(redirect=Redirect(large.name)))
    id = lading.row("get", origin.url("moved"), "--key", "k")["id"]
    row = lading.row("show", "k", "--at-byte", "5M")
    events = {event["position"]: event for event in lading.rows("log", "--id", id)}
    event = events[row["position"]]
    assert (event["event"], event["at"], event["event_id"]) == ("Progressed", row["durable_at"], row["event_id"])
    start, end = row["piece"]
    assert start <= 5 * 1024 * 1024 < end
    assert {"start": start, "end": end, "digest": row["digest"]} in event["data"]["pieces"]
    assert (row["url"], row["final_url"]) == (origin.url("moved"), origin.url(large.name))
    assert row["validator"]["etag"] == f'"{large.tag()}"'
    assert (row["attempt"], row["source"], row["peer"], row["cached"]) == (1, 0, None, False)
    assert (row["durable"], row["file_digest"]) == (True, large.digest())
    started = next(event for event in events.values() if event["event"] == "Started")
    assert row["worker"].replace("-", "") == started["data"]["worker"]
    said = lading("show", "k", "--at-byte", "5M").out
    assert row["digest"] in said
    assert row["final_url"] in said


@pytest.mark.row("C.6")
def test_a_byte_of_a_small_or_cached_file_is_traced_too(lading, origin, small, large):
    """A small file has no pieces; what came out of the cache says so."""
    origin.set(large.name, Behaviour())
    lading("get", origin.url(small.name), "--key", "s")
    row = lading.row("show", "s", "--at-byte", small.size - 1)
    assert (row["event"], row["whole"], row["digest"]) == ("Completed", True, small.digest())
    for name in ("one", "two"):
        lading("get", origin.url(large.name), "--key", name, "-o", name)
    cached = [lading.row("show", name, "--at-byte", 9_000_000)["cached"] for name in ("one", "two")]
    assert cached == [False, True]
    assert "from:             the cache" in lading("show", "two", "--at-byte", 0).out


@pytest.mark.row("C.6")
def test_a_byte_is_traced_across_engines(lading, origin, large):
    """What one engine had made durable stays its own when another goes on from there."""
    origin.set(large.name, Behaviour(drop=Drop(after=9_000_000)))
    id = lading.row("get", origin.url(large.name), "--retries", 0, "--connections", 1, code=1)["id"]
    origin.set(large.name, Behaviour())
    lading("retry", id)
    lading("run")
    opened = [event["data"]["worker"] for event in lading.rows("log") if event["event"] == "EngineOpened"]
    begin, end = (lading.row("show", id, "--at-byte", at) for at in (0, large.size - 1))
    assert [row["worker"].replace("-", "") for row in (begin, end)] == [opened[0], opened[-1]]
    assert [row["attempt"] for row in (begin, end)] == [1, 2]
    assert begin["file_digest"] == end["file_digest"] == large.digest()
    resumed = [event for event in lading.rows("log", "--id", id) if event["event"] == "Started"][-1]["data"]
    edge = [
        lading.row("show", id, "--at-byte", at)["attempt"] for at in (resumed["resumed_from"] - 1, begin["piece"][0])
    ]
    assert edge == [1, 1]
    assert lading.row("show", id, "--at-byte", resumed["resumed_from"])["attempt"] == 2


@pytest.mark.row("C.6")
def test_a_byte_that_is_not_there_is_said_not_to_be(lading, origin, small):
    """One that nothing vouches for yet is an answer, one beyond the end of the file is a mistake."""
    id = lading.add("http://a.test/1")
    row = lading.row("show", id, "--at-byte", 0)
    assert (row["durable"], row["digest"], row["position"]) == (False, None, None)
    assert row["why"] in lading("show", id, "--at-byte", 0).out
    lading("get", origin.url(small.name), "--key", "k")
    trouble = lading("--json", "show", "k", "--at-byte", small.size, code=2).trouble
    assert f"no byte {small.size}" in trouble["error"]
    assert f"0 to {small.size - 1}" in trouble["hint"]
