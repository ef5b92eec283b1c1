"""On a terminal that is narrow, what is told first is what is wrong, and a download has a name that verbs take."""

from __future__ import annotations

WIDE = 400


def test_a_narrow_terminal_has_room_for_why(lading, origin, on_terminal):
    """The name is a key, or a part of the id that finds the download; a wide terminal and --json have the whole id."""
    ids = lading("add", origin.url("missing"), origin.url("gone"), "--retries", "0").out.split()
    lading("add", origin.url("lost"), "--key", "mine", "--retries", "0")
    lading("run", code=1)
    head, _, *rows = on_terminal(80, "list")
    assert [word for word in head.split() if word in {"ID", "STATE", "WHY"}] == ["ID", "STATE", "WHY"]
    assert all(len(row) <= 80 for row in rows)
    names = [row.split()[0] for row in rows if " failed " in row[:32]]
    assert [lading.row("show", name)["id"] for name in names[:2]] == ids
    assert names[2] == "mine"
    why = "".join(row[head.index("WHY") :].strip() for row in rows).replace(" ", "")
    assert why == "".join(row["why"] for row in lading.rows("list")).replace(" ", "")
    assert [row.split()[0] for row in on_terminal(WIDE, "list")[2:4]] == ids
