"""`lading export` writes the log and the views for analytics, and `lading verify --export` holds it against the log."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import hashlib
import json
import re
import shutil
import signal
import sys

import attrs
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lading import export_files
from lading.adapters.signing import FileSigner
from lading.domain.notes import Checkpoint, Note
from lading.projections.tables import NAMES
from lading.tools.cli import main
from lading.tools.cli.verbs import export as verb
from lading.tools.origin import Behaviour, Origin, Resource

pytestmark = pytest.mark.row("C.7")

FORMATS = ("jsonl", "csv", "parquet")
INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A home with one that completed, with tags; one that failed; one that is queued."""
    place = tmp_path_factory.mktemp("past")
    with Origin([Resource("small.bin", 100_000, "small")]) as origin, contextlib.chdir(place):
        good, bad = origin.url("small.bin"), origin.url("missing")
        for words, code in (
            (("get", good, "--tag", "x", "--tag", 'y,"z"', "--key", "k"), 0),
            (("get", bad), 1),
            (("add", good, "-o", "later", "--priority", "-3"), 0),
        ):
            assert main(["--home", str(place / "home"), *words]) == code
    return place / "home"


@pytest.fixture
def past(template, lading):
    """A copy of it."""
    shutil.copytree(template, lading.home)


def rows_of(path):
    """The rows of a file of any format, as JSON has them."""
    match path.suffix:
        case ".jsonl":
            return [json.loads(line) for line in path.read_text().splitlines()]
        case ".parquet":
            return [{name: plain(value) for name, value in row.items()} for row in pq.read_table(path).to_pylist()]
        case _:
            return [{name: meant(name, cell) for name, cell in row.items()} for row in records(path)]


