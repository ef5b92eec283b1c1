"""`lading verify --export` tells what is wrong with a file from what is wrong with the log that it is held against."""

from __future__ import annotations

import json
import shutil
import sqlite3

import lmdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lading.adapters.lmdb.record import pack_number
from lading.projections.tables import NAMES

pytestmark = pytest.mark.row("C.7")

FORMS = ("jsonl", "csv", "parquet", "cloudevents")
ANEW = "makes the export anew"


@pytest.fixture
def head(lading, origin, small):
    """A home in which some completed, some failed, and some wait; where its log ends."""
    for number in range(3):
        lading("get", origin.url(small.name), "-o", f"file-{number}", "--tag", 'a,"b\nc"')
        lading("get", origin.url("missing"), code=1)
        lading("add", f"http://a.test/{number}", "--key", f"k{number}")
    return lading.rows("log")[-1]["position"]


def rot(home, position):
    """Flip one bit of the record at a position, in both states of the log's file."""
    handle = lmdb.Environment(str(home / "log"), max_dbs=16, map_size=1 << 26)
    tables = {name: handle.open_db(name.encode()) for name in ("log", "meta")}
    with handle.begin(write=True) as txn:
        record = bytearray(txn.get(pack_number(position), db=tables["log"]))
        record[40] ^= 4
        txn.put(pack_number(position), bytes(record), db=tables["log"])
        txn.put(b"x", b"", db=tables["meta"])
    with handle.begin(write=True) as txn:
        txn.delete(b"x", db=tables["meta"])
    handle.close()


def export(lading, view, form, *more):
    """Export a view, and return the file's name."""
    name = f"{view}.{form}" if form != "cloudevents" else f"{view}.cloud.jsonl"
    lading("export", view, "--to", name, "--format", form, *more)
    return name


def verified(lading, name):
    """What is told of an export in which something is wrong: the faults of the findings, these, and the trouble."""
    said = lading("--json", "verify", "--export", name, code=4)
    *found, summary = said.rows
    assert (summary["ok"], summary["findings"]) == (False, len(found))
    return {row["fault"] for row in found}, found, said.trouble


@pytest.mark.parametrize("view", ["events", "history"])
def test_a_file_is_not_blamed_for_a_log_that_is_damaged(lading, head, view):
    """It may be sound, and is not to be made anew: it is the log that is to be looked at."""
    name = export(lading, view, "csv")
    rot(lading.home, head - 4)
    shutil.rmtree(next(lading.home.glob("views-*")))
    faults, found, trouble = verified(lading, name)
    assert faults == {"log"}
    assert "checksum" in found[0]["message"]
    assert "could not be held against the log of this home" in trouble["error"]
    assert "lading repair --log" in trouble["hint"]
    assert "lading verify" in trouble["hint"]
    assert ANEW not in trouble["hint"]


@pytest.fixture
def repaired(lading, head):
    """The same home after a repair of its log that lost its last events: what was exported before, and the cut."""
    names = [export(lading, "events", form) for form in FORMS]
    names += [export(lading, view, form) for view in NAMES[1:] for form in FORMS[:3]]
    cut = head - 12
    early = export(lading, "progress", "jsonl", "--to-position", cut - 1, "--force")
    shutil.move(early, "early.jsonl")
    shutil.move(f".{early}.lading.json", ".early.jsonl.lading.json")
    names.remove(early)
    rot(lading.home, cut)
    lading("repair", "--log")
    return names, cut


def test_of_a_repaired_log_the_rows_that_it_has_are_checked_and_the_others_are_to_be_kept(lading, repaired, head):
    """In every format and of every view; nothing else in the home has what the repair lost."""
    names, cut = repaired
    lading("add", "http://a.test/later")
    for name in names:
        faults, found, trouble = verified(lading, name)
        assert faults == {"lost"}, found
        assert f"positions {cut} to {head} of this log as it was before it was repaired" in found[0]["message"]
        assert found[0]["position"] == cut
        assert "lost when the log of this home was repaired" in trouble["error"]
        assert "keep the file" in trouble["hint"]
        assert ANEW not in trouble["hint"]
    said = lading("verify", "--export", "early.jsonl").out
    assert "sound: 1 file" in said
    assert "made before the log was repaired" in said


@pytest.mark.parametrize("view", ["events", "history", "attempts", "progress", "statistics"])
@pytest.mark.parametrize("cut", [1, 8])
def test_each_part_of_a_folder_is_held_to_what_the_repaired_log_has_of_it(lading, origin, small, cut, view):
    """Parts from before the cut, from behind it, and the one across; also where the log was begun anew."""
    for number in range(4):
        lading("get", origin.url(small.name), "-o", f"file-{number}")
        lading("export", view, "--to", "set/")
    rot(lading.home, cut)
    lading("repair", "--log", "--accept-loss")
    faults, found, trouble = verified(lading, "set")
    assert faults == {"lost"}
    assert len(found) == (4 if cut == 1 else 3)
    assert "keep the file" in trouble["hint"]


