"""`lading checkpoint` signs what the log is like, and holds it against what was signed before."""

from __future__ import annotations

import shutil
import time

import pytest

from lading.adapters.signing import is_signed
from lading.domain.notes import Checkpoint, Note, VerifierKey
from lading.tiles import turn

pytestmark = pytest.mark.row("C.5")


def test_a_checkpoint_is_signed_by_the_key_that_is_told(lading):
    """Whoever has the key of the home can check what it signs, which covers all of the log."""
    lading("add", "http://a.test/1")
    key = VerifierKey.parse(lading("checkpoint", "--key").out)
    note = Note.parse(lading("checkpoint").out)
    row = lading.row("checkpoint")
    found = Checkpoint.parse(note.text)
    assert is_signed(note, [key])
    assert (row["origin"], row["size"], row["root"], row["note"]) == (
        found.origin,
        found.size,
        found.root.hex(),
        str(note),
    )
    assert found.size == len(lading.rows("log"))
    assert lading.row("checkpoint", "--key")["key"] == str(key)


def test_a_log_follows_on_what_was_kept_of_it(lading, tmp_path):
    """As long as it has that history; else it is told, with exit code 4."""
    lading("add", "http://a.test/1")
    shutil.copytree(lading.home, tmp_path / "copy")
    lading("add", "http://a.test/2")
    kept = tmp_path / "kept"
    kept.write_text(lading("checkpoint").out)
    lading("add", "http://a.test/3")
    lading("checkpoint", "--follows", kept)
    shutil.rmtree(lading.home)
    shutil.copytree(tmp_path / "copy", lading.home)
    assert "an older copy was put back" in lading("checkpoint", "--follows", kept, code=4).err


def test_what_is_no_checkpoint_of_this_log_is_told(lading, tmp_path):
    """Another file, and the checkpoint of another log."""
    lading("add", "http://a.test/1")
    (tmp_path / "text").write_bytes(b"\xff\xfe")
    assert "is no checkpoint" in lading("checkpoint", "--follows", tmp_path / "text", code=4).err
    kept = tmp_path / "kept"
    kept.write_text(lading("checkpoint").out)
    shutil.rmtree(lading.home)
    lading("add", "http://a.test/1")
    assert "of another log" in lading("checkpoint", "--follows", kept, code=4).err
    lading("checkpoint", "--follows", tmp_path / "missing", code=2)
    lading("checkpoint", "--key", "--follows", kept, code=2)


def test_the_tree_is_written_where_it_can_be_served(lading, tmp_path):
    """Beside the checkpoint that was printed; a place that cannot be is told."""
    lading("add", "http://a.test/1")
    note = lading("checkpoint", "--tiles", tmp_path / "www").out
    assert (tmp_path / "www" / "checkpoint").read_text() == note
    assert (tmp_path / "www" / "tile" / "0" / "000.p" / "1").stat().st_size == 32
    (tmp_path / "file").write_text("")
    lading("checkpoint", "--tiles", tmp_path / "file" / "www", code=2)


def test_what_is_served_only_grows_whoever_publishes_at_the_same_time(lading, spawn, tmp_path):
    """Who waits for his turn at the folder signs when it has come."""
    lading("add", "http://a.test/1")
    with turn(tmp_path / "www"):
        waiting = spawn("checkpoint", "--tiles", tmp_path / "www")
        time.sleep(1)  # by then it waits for its turn, or else this proves less
        lading("add", "http://a.test/2")
        size = lading.row("checkpoint")["size"]
        assert waiting.popen.poll() is None
    assert waiting.end().code == 0
    assert (tmp_path / "www" / "checkpoint").read_text().splitlines()[1] == str(size)


def test_checkpoints_of_a_log_elsewhere_do_not_hang_on_how_its_url_is_spelt(lading, tmp_path):
    """They are found by any URL of it."""
    (tmp_path / "a").mkdir()
    lading("--log", f"sqlite:{tmp_path}/a/x.db", "add", "http://a.test/1")
    lading("--log", f"sqlite:{tmp_path}/a/x.db", "checkpoint")
    assert lading.row("--log", f"sqlite:{tmp_path}//a/x.db", "verify")["checkpoints"] == 1


def test_tiles_of_another_log_or_of_one_that_has_come_further_are_left_alone(lading, tmp_path):
    """What lies there is not written over, and is told."""
    www = tmp_path / "www"
    lading("add", "http://a.test/1")
    shutil.copytree(lading.home, tmp_path / "copy")
    lading("checkpoint", "--tiles", www)
    lading("add", "http://a.test/2")
    lading("checkpoint", "--tiles", www)
    before = {path: path.read_bytes() for path in www.rglob("*") if path.is_file()}
    mine, lading.home = lading.home, tmp_path / "copy"
    assert "events of this log, which has" in lading("checkpoint", "--tiles", www, code=2).err
    for number in range(3):
        lading("add", f"http://b.test/{number}")
    assert "another history of this log" in lading("checkpoint", "--tiles", www, code=2).err
    lading.home = tmp_path / "other"
    lading("add", "http://a.test/1")
    assert "the ledger of another log" in lading("checkpoint", "--tiles", www, code=2).err
    assert {path: path.read_bytes() for path in www.rglob("*") if path.is_file()} == before
    lading.home = mine
    (www / "checkpoint").write_text("x")
    assert "is no checkpoint" in lading("checkpoint", "--tiles", www, code=2).err
    (www / "checkpoint").unlink()
    lading("checkpoint", "--tiles", www)


def test_a_checkpoint_that_nobody_signed_accuses_nobody(lading, folder):
    """Whatever it says of the log, its signature is looked at first."""
    lading("add", "http://a.test/1")
    note = lading("checkpoint").out
    origin, size, root, rest = note.split("\n", 3)
    for forged in (f"{origin}\n{size}\n{'A' * 43}=\n{rest}", f"{origin}\n500\n{root}\n{rest}"):
        (folder / "forged").write_text(forged)
        said = lading("checkpoint", "--follows", "forged", code=4)
        assert "forged was not signed with a key of this home" in said.err
        assert "repair --log" not in said.err