def records(path):
    """The records of CSV; a line end may stand within a cell."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def plain(value):
    return value.strftime(INSTANT) if isinstance(value, dt.datetime) else value


def meant(name, cell):
    """A cell of CSV, read by somebody who knows what the column holds."""
    if cell == "":
        return None
    if name == "tags":
        return json.loads(cell)
    if name in {"position", "version", "bytes", "attempts", "received", "total", "priority", "value"}:
        return int(cell)
    return {"true": True, "false": False}.get(cell, cell.removeprefix("'"))


def in_common(rows, fields):
    return [{field: row[field] for field in fields} for row in rows]


def test_the_views_and_formats_of_the_help_are_those_there_are():
    """They are written out there so that the help needs neither."""
    assert (NAMES, export_files.FORMATS) == (verb.VIEWS, verb.FORMATS)


@pytest.mark.parametrize("form", FORMATS)
def test_history_is_what_history_says(lading, past, folder, form):
    """Value by value, the earliest end first."""
    lading("export", "history", "--to", f"h.{form}")
    told = lading.rows("history")[::-1]
    assert in_common(rows_of(folder / f"h.{form}"), told[0]) == told


@pytest.mark.parametrize("form", FORMATS)
def test_events_are_what_log_says(lading, past, folder, form):
    """Value by value; the payload is the same JSON."""
    lading("export", "events", "--to", f"e.{form}")
    found = rows_of(folder / f"e.{form}")
    told = lading.rows("log")
    for row, event in zip(found, told, strict=True):
        data = row.pop("data")
        row["at"] = row.pop("recorded_at")
        row["actor"], row["host"] = row["actor"] or "", row["host"] or ""
        assert row.items() <= event.items()
        assert (data if form == "jsonl" else json.loads(data)) == event["data"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_view_has_its_rows(lading, past, folder, form):
    """In each format the same, and sound."""
    expected = {
        "attempts": {"completed", "failed"},
        "queue": {"queued"},
        "progress": {"completed", "failed", "queued"},
        "failures": {"failed"},
        "statistics": {None},
    }
    assert {"events", "history", *expected} == set(NAMES)
    for view, states in expected.items():
        lading("export", view, "--to", f"{view}.{form}")
        lading("export", view, "--to", f"{view}-again.jsonl")
        found = rows_of(folder / f"{view}.{form}")
        assert found == rows_of(folder / f"{view}-again.jsonl")
        assert {row.get("state") for row in found} == states
        assert lading.row("verify", "--export", f"{view}.{form}")["ok"]


def test_the_digest_is_that_of_the_json_lines_in_every_format(lading, past, folder):
    """So that `sha256sum` of one tells it for all."""
    said = [lading.row("export", "events", "--to", f"e.{form}", "--to-position", 6) for form in FORMATS]
    assert {row["sha256"] for row in said} == {hashlib.sha256((folder / "e.jsonl").read_bytes()).hexdigest()}
    assert {(row["first"], row["last"], row["count"]) for row in said} == {(1, 6, 6)}
    words = json.loads(pq.read_metadata(folder / "e.parquet").metadata[b"lading"])
    beside = json.loads((folder / ".e.jsonl.lading.json").read_text())
    assert words == {name: value for name, value in beside.items() if name != "inode"} | {"format": "parquet"}


def test_parquet_is_typed_and_others_read_it(lading, past, folder, small):
    """Times in UTC, whole numbers, lists of tags; by DuckDB and by pl."""
    lading("export", "history", "--to", "h.parquet")
    schema = pq.read_schema(folder / "h.parquet")
    assert schema.field("ended_at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("bytes").type == pa.int64()
    assert schema.field("tags").type == pa.list_(pa.string())
    assert schema.field("success").type == pa.bool_()
    assert pa.types.is_dictionary(schema.field("host").type)
    good, bad = lading.rows("history")[::-1]
    frame = pl.read_parquet(folder / "h.parquet")
    assert frame.schema["ended_at"] == pl.Datetime("us", "UTC")
    assert frame["tags"].to_list() == [["x", 'y,"z"'], []]
    assert [moment.strftime(INSTANT) for moment in frame["ended_at"]] == [good["ended_at"], bad["ended_at"]]
    asked = duckdb.sql(f"SELECT id, bytes, tags, typeof(ended_at) FROM '{folder / 'h.parquet'}' WHERE success")
    assert asked.fetchall() == [(good["id"], small.size, ["x", 'y,"z"'], "TIMESTAMP WITH TIME ZONE")]


def test_a_folder_grows_by_what_it_lacks(lading, past, origin, small, folder):
    """Each position once, in parts by day, however often it is exported."""
    first = lading.rows("export", "events", "--to", "all/")
    assert lading.rows("export", "events", "--to", "all/") == []
    lading("get", origin.url(small.name), "-o", "more")
    second = lading.rows("export", "events", "--to", "all")
    assert [row["first"] for row in second] == [first[-1]["last"] + 1]
    found = duckdb.sql(f"SELECT position, day FROM read_parquet('{folder}/all/*/*.parquet', hive_partitioning = true)")
    rows = sorted(found.fetchall())
    assert [position for position, _ in rows] == [event["position"] for event in lading.rows("log")]
    assert {str(day) for _, day in rows} == {event["at"][:10] for event in lading.rows("log")}
    assert lading.row("verify", "--export", "all")["exports"] == len(first) + len(second)


def test_a_folder_of_a_view_grows_by_the_rows_that_changed(lading, past, origin, folder):
    """What did not change is not written twice; the greatest position of an id is what counts."""
    (one,) = lading.rows("export", "progress", "--to", "p/", "--format", "jsonl")
    assert one["count"] == 3
    (failed,) = lading.rows("list", "--state", "failed")
    lading("remove", failed["id"])
    (two,) = lading.rows("export", "progress", "--to", "p/")
    (row,) = rows_of(folder / two["path"])
    assert (row["id"], row["state"]) == (failed["id"], "removed")
    assert one["last"] < row["position"] <= two["last"]
    assert lading.row("verify", "--export", "p")["rows"] == 4


def test_a_view_is_exported_as_it_stood(lading, past, folder):
    """And is still sound when the log has gone on."""
    done = next(event["position"] for event in lading.rows("log") if event["event"] == "Completed")
    lading("export", "history", "--to", "then.csv", "--to-position", done)
    lading("export", "history", "--to", "since.jsonl", "--from", done + 1)
    assert [row["state"] for row in rows_of(folder / "then.csv")] == ["completed"]
    assert [row["state"] for row in rows_of(folder / "since.jsonl")] == ["failed"]
    assert lading.row("verify", "--export", "then.csv")["ok"]
    assert lading.row("verify", "--export", "since.jsonl")["ok"]


def test_a_file_that_is_there_is_replaced_only_by_force(lading, past, folder):
    """As everywhere else."""
    (folder / "e.csv").write_text("mine")
    assert "--force" in lading("export", "events", "--to", "e.csv", code=1).err
    assert (folder / "e.csv").read_text() == "mine"
    lading("export", "events", "--to", "e.csv", "--force")
    assert lading.row("verify", "--export", "e.csv")["ok"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("events", "--to", "e.txt"), "does not tell the format"),
        (("events", "--to", "e.csv", "--format", "parquet"), "not the name of a file"),
        (("history", "--to", "h.jsonl", "--format", "cloudevents"), "only events"),
        (("events", "--to", "e.csv", "--from", "9", "--to-position", "3"), "lies behind"),
        (("events", "--to", "e.csv", "--to-position", "999"), "has not come to position 999"),
        (("events", "--to", "nowhere/e.csv"), "cannot be written"),
        (("nothing", "--to", "e.csv"), "nothing"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(lading, past, folder, arguments, what):
    """And nothing is left behind."""
    assert what in lading("export", *arguments, code=2).err
    assert list(folder.glob("e*")) + list(folder.glob(".e*")) == []


def test_a_folder_holds_one_view_of_one_log_in_one_format(lading, past, folder):
    """Whoever mixes them up is told so."""
    lading("export", "events", "--to", "d/")
    for arguments in (("history",), ("events", "--format", "csv"), ("events", "--from", 3)):
        assert lading("export", *arguments, "--to", "d/", code=2).err.startswith("error: ")
    other = f"lmdb:{folder / 'other'}"
    lading("--log", other, "add", "http://a.test/1")
    assert "another log" in lading("--log", other, "export", "events", "--to", "d/", code=2).err
    found = lading.rows("--log", other, "verify", "--export", "d", code=4)
    assert found[0]["message"] == "it is of another log than that of this home"


def spoil_text(path):
    """Change one letter of a row in the middle."""
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b"lading.", b"Lading.", 1)
    path.write_bytes(b"".join(lines))
    return 4 if path.suffix == ".csv" else 5


def spoil_parquet(path):
    """Write it anew, with the same words of itself and another value in row 5."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[4]["topic"] = "lading.nothing.v1"
    words = pq.read_metadata(path).metadata[b"lading"]
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=table.schema))
        writer.add_key_value_metadata({"lading": words.decode()})
    return 5


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_that_was_changed_is_found(lading, past, folder, form):
    """With its position, and exit code 4."""
    path = folder / f"e.{form}"
    lading("export", "events", "--to", path)
    position = (spoil_parquet if form == "parquet" else spoil_text)(path)
    said = lading("--json", "verify", "--export", path, code=4)
    finding, summary = said.rows
    assert (finding["kind"], finding["position"], summary["ok"]) == ("export", position, False)
    assert said.trouble["exit_code"] == 4


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_cut_short_is_found(lading, past, folder, form):
    """Wherever it ends."""
    path = folder / f"e.{form}"
    lading("export", "events", "--to", path)
    path.write_bytes(path.read_bytes()[:-9])
    assert not lading.rows("verify", "--export", path, code=4)[-1]["ok"]


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_file_says_of_itself_is_checked_too(lading, past, folder, form):
    """Its digest is that of its rows, or it lies."""
    path = folder / f"e.{form}"
    lading("export", "events", "--to", path)
    words = folder / f".e.{form}.lading.json"
    if form == "parquet":
        table, held = pq.read_table(path), json.loads(pq.read_metadata(path).metadata[b"lading"])
        with pq.ParquetWriter(path, table.schema) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({"lading": json.dumps(held | {"sha256": "00" * 32})})
    else:
        words.write_text(json.dumps(json.loads(words.read_text()) | {"sha256": "00" * 32}))
    finding, _ = lading.rows("verify", "--export", path, code=4)
    assert "has the digest" in finding["message"] or "have the digest" in finding["message"]
    if form != "parquet":
        words.unlink()
        assert "does not say" in lading.rows("verify", "--export", path, code=4)[0]["message"]


