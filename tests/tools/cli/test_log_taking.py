"""`lading --log URL repair --log` takes what is valid of a log in a database into the home, and leaves it as it is."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest

from lading import log_taking
from lading.adapters import codec
from lading.domain.events import LogRepaired
from lading.home import open_home
from lading.logs import open_log

pytestmark = [pytest.mark.row("S2.14")]


@pytest.fixture
def database(lading, tmp_path):
    """The options that name a log in SQLite with some events, signed; and its file."""
    path = tmp_path / "log.sqlite"
    options = ("--log", f"sqlite:{path}")
    lading.home.mkdir()
    (lading.home / "settings.toml").write_text(f'[anchors.safe]\nfile = "{tmp_path / "anchor"}"\n')
    for number in range(4):
        lading(*options, "add", f"http://a.test/{number}")
    lading(*options, "checkpoint")
    return options, path


def change(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def entries(url, home):
    """Return what a log holds, without positions."""
    log = open_log(url, home)
    try:
        return [each[1:] for each in log.read()]
    finally:
        log.close()


def test_a_database_that_is_sound_is_left_alone(lading, database):
    """The home gets no log."""
    options, _ = database
    row = lading.row(*options, "repair", "--log")
    assert (row["repaired"], row["events"], row["lost"]) == (False, 4, 0)
    assert not [path for path in lading.home.iterdir() if path.name.startswith("log")]


@pytest.mark.row("C.5")
def test_an_older_copy_of_a_database_goes_on_in_the_home_and_says_so(lading, database, tmp_path):
    """Refused until somebody decides; then checkpoints and anchor take the home's log for what it is."""
    options, path = database
    change(path, "DELETE FROM stored_events WHERE rowid = 4")
    shutil.rmtree(next(lading.home.glob("views-*")))
    (lading.home / "views").unlink()
    said = lading(*options, "add", "http://a.test/9", code=4).err
    assert "repair --log" in said
    before, copied = path.read_bytes(), entries(options[1], lading.home)
    row = lading.rows(*options, "repair", "--log")[-1]
    assert (row["repaired"], row["events"], row["cut"], row["lost"]) == (True, 3, 4, 1)
    assert "an older copy was put back" in row["reason"]
    assert row["aside"] == f"sqlite:{path}"
    assert path.read_bytes() == before
    assert entries("lmdb:", lading.home)[:-1] == copied
    lading("add", "http://a.test/9")
    told = lading.row("verify", "--views")
    assert (told["ok"], told["given_up"]) == (True, 1)
    lading("checkpoint")
    assert [found["status"] for found in lading.rows("health") if found["check"] == "anchor safe"] == ["ok"]


@pytest.mark.parametrize("what", ["state = 'text'", "topic = NULL", "originator_version = 9", "originator_id = 'zzz'"])
def test_what_is_damaged_and_lies_behind_it_is_told_as_lost(what, lading, database):
    """What lies before it goes on."""
    options, path = database
    copied = entries(options[1], lading.home)
    change(path, f"UPDATE stored_events SET {what} WHERE rowid = 3")
    lading(*options, "verify", code=4)
    *lost, row = lading.rows(*options, "repair", "--log")
    assert (row["repaired"], row["events"], row["cut"], row["lost"]) == (True, 2, 3, 2)
    assert [found["url"] for found in lost][-1:] == ["http://a.test/3"]
    *kept, (stream, version, topic, state) = entries("lmdb:", lading.home)
    assert kept == copied[:2]
    assert str(stream) == row["log"]
    assert (version, topic) == (1, LogRepaired.TOPIC)
    assert codec.read_words(state)[1]["reason"] == row["reason"]
    assert [found["url"] for found in lading.rows("list")] == ["http://a.test/0", "http://a.test/1"]
    lading("add", "http://a.test/9")
    assert lading.row("verify", "--views")["ok"]


def test_hooks_go_on_from_the_event_that_they_had_come_to(lading, database):
    """A database's positions have gaps, and those of the home's own log have none."""
    options, path = database
    change(path, "UPDATE stored_events SET rowid = rowid * 10")
    change(path, "UPDATE stored_events SET topic = NULL WHERE rowid = 40")
    (lading.home / "hooks").mkdir()
    for name, position in (("behind", 20), ("beyond", 40)):
        (lading.home / "hooks" / name).write_text(json.dumps({"position": position, "delivered": 2}))
    lading(*options, "repair", "--log")
    told = {path.name: json.loads(path.read_text())["position"] for path in (lading.home / "hooks").iterdir()}
    assert told == {"behind": 2, "beyond": 3}


