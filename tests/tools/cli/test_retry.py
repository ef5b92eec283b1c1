"""`lading retry` tries again what failed."""

from __future__ import annotations

from lading.tools.origin import Behaviour, Refusal


def test_what_failed_is_queued_with_a_fresh_budget(lading, origin, small, folder):
    """The next run brings it."""
    origin.set(small.name, Behaviour(refusals=[Refusal(404)]))
    id = lading.row("get", origin.url(small.name), code=1)["id"]
    assert lading.row("retry", id)["state"] == "queued"
    assert lading("run").out == f"{folder / small.name}\n"


def test_a_completed_one_is_not_tried_again(lading, origin, small):
    """Exit code 2."""
    lading("retry", lading.row("get", origin.url(small.name))["id"], code=2)


def test_a_file_that_was_changed_is_fetched_again_only_when_it_may_be_put_aside(lading, origin, small, folder):
    """The refusal names the option, and changes nothing."""
    id = lading.row("get", origin.url(small.name))["id"]
    (folder / small.name).write_bytes(b"edited")
    lading("files", id)
    assert "--overwrite" in lading("--json", "retry", id, code=2).trouble["hint"]
    assert lading.row("files", id)["state"] == "not valid"
    assert lading.row("retry", id, "--overwrite")["state"] == "queued"
    lading("run")
    assert (folder / small.name).read_bytes() == small.read()
    (kept,) = folder.glob(".*.kept")
    assert kept.read_bytes() == b"edited"


def test_a_file_that_is_gone_is_fetched_again_in_one_go(lading, origin, small, folder):
    """Nobody has to look at it before: `retry` does, and the log is told."""
    id = lading.row("get", origin.url(small.name))["id"]
    (folder / small.name).unlink()
    assert lading.row("retry", id)["state"] == "queued"
    assert "Invalidated" in [row["event"] for row in lading.rows("log", "--id", id)]
    lading("run")
    assert (folder / small.name).read_bytes() == small.read()