def test_a_folder_that_lacks_a_part_is_found(lading, past, origin, small, folder):
    """And is not exported to as if nothing were wrong."""
    for number in range(3):
        lading("add", f"http://a.test/{number}")
        lading("export", "events", "--to", "d/")
    sorted((folder / "d").glob("*/*.parquet"))[1].unlink()
    finding, _ = lading.rows("verify", "--export", "d", code=4)
    assert "a gap" in finding["message"]
    lading("export", "events", "--to", "d/", code=4)


def test_what_is_no_export_is_a_usage_error(lading, past, folder):
    """There is nothing that could be damaged."""
    (folder / "empty").mkdir()
    for name in ("nowhere.csv", "empty"):
        lading("verify", "--export", name, code=2)


def test_cloud_events_keep_the_rules_of_the_specification(lading, past, folder):
    """Version 1.0, structured, in JSON: required attributes, names and types of all of them."""
    lading("export", "events", "--to", "c.jsonl", "--format", "cloudevents")
    told = lading.rows("log")
    found = rows_of(folder / "c.jsonl")
    assert len({(event["source"], event["id"]) for event in found}) == len(told) == len(found)
    for event, row in zip(found, told, strict=True):
        assert {"id", "source", "specversion", "type"} <= event.keys()
        assert event["specversion"] == "1.0"
        assert (event["id"], event["type"], event["subject"]) == (row["event_id"], row["topic"], row["id"])
        assert (event["time"], event["data"], event["position"]) == (row["at"], row["data"], str(row["position"]))
        assert re.fullmatch(r"urn:lading:log:[0-9a-f-]{36}", event["source"])
        for name, value in event.items():
            assert re.fullmatch(r"[a-z0-9]{1,20}", name)
            assert name == "data" or (isinstance(value, str) and value)
    assert lading.row("verify", "--export", "c.jsonl")["ok"]


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "'quoted", 'a"b,c', "line\nend"])
def test_text_is_no_formula_in_csv(lading, folder, text):
    """A spreadsheet shows it and does not compute it; one apostrophe less is what was exported."""
    lading("add", "http://a.test/1", "--tag", text, "--key", text, "--priority", "-5")
    lading("export", "queue", "--to", "q.csv")
    (row,) = records(folder / "q.csv")
    assert not row["key"].startswith(("=", "+", "-", "@", "\t", "\n"))
    assert row["key"].removeprefix("'") == text
    assert json.loads(row["tags"]) == [text]
    assert row["priority"] == "-5"
    assert lading.row("verify", "--export", "q.csv")["ok"]