@pytest.mark.parametrize("name", ["events.jsonl", "events.csv", "events.parquet", "events.cloud.jsonl", "history.csv"])
def test_a_row_of_a_repaired_log_that_was_changed_is_found(lading, repaired, folder, name):
    """And the file is to be kept all the same, for what only it has."""
    del repaired
    path = folder / name
    if name.endswith("parquet"):
        table, words = pq.read_table(path), pq.read_metadata(path).metadata[b"lading"]
        rows = table.to_pylist()
        rows[3]["actor"] = "nobody"
        with pq.ParquetWriter(path, table.schema) as writer:
            writer.write_table(pa.Table.from_pylist(rows, schema=table.schema))
            writer.add_key_value_metadata({"lading": words.decode()})
    else:
        before = path.read_bytes()
        word = b"completed" if name == "history.csv" else b"lading.started"
        path.write_bytes(before.replace(word, word[:-1] + b"x", 1))
        assert path.read_bytes() != before
    faults, _, trouble = verified(lading, name)
    assert faults == {"lost", "file"}
    assert "in the rest it is not what the log says" in trouble["error"]
    assert "keep the file" in trouble["hint"]


@pytest.mark.parametrize("name", ["events.jsonl", "events.parquet"])
def test_a_lost_row_that_is_not_what_its_file_says_of_itself_is_found(lading, repaired, folder, name):
    """The digest of all rows tells, though the log has none to compare."""
    del repaired
    path = folder / name
    if name.endswith("parquet"):
        table, words = pq.read_table(path), pq.read_metadata(path).metadata[b"lading"]
        with pq.ParquetWriter(path, table.schema) as writer:
            writer.write_table(table.slice(0, table.num_rows - 1).unify_dictionaries())
            writer.add_key_value_metadata({"lading": words.decode()})
    else:
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b"lading.", b"Lading.", 1)]))
    faults, found, _ = verified(lading, name)
    assert faults == {"lost", "file"}
    assert "says" in found[-1]["message"]


def test_a_file_is_not_blamed_for_a_log_that_is_no_more_what_was_signed(lading, folder):
    """Where the log can be read and was changed, its own checkpoints and its ledger tell."""
    log = f"sqlite:{folder / 'log.db'}"
    for number in range(4):
        lading("--log", log, "add", f"http://a.test/{number}")
    lading("--log", log, "export", "events", "--to", "e.csv")
    with sqlite3.connect(folder / "log.db") as database:
        (table,) = database.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%state%BLOB%'").fetchone()
        other = "CAST(REPLACE(CAST(state AS TEXT), 'a.test/1', 'a.test/7') AS BLOB)"
        changed = database.execute(f"UPDATE {table} SET state = {other}")
        assert changed.rowcount
    database.close()
    said = lading("--log", log, "--json", "verify", "--export", "e.csv", code=4)
    assert {row["fault"] for row in said.rows[:-1]} == {"log"}
    assert "may be sound" in said.trouble["hint"]


@pytest.mark.parametrize(("signs", "fault"), [(True, "log"), (False, "beyond")])
def test_a_file_is_not_blamed_for_an_older_copy_that_was_put_back(lading, head, folder, signs, fault):
    """It covers more than the log has; where a checkpoint of this home vouches for that, the log is what is wrong."""
    del head
    shutil.copytree(lading.home, folder / "older")
    lading("add", "http://a.test/later")
    name = export(lading, "events", "jsonl")
    if not signs:
        words = folder / f".{name}.lading.json"
        words.write_text(json.dumps(json.loads(words.read_text()) | {"checkpoint": None}))
    shutil.rmtree(lading.home)
    (folder / "older").rename(lading.home)
    faults, _, trouble = verified(lading, name)
    assert fault in faults
    assert "keep the file" in trouble["hint"]
    assert ANEW not in trouble["hint"]


def test_an_export_of_a_log_that_this_home_never_had_stays_an_error(lading, head, folder):
    """Nobody is told to make anew what only another home can make."""
    del head
    name = export(lading, "events", "jsonl")
    shutil.move(lading.home, folder / "other")
    lading("add", "http://a.test/1")
    faults, found, trouble = verified(lading, name)
    assert faults == {"other"}
    assert found[0]["message"] == "it is of another log than that of this home"
    assert ANEW not in trouble["hint"]
