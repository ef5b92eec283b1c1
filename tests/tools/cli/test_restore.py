"""`lading restore` makes a home of a backup, and what had not ended goes on."""

from __future__ import annotations

import pytest

from lading.adapters.notebook import Notebook
from lading.domain.notes import Note
from lading.tools.origin import Behaviour, Drop

pytestmark = pytest.mark.row("S2.14")


@pytest.fixture
def other(lading, tmp_path):
    """Run a command on another home."""

    def run(*words, home="other", code=0):
        lading.home, kept = tmp_path / home, lading.home
        try:
            return lading(*words, code=code)
        finally:
            lading.home = kept

    return run


def test_a_restored_home_is_listed_by_replay_and_goes_on(lading, other, origin, small, folder):
    """What is complete is so there too; what is queued is fetched, with the secret that its URL has."""
    lading("get", origin.url(small.name))
    lading.add(f"{origin.url(small.name)}?token=canary", "-o", "second", "--key", "k")
    lading("backup", "b", "--with-vault")
    listed, history = lading.rows("list"), lading.rows("history")
    row = other("--json", "restore", "b").rows[0]
    assert row["events"] == row["position"]
    assert (other("--json", "list").rows, other("--json", "history").rows) == (listed, history)
    assert other("--json", "verify", "--views", "--files").rows[-1]["ok"]
    other("run")
    assert (folder / "second").read_bytes() == small.read()


@pytest.fixture
def broken_off(lading, origin, large):
    """A home that was backed up when a download had some of its bytes."""
    origin.set(large.name, Behaviour(drop=Drop(after=2_000_000)))
    lading("get", origin.url(large.name), "--key", "k", "--retries", "0", code=1)
    assert lading.row("show", "k")["received"] > 0
    lading("backup", "b")
    origin.set(large.name, Behaviour())


def test_a_download_goes_on_from_what_lies_on_this_disk(other, broken_off, large, folder):
    """Its part is vouched for by the log that was restored."""
    other("restore", "b")
    other("retry", "k")
    other("run")
    shown = other("--json", "show", "k").rows[0]
    assert shown["state"] == "completed"
    assert shown["resumed_from"] > 0
    assert (folder / large.name).read_bytes() == large.read()


def test_where_a_part_is_not_a_download_begins_anew(other, broken_off, large, folder):
    """What the log vouches for and the disk does not hold is fetched again."""
    (part,) = folder.glob(".*.part")
    part.unlink()
    other("restore", "b")
    other("retry", "k")
    other("run")
    assert (folder / large.name).read_bytes() == large.read()


def test_a_home_that_is_there_stays(lading, other):
    """Exit code 3, with a hint; and nothing of it has changed."""
    lading.add("http://a.test/1")
    lading("backup", "b")
    lading.add("http://a.test/2")
    assert "name a folder" in lading("restore", "b", code=3).err
    assert len(lading.rows("list")) == 2
    assert other("--json", "restore", "b", "--dry-run").rows[0]["dry_run"]
    other("list", code=3)


@pytest.mark.row("C.4")
def test_a_home_moves_to_another_kind_of_log(lading, other):
    """The log is named when it is restored, and from then on."""
    ids = [lading.add(f"http://a.test/{n}") for n in range(3)]
    lading("backup", "b")
    other("--log", "sqlite:log.db", "restore", "b")
    assert [row["id"] for row in other("--json", "--log", "sqlite:log.db", "list").rows] == ids


@pytest.mark.row("C.5")
def test_a_log_that_moves_is_held_to_all_that_was_signed_of_it(lading, other, folder):
    """It keeps its name from LMDB to SQLite and back: an anchor goes on, what somebody kept elsewhere is followed."""
    lading.home.mkdir()
    (lading.home / "settings.toml").write_text(f"[anchors.safe]\nfile = {str(folder / 'anchor')!r}\n")
    lading.add("http://127.0.0.1:9/1")
    (folder / "kept").write_text(lading.row("checkpoint")["note"])
    lading("backup", "b", "--with-vault")
    moved = ("--log", "sqlite:log.db")
    assert other(*moved, "restore", "b", home="moved").err == ""
    other(*moved, "add", "http://127.0.0.1:9/2", home="moved")
    note = other("--json", *moved, "checkpoint", "--follows", str(folder / "kept"), home="moved").rows[0]["note"]
    assert Notebook(folder / "anchor").last() == Note.parse(note)
    assert "4 checkpoints" in other(*moved, "verify", home="moved").out  # two here, and the same at the anchor
    other(*moved, "backup", "c", "--with-vault", home="moved")
    other("restore", "c", home="back")
    other("add", "http://127.0.0.1:9/3", home="back")
    other("checkpoint", "--follows", str(folder / "kept"), home="back")
    assert len(list(Notebook(folder / "anchor").notes())) == 3
    older = other("--json", *moved, "restore", "b", home="older").rows[0]["doubts"]
    assert older
    assert "an older copy was put back" in other(*moved, "add", "http://127.0.0.1:9/4", home="older", code=4).err


@pytest.mark.row("C.5")
def test_a_backup_that_is_older_than_its_anchor_is_restored_and_told(lading, other, folder):
    """Nobody writes to that home until somebody decides; a later backup is restored without a word."""
    anchor = folder / "anchor"
    lading.home.mkdir()
    (lading.home / "settings.toml").write_text(f"[anchors.safe]\nfile = {str(anchor)!r}\n")
    lading.add("http://127.0.0.1:9/1")
    lading("backup", "keyless")
    lading("checkpoint")
    lading("backup", "old")
    lading.add("http://127.0.0.1:9/2")
    lading("backup", "new")
    with Notebook(anchor).turn() as turn:
        turn.append(Note.parse(lading.row("checkpoint")["note"]))
    older = other("restore", "old", home="older")
    assert "of the anchor 'safe' vouches for" in older.err
    assert "is not written to" in older.err
    (told,) = other("--json", "restore", "old", home="again").rows[0]["doubts"]
    assert told in older.err
    assert other("--json", "list", home="older").rows
    refused = other("add", "http://127.0.0.1:9/3", home="older", code=4)
    assert "an older copy was put back" in refused.err
    newer = other("--json", "restore", "new", home="newer")
    assert (newer.rows[0]["doubts"], newer.err) == ([], "")
    other("add", "http://127.0.0.1:9/3", home="newer")
    assert "not signed with a key of this home" in other("restore", "keyless", home="keyless").err
    anchor.write_text("nonsense\n")
    assert "no signed note" in other("restore", "new", home="unread").err