def test_without_the_extra_text_works_and_parquet_says_what_to_install(lading, past, folder, monkeypatch):
    """The hint is a command."""
    for name in [name for name in sys.modules if name.partition(".")[0] in {"pyarrow", "duckdb"}]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("pyarrow", "pyarrow.parquet", "duckdb"):
        monkeypatch.setitem(sys.modules, name, None)
    lading("export", "events", "--to", "e.csv")
    lading("export", "events", "--to", "e.jsonl")
    lading("verify", "--export", "e.csv")
    for arguments in (("export", "events", "--to", "e.parquet"), ("sql", "SELECT 1")):
        said = lading(*arguments, code=2)
        assert "hint: python -m pip install 'lading[analytics]'" in said.err
    assert not (folder / "e.parquet").exists()


def test_people_get_a_line_for_each_file(lading, past):
    """And are told when there is nothing new."""
    assert re.fullmatch(
        r"d/day=\S+\.parquet  \d+ rows, positions 1 to \d+\n", lading("export", "events", "--to", "d/").out
    )
    assert lading("export", "events", "--to", "d/").err == "nothing new\n"


def test_beside_a_running_engine_each_event_is_exported_once(lading, origin, small, working, eventually, folder):
    """The engine appends, whoever exports sees a beginning of the log; in the end all of it is there."""
    origin.set("small.bin", Behaviour(rate=400_000))
    for number in range(6):
        lading("add", origin.url(small.name), "-o", f"file-{number}")
        lading("export", "events", "--to", "all/")
        lading("export", "progress", "--to", f"p{number}.csv")
        assert lading.row("verify", "--export", f"p{number}.csv")["ok"]
    eventually(lambda: len(lading.rows("list", "--state", "completed")) == 6)
    assert working.end(signal.SIGINT).code in {0, 130}
    lading("export", "events", "--to", "all/")
    found = duckdb.sql(f"SELECT position FROM '{folder}/all/*/*.parquet' ORDER BY position").fetchall()
    assert [position for (position,) in found] == [event["position"] for event in lading.rows("log")]
    assert lading.row("verify", "--export", "all")["ok"]
    assert {event["event"] for event in lading.rows("log")} > {"Started", "Completed", "EngineClosed"}


SECRETS = {"user": "canaryuser", "password": "canarypassword", "query": "canaryquery", "fragment": "canaryfragment",
           "header": "canaryheader"}  # fmt: skip


