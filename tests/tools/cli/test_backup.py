"""`lading backup` takes a copy of a home beside whoever works on it."""

from __future__ import annotations

import shutil

import pytest

from lading import packing
from lading.adapters.parcel import Packer, Parcel
from lading.backup import EVENTS

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
    for more in (("--files",), ("--views",), ("--export", "b")):
        assert "by itself" in lading("verify", "--backup", "b", *more, code=2).err


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


@pytest.mark.row("C.5")
def test_of_a_log_that_is_less_than_was_signed_no_backup_is_made(lading, folder):
    """`restore` would refuse it: what lies there from before stays, and such a file is not called sound."""
    lading.add("http://a.test/1")
    shutil.copytree(lading.home / "log", folder / "older")
    lading.add("http://a.test/2")
    lading("checkpoint")
    lading("backup", "b")
    good = (folder / "b").read_bytes()
    shutil.rmtree(lading.home / "log")
    shutil.copytree(folder / "older", lading.home / "log")
    assert "not those that were signed" in lading("backup", "b", "--force", code=4).err
    assert (folder / "b").read_bytes() == good
    with Parcel(folder / "b") as parcel, (folder / "worse").open("wb") as file:
        packer = Packer(file)
        for name in parcel.members:
            kept = (
                packing.pack(list(packing.unpack(parcel.chunks(name)))[:1]) if name == EVENTS else parcel.chunks(name)
            )
            packer.add(name, kept)
        packer.close({**parcel.words, "events": 1, "root": None})
    for words in (("verify", "--backup", "worse"), ("restore", "worse", "--dry-run")):
        assert "signed" in lading(*words, code=4).err


@pytest.mark.row("C.5")
def test_a_log_elsewhere_that_is_gone_is_told_and_not_made_anew(lading, folder):
    """Its disk may come back; until then nothing looks like a home where nothing ever happened."""
    log = ("--log", f"sqlite:{folder / 'log.db'}")
    assert lading(*log, "add", "http://a.test/1", "http://a.test/2").out
    lading(*log, "checkpoint")
    lading(*log, "backup", "b")
    (folder / "log.db").rename(folder / "away")
    for words in (("list",), ("add", "http://a.test/3"), ("backup", "b", "--force"), ("verify",)):
        said = lading(*log, *words, code=4)
        assert "the log of this home is gone" in said.err + said.out
    assert not (folder / "log.db").exists()
    lading("verify", "--backup", "b")
    (folder / "away").rename(folder / "log.db")
    assert len(lading.rows(*log, "list")) == 2


def test_what_is_no_backup_is_told_as_damage(lading, folder):
    """Exit code 4."""
    (folder / "b").write_bytes(b"something else" * 100)
    assert lading("--json", "verify", "--backup", "b", code=4).trouble["kind"] == "BackupDamaged"
    lading("restore", "b", code=4)
    assert not lading.home.exists()
