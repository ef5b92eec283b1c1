"""`lading run` works the queue until there is nothing left to do."""

from __future__ import annotations

import signal


def test_everything_that_is_queued_is_done(lading, origin, small, folder):
    """The paths go to stdout as downloads end."""
    lading("add", origin.url(small.name), "-o", "a")
    lading("add", origin.url(small.name), "-o", "b")
    assert sorted(lading("run", "--concurrency", 2).out.split()) == [f"{folder / name}" for name in "ab"]


def test_an_empty_queue_is_done_at_once(lading):
    """Also on a home that is made by that."""
    assert lading("run").out == ""


def test_a_failure_is_exit_code_1(lading, origin):
    """Only of this run: what failed before is not counted again."""
    lading("add", origin.url("missing"))
    assert "refused" in lading("run", code=1).err
    lading("run")


def test_what_is_paused_is_left_alone(lading, origin, small):
    """It is nobody's turn."""
    id = lading.add(origin.url(small.name))
    lading("pause", id)
    lading("run")
    assert lading.row("list")["state"] == "paused"


def test_a_second_one_follows_the_first(lading, origin, large, folder, spawn, working):
    """It ends when the queue is empty; the first goes on until it is told to stop."""
    lading("add", origin.url(large.name))
    said = spawn("run", "--json").end()
    assert [row["path"] for row in said.rows] == [str(folder / large.name)]
    assert (said.code, said.err) == (0, "")
    first = working.end(signal.SIGINT)
    assert first.code == 130
    assert first.out == f"{folder / large.name}\n"


def test_a_program_is_told_of_an_interruption(spawn, lading, eventually):
    """As of everything else: one object on stderr."""
    process = spawn("--json", "run", "--forever")
    eventually(lambda: (lading.home / "log").exists() and lading.rows("log"))
    said = process.end(signal.SIGTERM)
    assert (said.code, said.trouble["kind"], said.trouble["exit_code"]) == (130, "Interrupted", 130)
