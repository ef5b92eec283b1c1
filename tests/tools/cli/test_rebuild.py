"""`lading rebuild` makes the views anew, and they say the same."""

from __future__ import annotations

import shutil

import pytest


def test_the_answers_are_those_from_before(lading, origin, small):
    """From nothing but the log."""
    lading("get", origin.url(small.name))
    lading("add", "http://a.test/1")
    before = lading.rows("list"), lading.rows("history"), lading.row("list", "--total")
    row = lading.row("rebuild")
    assert (row["downloads"], row["position"]) == (2, len(lading.rows("log")))
    assert (lading.rows("list"), lading.rows("history"), lading.row("list", "--total")) == before


def test_views_that_are_gone_come_back_by_themselves(lading):
    """They are disposable."""
    lading("add", "http://a.test/1")
    for path in lading.home.glob("views-*"):
        shutil.rmtree(path)
    assert len(lading.rows("list")) == 1


@pytest.mark.row("C.5")
def test_a_log_that_was_changed_gets_no_new_root(lading):
    """What was signed is held against the tree that comes out, every time that it was signed."""
    for number in range(3):
        lading("add", f"http://a.test/{number}")
        lading("checkpoint")
    lading("rebuild")
    (book,) = (lading.home / "checkpoints").iterdir()
    first, second, third = book.read_text().splitlines()[-3:]
    book.write_text("\n".join([first, second.replace("\\n2\\n", "\\n1\\n"), third, ""]))
    assert "not those for which checkpoint 2 of this home vouches" in lading("rebuild", code=4).err


def test_it_works_beside_an_engine(lading, origin, small, folder, working, eventually):
    """Which goes on with the new ones."""
    lading("rebuild")
    lading("add", origin.url(small.name))
    eventually(lambda: lading.row("list")["state"] == "completed")