@pytest.mark.law(7)
def test_no_secret_is_exported(lading, origin, small, folder):
    """From no view, in no format; what SQL sees holds none either."""
    url = origin.url(small.name).replace("//", "//{user}:{password}@").format(**SECRETS)
    for name, ending in ((small.name, "out"), ("missing", "out2")):
        asked = url.replace(small.name, name) + f"?token={SECRETS['query']}#{SECRETS['fragment']}"
        lading("add", asked, "-o", ending, "--header", f"X-Key: {SECRETS['header']}", "--retries", "0")
    lading("run", code=1)
    seen = ""
    for view in NAMES:
        for form in FORMATS:
            lading("export", view, "--to", f"{view}.{form}")
        seen += lading("--json", "sql", f"SELECT * FROM {view}").out
        seen += str(pq.read_table(folder / f"{view}.parquet").to_pylist())
    lading("export", "events", "--to", "cloud.jsonl", "--format", "cloudevents")
    seen += "".join(path.read_bytes().decode(errors="replace") for path in folder.iterdir() if path.is_file())
    assert "X-Key" in seen
    assert [name for name, secret in SECRETS.items() if secret in seen] == []


def test_a_description_that_lies_is_found(lading, past, folder):
    """Whatever it says; `verify` never falls over it."""
    lading("export", "events", "--to", "e.jsonl")
    beside = folder / ".e.jsonl.lading.json"
    told = json.loads(beside.read_text())
    for lie in ({"first": "one"}, {"first": 5}, {"last": 5}, {"view": "moon"}, {"version": 99}, {"log": "x"}):
        beside.write_text(json.dumps(told | lie))
        assert lading.rows("verify", "--export", "e.jsonl", code=4)[0]["kind"] == "export", lie


def test_values_that_no_export_has_are_found_and_told(lading, past, folder):
    """A payload that is absent, a time beyond all years."""
    lading("export", "events", "--to", "e.parquet")
    table, words = pq.read_table(folder / "e.parquet"), pq.read_metadata(folder / "e.parquet").metadata[b"lading"]
    rows = table.to_pylist()
    rows[1]["data"] = None
    rows[2]["recorded_at"] = 2**62
    with pq.ParquetWriter(folder / "e.parquet", table.schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=table.schema))
        writer.add_key_value_metadata({"lading": words.decode()})
    finding, *_ = lading.rows("verify", "--export", "e.parquet", code=4)
    assert "what no export does" in finding["message"] or finding["position"] == 2


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_too_many_is_found(lading, past, folder, form):
    """A file that goes on behind its last row, with its last row once more."""
    path = folder / f"e.{form}"
    lading("export", "events", "--to", path)
    if form == "parquet":
        table, words = pq.read_table(path), pq.read_metadata(path).metadata[b"lading"]
        with pq.ParquetWriter(path, table.schema) as writer:
            writer.write_table(pa.concat_tables([table, table.slice(table.num_rows - 1)]).unify_dictionaries())
            writer.add_key_value_metadata({"lading": words.decode()})
    else:
        path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[-1])
    finding, _ = lading.rows("verify", "--export", path, code=4)
    assert "goes on behind row" in finding["message"]


@pytest.mark.row("C.5")
@pytest.mark.parametrize("view", ["events", "history"])
def test_every_file_has_a_checkpoint_that_covers_it(lading, past, folder, view):
    """Signed by this home, and for all that it covers; as a file and in a folder; verify holds them to the log."""
    del past, folder
    last = lading.row("checkpoint")["note"]
    one = lading.row("export", view, "--to", "one.jsonl", "--to-position", 6)
    (two,) = lading.rows("export", view, "--to", "two/")
    assert one["checkpoint"] == two["checkpoint"] == last
    for path in ("one.jsonl", "two"):
        summary = lading.row("verify", "--export", path)
        assert (summary["ok"], summary["exports"], summary["vouched"]) == (True, 1, 1)


