"""`lading undo` and `lading redo`: the last thing that was asked for, with its files."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.row("S2.13")]


def test_a_removed_file_is_back_when_this_returns_and_gone_again_after_redo(lading, origin, small, folder):
    """No engine runs: the verb does what there is to do with files itself."""
    id = lading.row("get", origin.url(small.name))["id"]
    lading("remove", id, "--files")
    assert not (folder / small.name).exists()
    row = lading.row("undo")
    assert (row["undone"], row["command"], row["downloads"], row["changed"]) == (True, "remove", [id], 1)
    assert (folder / small.name).read_bytes() == small.read()
    assert lading.row("list")["state"] == "completed"
    assert lading("redo").out == f"done again: removing {id}\n"
    assert not (folder / small.name).exists()


def test_many_at_once_are_one_act(lading):
    """However many an option meant."""
    lading("add", "http://a.test/1", "http://a.test/2")
    lading("pause", "--all")
    assert lading("undo").out == "undone: pausing 2 downloads\n"
    assert [row["state"] for row in lading.rows("list")] == ["queued", "queued"]


@pytest.mark.parametrize("verb", ["undo", "redo"])
def test_when_there_is_nothing_to_take_back_it_says_so(lading, verb):
    """With a hint, and exit code 2."""
    lading.add("http://a.test/1")
    if verb == "undo":
        lading("undo")
    said = lading("--json", verb, code=2)
    assert said.trouble["hint"]


def test_what_lies_in_the_way_stays_and_it_is_told_where_the_file_is(lading, origin, small, folder):
    """Nothing is overwritten by undoing."""
    id = lading.row("get", origin.url(small.name))["id"]
    lading("remove", id, "--files")
    (folder / small.name).write_bytes(b"in the way")
    said = lading("undo")
    (kept,) = folder.glob(f".{small.name}.*.kept")
    assert str(kept) in said.err
    assert str(kept) in lading("why", id).out
    assert (folder / small.name).read_bytes() == b"in the way"
    assert kept.read_bytes() == small.read()


def test_what_had_failed_comes_back_with_its_cause_and_what_to_do_about_it(lading, origin):
    """It is not said to be paused by request: nobody asked for that."""
    id = lading.row("get", origin.url("missing"), code=1)["id"]
    lading("remove", id)
    lading("undo")
    row = lading.row("why", id)
    assert row["state"] == "paused"
    assert "after it had failed" in row["why"]
    assert "lading retry" in row["hint"]
    assert lading.row("list")["error"]


def test_a_file_that_was_changed_and_left_is_told_of(lading, origin, small, folder):
    """By the verb that leaves it, and by the undo of that one."""
    id = lading.row("get", origin.url(small.name))["id"]
    (folder / small.name).write_bytes(b"edited")
    assert "left" in lading("remove", id, "--files").err
    assert "6 bytes" in lading("undo").err
    assert (folder / small.name).read_bytes() == b"edited"


def test_what_cannot_be_undone_is_let_stand_when_that_is_asked(lading, origin, small):
    """The hint names the option, and what was before it comes next."""
    lading("config", "set", "retention_s", "0")
    id = lading.row("get", origin.url(small.name))["id"]
    lading("add", "http://a.test/1")
    lading("remove", id, "--files")
    assert "--skip" in lading("--json", "undo", code=2).trouble["hint"]
    row = lading.row("undo", "--skip")
    assert (row["undone"], row["command"], row["changed"]) == (False, "remove", 0)
    assert lading.row("undo")["command"] == "add"
