"""`lading backup` takes a copy of a home beside whoever works on it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.row("S2.14")


def test_a_backup_is_taken_beside_an_engine_and_verified(lading, origin, small, working, eventually, folder):
    """What it says of itself, what is left out, and what `verify` says of it."""
    lading("add", origin.url(small.name), "--header", "X-Token: canary")
    eventually(lambda: lading.row("list")["state"] == "completed")
    row = lading.row("backup", "b")
    assert row["path"] == str(folder / "b")
    assert row["bytes"] == (folder / "b").stat().st_size
    assert (row["vault"], row["left_out"]) == (False, ["vault"])
    assert 0 < row["events"] <= len(lading.rows("log"))
    said = lading("backup", "c")
    assert said.out.endswith(": c\n")
    assert "left out: vault" in said.err
    assert lading.row("backup", "d", "--with-vault")["left_out"] == []
    found = lading.row("verify", "--backup", "b")
    assert (found["kind"], found["ok"], found["events"]) == ("backup", True, row["events"])
    assert lading("verify", "--backup", "b").out.startswith("sound: ")


def test_a_file_that_is_there_stays_unless_it_was_said(lading, folder):
    """Exit code 1, and the hint says how."""
    lading.add("http://a.test/1")
    (folder / "b").write_text("mine")
    assert "--force" in lading("backup", "b", code=1).err
    assert (folder / "b").read_text() == "mine"
    lading("backup", "b", "--force")
    lading("verify", "--backup", "b")


def test_no_backup_is_taken_of_a_home_that_is_not_there(lading, folder):
    """Exit code 3; and none is made by asking."""
    lading("backup", "b", code=3)
    assert not lading.home.exists()
    lading.add("http://a.test/1")
    lading("backup", "nowhere/b", code=3)


def test_what_is_no_backup_is_told_as_damage(lading, folder):
    """Exit code 4."""
    (folder / "b").write_bytes(b"something else" * 100)
    assert lading("--json", "verify", "--backup", "b", code=4).trouble["kind"] == "BackupDamaged"
    lading("restore", "b", code=4)
    assert not lading.home.exists()