@pytest.mark.row("C.5")
def test_a_checkpoint_that_does_not_vouch_for_an_export_is_told(lading, past, folder):
    """One of a ledger that ended before; of another root; by another's key; of another log; and what is none."""
    del past
    early = Checkpoint.parse(Note.parse(lading.row("checkpoint")["note"]).text)
    lading("add", "http://127.0.0.1:9/later")
    lading("export", "events", "--to", "e.jsonl")
    place = folder / ".e.jsonl.lading.json"
    words = json.loads(place.read_text())
    ours = FileSigner(lading.home / "keys", early.origin)
    theirs = FileSigner(folder / "keys", early.origin)

    def told(note, code=4):
        place.write_text(json.dumps(words | {"checkpoint": note}))
        return lading("verify", "--export", "e.jsonl", code=code).out

    assert "its checkpoint vouches for" in told(str(ours.sign(early.text)))
    assert "its history was changed" in told(str(ours.sign(attrs.evolve(early, root=bytes(32)).text)))
    assert "an older copy was put back" in told(str(ours.sign(attrs.evolve(early, size=10**6).text)))
    assert "not signed with a key of this home" in told(str(theirs.sign(early.text)))
    assert "of another log" in told(str(ours.sign(attrs.evolve(early, origin="lading/other").text)))
    assert "its checkpoint is none" in told("nothing")
    assert "does not say what it holds" in told(7)
    assert "sound: 1 file" in told(words["checkpoint"], code=0)
    assert "1 without a checkpoint" in told(None, code=0)


@pytest.mark.row("C.5")
def test_a_log_that_is_not_what_was_signed_is_exported_and_signed_by_nobody(lading, past, folder):
    """One wants one's data; that nobody vouches for it is told."""
    del past, folder
    lading("checkpoint")
    book = next((lading.home / "checkpoints").iterdir())
    found = Checkpoint.parse(Note.parse(json.loads(book.read_text().splitlines()[-1])).text)
    signer = FileSigner(lading.home / "keys", found.origin)
    book.write_text(json.dumps(str(signer.sign(attrs.evolve(found, root=bytes(32)).text))) + "\n")
    done = lading("export", "events", "--to", "e.jsonl")
    assert "exported without a checkpoint" in done.err
    assert "1 without a checkpoint" in lading("verify", "--export", "e.jsonl").out


def test_an_export_does_not_make_a_folder_of_the_name_of_stdout(lading, past, folder):
    """It is refused with what to say instead."""
    said = lading("export", "events", "--to", "-", code=2)
    assert "never stdout" in said.err
    assert not (folder / "-").exists()


def test_which_positions_an_export_covers_is_told_and_that_it_does_not_begin_at_the_first(lading, past, folder):
    """A set whose first part is missing is sound as far as it goes, and how far that is."""
    head = lading.rows("log")[-1]["position"]
    lading("export", "events", "--to", "set/", "--to-position", "2")
    lading("export", "events", "--to", "set/")
    row = lading.row("verify", "--export", "set")
    assert (row["ok"], row["first"], row["last"]) == (True, 1, head)
    assert f"positions 1 to {head}" in lading("verify", "--export", "set").out
    (first,) = folder.glob("set/**/events-*1-*2.parquet")
    first.unlink()
    row = lading.row("verify", "--export", "set")
    assert (row["first"], row["last"]) == (3, head)
    assert "does not begin at 1" in lading("verify", "--export", "set").out


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_part_under_a_name_that_is_not_its_own_is_told(past, lading, folder, form):
    """A set that claims what it does not hold would be gone on with behind the hole."""
    lading("export", "events", "--to", "set/", "--format", form, "--to-position", "5")
    (part,) = (folder / "set").rglob(f"*.{form}")
    for path in part.parent.iterdir():
        path.rename(path.with_name(path.name.replace(f"{5:016}.", f"{7:016}.")))
    said = lading("verify", "--export", "set", code=4)
    assert "covers the positions 1 to 5, and not those of its name" in said.out + said.err
    assert "not those of its name" in lading("export", "events", "--to", "set/", "--format", form, code=4).err


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": "x"}, {"count": None}, {"first": 1.5}, {"first": True}, {"first": -1}, {"last": -1}, {"log": []},
        {"clock_us": "x"}, {"clock_us": 10**20}, {"clock_us": 10**18}, {"sha256": 1}, {"checkpoint": {}},
    ],
)  # fmt: skip
def test_what_an_export_says_of_itself_and_cannot_be_is_told_as_damage(past, lading, folder, wrong):
    """By whoever checks it, and by whoever would go on behind it."""
    lading("export", "events", "--to", "set/", "--format", "csv", "--to-position", "5")
    (words,) = (folder / "set").rglob("*.lading.json")
    words.write_text(json.dumps(json.loads(words.read_text()) | wrong))
    assert "does not say what it holds" in lading("verify", "--export", "set", code=4).out
    assert "does not say what it holds" in lading("export", "events", "--to", "set/", "--format", "csv", code=4).err
