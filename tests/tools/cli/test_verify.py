"""`lading verify` finds damage, wherever it is, and changes nothing."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sqlite3
import sys

import pytest

from lading.adapters.lmdb.store import LMDBStore
from lading.domain.pieces import SMALLEST_CELL
from lading.tools.cli import progress_bar
from lading.tools.cli.frame import Frame
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


def test_of_a_damaged_file_its_pieces_tell_which_bytes(lading, origin, large, folder):
    """And where there are none, only that it has changed."""
    origin.set(large.name, Behaviour())
    lading("get", origin.url(large.name), "--connections", "1")
    data = bytearray((folder / large.name).read_bytes())
    data[SMALLEST_CELL] ^= 1
    data[3 * SMALLEST_CELL + 7] ^= 1
    (folder / large.name).write_bytes(data)
    finding, _ = lading.rows("verify", "--files", code=4)
    cells = [[n * SMALLEST_CELL, (n + 1) * SMALLEST_CELL] for n in (1, 3)]
    assert finding["damaged"] == cells
    assert f"{cells[0][0]} to {cells[0][1]}, {cells[1][0]} to {cells[1][1]}" in finding["message"]


def test_a_part_that_rests_is_held_against_its_pieces(lading, origin, large, folder, spawn, eventually):
    """It will be found when it goes on, and can be known before."""
    origin.set(large.name, Behaviour(rate=6_000_000))
    running = spawn("get", origin.url(large.name), "--key", "p", "--connections", "1")
    eventually(lambda: any(part.stat().st_size > SMALLEST_CELL for part in folder.glob(".*.part")))
    lading("pause", "p")
    running.end(signal.SIGINT)
    assert lading.row("verify", "--files")["parts"] == 1
    (part,) = folder.glob(".*.part")
    data = bytearray(part.read_bytes())
    data[10] ^= 1
    part.write_bytes(data)
    finding, summary = lading.rows("verify", "--files", code=4)
    assert (finding["kind"], finding["damaged"][0][0], summary["parts"]) == ("part", 0, 1)


@pytest.fixture
def database(lading, tmp_path):
    """A log in SQLite with some events; its URL, and its tables to be tampered with."""
    path = tmp_path / "log.sqlite"
    url = f"sqlite:{path}"
    for number in range(3):
        lading("--log", url, "add", f"http://a.test/{number}", "--key", f"k{number}")
    lading("--log", url, "prioritise", "k0", "3")
    return url, path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE stored_events SET state = substr(state, 1, 40) WHERE rowid = 2", "cannot be read"),
        ("UPDATE stored_events SET topic = 'lading.queued.v9' WHERE topic LIKE '%queued%'", "does not know"),
        ("UPDATE stored_events SET originator_version = 4 WHERE topic LIKE '%reprioritised%'", "follows 1"),
        ("DELETE FROM stored_events WHERE topic LIKE '%queued%'", "follows 0"),
    ],
)
def test_every_log_is_held_against_what_it_can_say(change, message, lading, database):
    """Envelopes, topics, and versions that follow one another: for logs that have no checksums of ours."""
    url, path = database
    lading("--log", url, "verify")
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    *findings, _ = lading.rows("--log", url, "verify", code=4)
    assert message in findings[0]["message"]
    assert findings[0]["kind"] == "log"


def test_a_database_that_is_damaged_is_a_finding(lading, database):
    """Whatever its own program says of it."""
    url, path = database
    data = bytearray(path.read_bytes())
    data[4096:8192] = bytes([7]) * 4096
    path.write_bytes(data)
    for more in path.parent.glob("log.sqlite-*"):
        more.unlink()
    assert lading.rows("--log", url, "verify", code=4)[0]["kind"] == "log"


def test_progress_is_shown_where_somebody_looks(monkeypatch):
    """On a terminal a bar, and nothing to pipes and to programs."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    frame, terminal = Frame(), Terminal()
    with progress_bar.shown(frame) as progress:
        progress("log", 1, 2)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar.shown(frame) as progress:
        progress("log", 1, 2)
        progress("views", 3, None)
        progress.rest()
    assert "views" in terminal.getvalue()
    frame.json = True
    with progress_bar.shown(frame) as progress:
        assert type(progress) is progress_bar.Silent


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("verify", "--backup", "pipe"), 2),
        (("verify", "--export", "pipe.parquet"), 2),
        (("verify", "--export", "pipe.jsonl"), 2),
        (("replay", "--simulate", "pipe"), 2),
        (("--home", "other", "restore", "pipe"), 3),
    ],
)
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(lading, filled, folder, words, code):
    """Whatever names a file to be read has a regular one, or says at once that it has none."""
    for name in ("pipe", "pipe.parquet", "pipe.jsonl"):
        os.mkfifo(folder / name)
    assert "cannot be read: it is not a regular file" in lading(*words, code=code).err
