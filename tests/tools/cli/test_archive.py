"""`lading archive` moves closed history into files, and loses nothing."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import shutil
from pathlib import Path
from uuid import UUID

import pytest

from lading.adapters.signing import is_signed
from lading.domain.ledger import leaf_of, verify_inclusion
from lading.domain.notes import Checkpoint, Note, VerifierKey
from lading.domain.proofs import read_head
from lading.tools.origin import Behaviour, Drop

pytestmark = pytest.mark.row("S0.5")


@pytest.fixture
def ended(lading, origin, small):
    """A home in which one download is complete, one has failed, one was cancelled; their ids."""
    lading("get", origin.url(small.name), "--tag", "t", "--key", "good")
    lading("get", origin.url("missing"), "--key", "bad", code=1)
    lading("add", origin.url(small.name), "-o", "other", "--key", "off")
    lading("cancel", "off")
    return {row["key"]: row["id"] for row in lading.rows("list")}


def lines(path):
    """Return the rows of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_has_ended_leaves_lists_and_history_and_is_in_a_file(lading, ended):
    """Row for row as the history had it, with the attempts; the event has the file's digest."""
    history, before = lading.rows("history"), lading.row("stats")
    archive, summary = lading.rows("archive")
    path = lading.home / "archive" / archive["path"].rpartition("/")[2]
    assert summary == {"kind": "summary", "downloads": 3, "files": 1, "bytes": path.stat().st_size, "left": 0}
    assert (lading.rows("history"), lading.rows("list"), lading.rows("list", "--tag", "t")) == ([], [], [])
    assert {name: n for name, n in lading.row("stats").items() if name in ("completed", "failed", "cancelled")} == {
        name: n for name, n in before.items() if name in ("completed", "failed", "cancelled")
    }
    head, *rows = lines(path)
    assert (head["kind"], head["format"]) == ("archive", 1)
    kept = [row for row in rows if row["kind"] == "download"]
    assert [{name: row[name] for name in history[0]} for row in kept] == history[::-1]
    assert [row["attempts"] for row in rows if row["kind"] == "attempt" and row["id"] == ended["bad"]] == [1]
    (told,) = [row for row in lading.rows("log") if row["event"] == "HistoryArchived"]
    assert told["data"]["digest"] == archive["digest"] == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert told["data"]["file"] == path.name
    assert len(told["data"]["downloads"]) == 3
    assert lading.row("verify", "--views", "--files")["ok"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_ids_and_keys_still_answer(lading, ended):
    """From the log: with the same attempts, by the beginning of the id, and with why it ended."""
    before = {key: (lading.row("show", key), lading.rows("why", key)) for key in ended}
    lading("archive")
    for key, id in ended.items():
        assert (lading.row("show", id), lading.rows("why", key)) == before[key]
    assert lading.row("show", ended["bad"][:22])["id"] == ended["bad"]
    lading("rebuild")
    assert lading.row("show", "good") == before["good"][0]


def test_what_was_archived_can_be_tried_again_and_archived_again(lading, ended):
    """It is in the list from then on, with all of its attempts."""
    lading("archive")
    lading("retry", "bad")
    assert [row["state"] for row in lading.rows("list")] == ["queued"]
    lading("run", code=1)
    assert [row["attempts"] for row in lading.row("show", "bad")["tries"]] == [1, 2]
    assert [row["id"] for row in lading.rows("history")] == [ended["bad"]]
    assert lading.rows("archive")[-1]["downloads"] == 1
    assert len(list((lading.home / "archive").iterdir())) == 2


def test_once_more_does_nothing(lading, ended):
    """No second file, and no second event."""
    lading("archive")
    before = len(lading.rows("log"))
    assert lading.rows("archive") == [{"kind": "summary", "downloads": 0, "files": 0, "bytes": 0, "left": 0}]
    assert len([row for row in lading.rows("log") if row["event"] == "HistoryArchived"]) == 1
    assert before <= len(lading.rows("log"))
    assert len(list((lading.home / "archive").iterdir())) == 1


def test_only_what_is_old_enough_goes(lading, ended, folder):
    """And to where it was said."""
    assert lading.rows("archive", "--older-than", "1d")[-1]["downloads"] == 0
    assert not (lading.home / "archive").exists()
    assert lading.rows("archive", "--older-than", "0s", "--to", "elsewhere")[-1]["downloads"] == 3
    assert len(list((folder / "elsewhere").iterdir())) == 1


def test_what_still_holds_bytes_stays_and_is_counted(lading, origin, large):
    """The part of a download that failed, from which it can go on."""
    origin.set(large.name, Behaviour(drop=Drop(after=2_000_000)))
    lading("get", origin.url(large.name), "--retries", "0", code=1)
    (id,) = [row["id"] for row in lading.rows("list")]
    assert lading.rows("archive")[-1] == {"kind": "summary", "downloads": 0, "files": 0, "bytes": 0, "left": 1}
    assert [row["id"] for row in lading.rows("history")] == [id]
    assert "stay" in lading("archive").out


def test_a_file_of_which_no_event_speaks_is_named_and_left(lading, ended):
    """It may be what a run left that was killed, of downloads that have gone on since."""
    folder = lading.home / "archive"
    folder.mkdir()
    orphan = folder / f"history-20260101-{'a' * 32}.jsonl"
    orphan.write_text("{}")
    (folder / ".history-1.0000.lading-draft").touch()
    told = lading.rows("archive")
    assert (told[0]["kind"], told[0]["path"]) == ("orphan", str(orphan))
    assert orphan.exists()
    assert not list(folder.glob(".*"))


def test_a_format_that_there_is_not_is_refused(lading, ended):
    """Before anything is written."""
    assert "known are" in lading("archive", "--format", "papyrus", code=2).err
    assert len(lading.rows("history")) == 3


def test_an_archive_in_parquet_has_the_same_rows_typed(lading, ended):
    """As pandas, polars and DuckDB read them; and the event has the digest of the file."""
    table = pytest.importorskip("pyarrow.parquet")
    history = lading.rows("history")
    archive, _ = lading.rows("archive", "--format", "parquet")
    data = Path(archive["path"]).read_bytes()
    assert archive["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    rows = table.read_table(archive["path"]).to_pylist()
    kept = [row for row in rows if row["kind"] == "download"]
    plain = ("id", "url", "tags", "bytes", "success", "error", "digest", "assurance", "path", "attempts", "state")
    assert [{name: row[name] for name in plain} for row in kept] == [
        {name: row[name] for name in plain} for row in history[::-1]
    ]
    instants = [dt.datetime.fromisoformat(row["ended_at"]) for row in history[::-1]]
    assert [row["ended_at"] for row in kept] == instants
    assert lading.rows("archive", "--format", "parquet")[-1]["downloads"] == 0


def read(path):
    """Return what an archive says of itself, and its rows, by what anybody has who reads its format."""
    if path.suffix == ".jsonl":
        head, *rows = lines(path)
        return head, rows
    with pytest.importorskip("pyarrow.parquet").ParquetFile(path) as file:
        rows = [{**row, "proof": row["proof"] and json.loads(row["proof"])} for row in file.read().to_pylist()]
        return json.loads(file.metadata.metadata[b"lading"]), rows


@pytest.mark.row("C.5")
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_every_row_proves_that_its_last_event_is_in_the_log(lading, ended, folder, form):
    """With the file and the key of the home alone, and no other row's proof will do."""
    key = VerifierKey.parse(lading("checkpoint", "--key").out)
    last = {id: lading.rows("log", "--id", id)[-1] for id in ended.values()}
    archive, _ = lading.rows("archive", "--format", form)
    moved = folder / Path(archive["path"]).name
    shutil.move(archive["path"], moved)
    shutil.rmtree(lading.home)

    head, rows = read(moved)
    note = Note.parse(head["checkpoint"])
    assert is_signed(note, [key])
    checkpoint = Checkpoint.parse(note.text)
    assert checkpoint.origin == key.name
    downloads = [row for row in rows if row["kind"] == "download"]
    assert {row["id"] for row in downloads} == set(ended.values())
    seen = []
    for row in downloads:
        entry = base64.b64decode(row["proof"]["entry"])
        assert entry[:25] == b"\1" + UUID(row["id"]).bytes + row["version"].to_bytes(8, "big")
        assert row["version"] == last[row["id"]]["version"]
        index, path = read_head(row["proof"]["head"])
        assert verify_inclusion(leaf_of(entry), index, checkpoint.size, path, checkpoint.root)
        changed = entry[:-1] + bytes((entry[-1] ^ 1,))
        assert not verify_inclusion(leaf_of(changed), index, checkpoint.size, path, checkpoint.root)
        seen.append(index)
    assert len(set(seen)) == len(downloads)
    assert not [row for row in rows if row["kind"] == "attempt" and row.get("proof")]


@pytest.mark.row("C.5")
def test_an_archive_is_proven_under_the_first_checkpoint_that_covers_it(lading, ended):
    """So that a run which comes back after a kill makes the same bytes, whatever was signed meanwhile."""
    first = lading.row("checkpoint")["note"]
    lading.add("http://127.0.0.1:9/later")
    assert lading.row("checkpoint")["note"] != first
    archive = lading.rows("archive")[0]
    head, _ = read(Path(archive["path"]))
    covered = Checkpoint.parse(Note.parse(head["checkpoint"]).text).size
    assert covered <= Checkpoint.parse(Note.parse(first).text).size
