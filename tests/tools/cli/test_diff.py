"""`lading diff` tells what changed between two places in the log."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.row("C.6")


def end(lading) -> int:
    return lading.rows("log")[-1]["position"]


@pytest.fixture
def past(lading, origin, small):
    """A position; after it one download is given another priority, one is removed, and one is fetched."""
    kept, gone = lading("add", "http://a.test/1", "http://b.test/2").out.split()
    lading("pause", kept)
    position = end(lading)
    lading("prioritise", kept, 7)
    lading("remove", gone)
    new = lading.row("get", origin.url(small.name))["id"]
    return position, kept, gone, new


def test_each_download_that_changed_is_told_before_and_after(lading, past, small):
    """State, bytes, path and priority; what came and what went."""
    position, kept, gone, new = past
    rows = {row["id"]: row for row in lading.rows("diff", position, end(lading))}
    assert {id: row["change"] for id, row in rows.items()} == {kept: "changed", gone: "gone", new: "added"}
    assert rows[kept]["changed"] == ["priority"]
    assert (rows[kept]["before"]["priority"], rows[kept]["after"]["priority"]) == (0, 7)
    assert (rows[gone]["before"]["state"], rows[gone]["after"]["state"]) == ("queued", "removed")
    assert rows[new]["before"] is None
    assert (rows[new]["after"]["received"], rows[new]["after"]["path"]) == (small.size, lading.row("show", new)["path"])
    assert lading.rows("diff", position) == lading.rows("diff", position, "head") == [*rows.values()]


def test_it_is_what_two_replays_differ_by(lading, past):
    """Field by field, wherever it begins and ends."""
    last = end(lading)
    for first, second in ((0, last), (past[0], last), (last, 2), (3, 5), (last, last)):
        sides = [{row["id"]: row for row in lading.rows("replay", "--to", at)} for at in (first, second)]
        rows = {row["id"]: row for row in lading.rows("diff", first, second)}
        for id in sides[0] | sides[1]:
            was, became = (side.get(id) for side in sides)
            if was == became:
                assert id not in rows
                continue
            for name, row in (("before", was), ("after", became)):
                told = rows[id][name]
                if row is not None:
                    assert told.items() & row.items() >= {(key, row[key]) for key in ("state", "received", "priority")}
                else:
                    assert told is None or told["state"] == "removed"


def test_places_may_be_times(lading, past):
    """As in a replay."""
    position, *_ = past
    at = next(row["at"] for row in lading.rows("log") if row["position"] == position)
    assert lading.rows("diff", at, "now") == lading.rows("diff", position)
    assert lading.rows("diff", "2001-02-03", at) == lading.rows("diff", 0, position)


def test_people_get_a_line_each(lading, past):
    """With an arrow where something is not what it was."""
    position, kept, gone, new = past
    said = lading("diff", position).out
    lines = {line.split()[0]: line for line in said.splitlines()}
    assert "0 → 7" in lines[kept]
    assert "queued → removed" in lines[gone]
    assert "added" in lines[new]
    said = lading("diff", position, position)
    assert (said.out, said.err) == ("", f"nothing changed between {position} and {position}\n")


def test_a_position_that_the_log_has_not_come_to_is_refused(lading, past):
    """With where it ends."""
    last = end(lading)
    trouble = lading("--json", "diff", 1, last + 1, code=2).trouble
    assert str(last) in trouble["hint"]