def test_a_crash_leaves_the_home_as_it_was_or_with_its_new_log(lading, database, monkeypatch):
    """Whoever opens it then finishes what was begun."""
    options, path = database
    change(path, "UPDATE stored_events SET topic = NULL WHERE rowid = 3")

    def crash(*_):
        raise KeyboardInterrupt

    for step, is_done in (("sync_folder", False), ("put_repaired", True)):
        with monkeypatch.context() as patched:
            patched.setattr(log_taking, step, crash)
            lading(*options, "repair", "--log", code=130)
        assert (open_home(lading.home, new_id=None).repaired is not None) == is_done
    assert [found["url"] for found in lading.rows("list")] == ["http://a.test/0", "http://a.test/1"]
    assert lading.row("verify")["ok"]


def test_nothing_is_given_up_unasked_and_no_log_is_written_over(lading, database):
    """An empty prefix needs --accept-loss; a home that has a log of its own keeps it."""
    options, path = database
    change(path, "UPDATE stored_events SET topic = NULL WHERE rowid = 1")
    said = lading("--json", *options, "repair", "--log", code=4)
    assert "--accept-loss" in said.trouble["hint"]
    assert not (lading.home / "log").exists()
    assert lading.rows(*options, "repair", "--log", "--accept-loss")[-1]["events"] == 0
    said = lading("--json", *options, "repair", "--log", code=2)
    assert "without --log" in said.trouble["hint"]


def test_an_lmdb_log_that_lies_elsewhere_is_repaired_where_the_hint_says(lading, tmp_path):
    """Moved into the home it is the home's own."""
    options = ("--log", f"lmdb:{tmp_path / 'elsewhere'}")
    lading(*options, "add", "http://a.test/1")
    hint = lading("--json", *options, "repair", "--log", code=2).trouble["hint"]
    assert str(lading.home / "log") in hint
    (tmp_path / "elsewhere").rename(lading.home / "log")
    assert lading.row("repair", "--log")["events"] == 1
    assert [found["url"] for found in lading.rows("list")] == ["http://a.test/1"]
    assert lading.row("--log", f"lmdb:{lading.home}/log", "repair", "--log")["repaired"] is False


@pytest.mark.row("C.5")
def test_what_was_repaired_goes_back_into_a_database_with_its_anchor(lading, database, tmp_path):
    """As a backup, restored into an empty one: the README's way."""
    options, path = database
    change(path, "UPDATE stored_events SET topic = NULL WHERE rowid = 3")
    lading(*options, "repair", "--log")
    lading("checkpoint")
    lading("backup", tmp_path / "b", "--with-vault")
    lading.home = tmp_path / "moved"
    back = ("--log", f"sqlite:{tmp_path / 'new.sqlite'}")
    assert lading.row(*back, "restore", tmp_path / "b")["doubts"] == []
    lading(*back, "add", "http://a.test/9")
    lading(*back, "checkpoint")
    assert lading.row(*back, "verify")["ok"]


@pytest.mark.law(7)
def test_a_log_in_postgresql_is_taken_likewise_and_its_login_is_told_nobody(lading, postgres_server, postgres_url):
    """What is kept of where it lies is host, port, database and schema."""
    psycopg = pytest.importorskip("psycopg")
    options = ("--log", postgres_url)
    for number in range(3):
        lading(*options, "add", f"http://a.test/{number}")
    lading(*options, "checkpoint")
    assert lading.row(*options, "repair", "--log")["repaired"] is False
    schema = postgres_url.rpartition("schema=")[2]
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"UPDATE {schema}.lading_events SET topic = NULL WHERE notification_id = 2")
    assert "record 2 " in lading.rows(*options, "verify", code=4)[0]["message"]
    row = lading.rows(*options, "repair", "--log")[-1]
    assert (row["events"], row["lost"]) == (1, 2)
    assert row["aside"].startswith("postgresql:")
    assert "lading@" not in row["aside"]
    lading("add", "http://a.test/9")
    assert lading.row("verify", "--views")["ok"]
