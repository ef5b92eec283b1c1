"""`lading verify` finds damage, wherever it is, and changes nothing."""

from __future__ import annotations

import shutil

import pytest

from lading.adapters.lmdb.store import LMDBStore
from lading.tools.origin import Behaviour


@pytest.fixture
def filled(lading, origin, small, folder):
    """A home with a completed download; the file of it."""
    lading("get", origin.url(small.name))
    return folder / small.name


def test_a_sound_home_is_sound(lading, filled):
    """Exit code 0, and what was looked at."""
    row = lading.row("verify", "--files", "--views")
    assert (row["ok"], row["findings"], row["views"], row["files"]) == (True, 0, True, 1)
    assert row["events"] == len(lading.rows("log"))
    assert lading("verify").out.startswith("sound: ")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "were published"),
        (lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]), "has changed"),
    ],
)
def test_a_file_that_is_not_what_was_published_is_found(lading, filled, harm, message):
    """Exit code 4, and which one."""
    harm(filled)
    said = lading("--json", "verify", "--files", code=4)
    finding, summary = said.rows
    assert (finding["kind"], finding["path"], summary["ok"]) == ("file", str(filled), False)
    assert message in finding["message"]
    assert said.trouble["exit_code"] == 4
    lading("verify")


def test_a_file_that_a_later_download_replaced_is_not_held_against_the_first(lading, filled, origin, large):
    """Its owner is the later one."""
    origin.set(large.name, Behaviour())
    lading("get", origin.url(large.name), "-o", filled, "--if-exists", "overwrite")
    assert lading.row("verify", "--files")["files"] == 1


def test_a_view_that_contradicts_the_log_is_found_and_rebuilt(lading, filled):
    """The log is what counts."""
    generation = (lading.home / "views").read_text().strip()
    store = LMDBStore(lading.home / f"views-{generation}", metasync=False)
    with store.write() as txn:
        txn.put(b"rc\x06queued", (7).to_bytes(8, "big"))
    store.close()
    finding, _ = lading.rows("verify", "--views", code=4)
    assert finding["kind"] == "view"
    assert "roster" in finding["message"]
    lading("rebuild")
    assert lading.row("verify", "--views")["ok"]


def test_a_damaged_record_is_found_and_nothing_else_is_tried(lading, filled):
    """LMDB would not notice."""
    data = lading.home / "log" / "data.mdb"
    data.write_bytes(data.read_bytes().replace(b"small.bin", b"SMALL.bin"))
    rows = lading.rows("verify", "--files", "--views", code=4)
    assert rows[0]["kind"] == "log"
    assert (rows[-1]["ok"], rows[-1]["files"]) == (False, None)


def test_another_kind_of_log_is_read_to_its_end(lading, tmp_path):
    """Whatever can be opened can be looked at."""
    url = f"sqlite:{tmp_path / 'log.sqlite'}"
    lading("--log", url, "add", "http://a.test/1")
    assert lading.row("--log", url, "verify", "--views")["events"] == 1


def test_a_home_without_a_log_is_exit_code_3(lading, filled):
    """And is not given one."""
    shutil.rmtree(lading.home / "log")
    lading("verify", code=3)
    assert not (lading.home / "log").exists()
