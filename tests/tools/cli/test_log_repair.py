"""`lading repair --log` sets a damaged log aside, goes on from its valid prefix, and tells what was lost."""

from __future__ import annotations

import json
import os
import random
import shutil

import lmdb
import pytest
import trio

from lading.adapters import codec
from lading.adapters.lmdb import LMDBLog
from lading.adapters.lmdb.record import pack_number
from lading.bootstrap import open_engine
from lading.domain.events import LogRepaired
from lading.domain.requests import Request
from lading.tools.cli.homes import is_vacant

pytestmark = [pytest.mark.row("S2.14")]


async def ask(home):
    """Ask for twenty downloads, one after the other, as `lading add` does."""
    async with open_engine(home, role="client") as engine:
        for number in range(20):
            await engine.submit(Request(f"http://a.test/{number}", key=f"k{number}"))


@pytest.fixture
def data(lading, origin, small, folder):
    """The log's file of a home in which one file was fetched and others wait."""
    lading("get", origin.url(small.name), "--key", "done")
    trio.run(ask, lading.home)
    lading("pause", "k3")
    return lading.home / "log" / "data.mdb"


def facts(folder):
    """Return all facts of a log."""
    log = LMDBLog(folder)
    try:
        return [codec.open_envelope(recorded) for recorded in log.read(0, 10_000)]
    finally:
        log.close()


def tamper(data, change):
    """Change tables behind the log's back."""
    handle = lmdb.Environment(str(data.parent), max_dbs=16, map_size=1 << 26)
    tables = {name: handle.open_db(name.encode()) for name in ("log", "idx", "topic", "meta")}
    for work in (change, lambda txn, tables: txn.put(b"x", b"", db=tables["meta"])):
        with handle.begin(write=True) as txn:
            work(txn, tables)
    with handle.begin(write=True) as txn:  # neither meta page knows of the state before
        txn.delete(b"x", db=tables["meta"])
    handle.close()


def rot(data, position):
    """Flip one bit of the record at a position."""

    def flip(txn, tables):
        record = bytearray(txn.get(pack_number(position), db=tables["log"]))
        record[40] ^= 4
        txn.put(pack_number(position), bytes(record), db=tables["log"])

    tamper(data, flip)


def test_a_sound_log_is_left_alone(lading, data):
    """Nothing is set aside."""
    before = data.read_bytes()
    row = lading.row("repair", "--log")
    assert (row["repaired"], row["lost"]) == (False, 0)
    assert data.read_bytes() == before
    assert not list(lading.home.glob("log.*"))


@pytest.mark.long
def test_it_goes_on_from_the_valid_prefix(lading, data, folder, small):
    """A bit of one record: what lies before it stands, under a new id; what lies behind it is told as lost."""
    before = facts(data.parent)
    cut = 2 + next(fact.position for fact in before if getattr(fact.event, "key", None) == "k3")
    rot(data, cut)
    damaged = data.read_bytes()
    lading("verify", code=4)
    *lost, row = lading.rows("repair", "--log")
    after = facts(data.parent)
    word = after[-1]
    assert after[:-1] == before[: cut - 1]
    assert isinstance(word.event, LogRepaired)
    assert (word.position, word.version, str(word.stream)) == (cut, 1, row["log"])
    assert (word.event.cut, word.event.lost, word.event.aside) == (cut, len(before) - cut + 1, "log.damaged-1")
    assert "checksum" in row["reason"]
    assert (lading.home / "log.damaged-1" / "data.mdb").read_bytes() == damaged
    states = {found["key"]: (found["before"], found["after"]) for found in lost}
    assert states["k10"] == ("queued", None)
    assert states["k3"] == ("paused", "queued")
    assert "k2" not in states
    assert lading.row("verify", "--files", "--views")["ok"]
    assert lading.row("show", "done")["state"] == "completed"
    assert lading.add("http://a.test/new", "--key", "new")
    assert lading.row("repair", "--log")["repaired"] is False


def test_a_file_whose_end_was_lost_is_reconciled(lading, data, folder, small):
    """The log says that it was running; its published file is not overwritten, and the engine opens."""
    done = next(fact.position for fact in facts(data.parent) if type(fact.event).__name__ == "Completed")
    rot(data, done)
    content = (folder / small.name).read_bytes()
    lost = next(row for row in lading.rows("repair", "--log") if row.get("key") == "done")
    assert (lost["key"], lost["before"], lost["after"]) == ("done", None, "active")
    lading("pause", "--queue")
    assert lading.row("show", "done")["state"] in {"queued", "completed", "active"}
    assert (folder / small.name).read_bytes() == content


def test_an_index_that_is_damaged_costs_nothing(lading, data):
    """All events are taken, and indexed anew."""
    before = facts(data.parent)
    tamper(data, lambda txn, tables: txn.drop(tables["idx"], delete=False))
    row = lading.row("repair", "--log")
    assert (row["events"], row["lost"]) == (len(before), 0)
    assert facts(data.parent)[:-1] == before
    assert lading.row("verify")["ok"]


@pytest.mark.parametrize("gone", ["cut to nothing", "both meta pages", "a foreign file", "no folder"])
def test_a_log_of_which_nothing_can_be_read_is_not_given_up_unasked(gone, lading, data):
    """Only `--accept-loss` goes on with an empty log; the damaged one lies aside."""
    match gone:
        case "cut to nothing":
            os.truncate(data, 5000)
        case "both meta pages":
            content = bytearray(data.read_bytes())
            content[16:20] = content[4112:4116] = b"\0\0\0\0"
            data.write_bytes(content)
        case "a foreign file":
            data.write_bytes(os.urandom(65536))
        case "no folder":
            shutil.rmtree(data.parent)
    said = lading("--json", "repair", "--log", code=4)
    assert "--accept-loss" in said.trouble["hint"]
    assert not list(lading.home.glob("log.*"))
    row = lading.rows("repair", "--log", "--accept-loss")[-1]
    assert (row["repaired"], row["events"], row["cut"]) == (True, 0, 1)
    assert (lading.home / "log.damaged-1").exists() == (gone != "no folder")
    assert lading.row("verify", "--views")["events"] == 1
    assert lading.add("http://a.test/again")


def test_one_damaged_meta_page_costs_no_more_than_the_last_commit(lading, data):
    """The other one describes the file before that."""
    before = facts(data.parent)
    content = bytearray(data.read_bytes())
    newer = max((0, 1), key=lambda page: int.from_bytes(content[page * 4096 + 144 : page * 4096 + 152], "little"))
    content[newer * 4096 + 16] ^= 1
    data.write_bytes(content)
    row = lading.rows("repair", "--log")[-1]
    assert len(before) - 10 <= row["events"] < len(before)
    assert facts(data.parent)[:-1] == before[: row["events"]]


def test_a_damaged_name_of_a_topic_is_not_taken_for_a_newer_program(lading, data):
    """It might be one, so that the loss must be accepted; what came before it stands."""
    before = facts(data.parent)
    first = next(fact.position for fact in before if type(fact.event).__name__ == "Completed")

    def rename(txn, tables):
        (key,) = [key for key, name in txn.cursor(tables["topic"]) if name.startswith(b"lading.completed")]
        txn.put(key, b"lading.completee.v3", db=tables["topic"])

    tamper(data, rename)
    said = lading("--json", "repair", "--log", code=3)
    assert "--accept-loss" in said.trouble["hint"]
    row = lading.rows("repair", "--log", "--accept-loss")[-1]
    assert row["events"] == first - 1
    assert "completee" in row["reason"]


@pytest.mark.long
def test_nobody_else_may_use_the_log_meanwhile(lading, data, working, eventually):
    """An engine, or whoever else has it open: exit code 3, and nothing has changed."""
    eventually(lambda: not is_vacant(lading.home))
    said = lading("--json", "repair", "--log", code=3)
    assert said.trouble["kind"] == "StoreLocked"
    assert not list(lading.home.glob("log.*"))


def test_hooks_go_on_from_where_the_logs_part(lading, data):
    """Else they would pass over what the repaired log says."""
    (lading.home / "hooks").mkdir()
    (lading.home / "hooks" / "h").write_text('{"position": 30, "delivered": 4}')
    rot(data, 20)
    lading("repair", "--log")
    assert json.loads((lading.home / "hooks" / "h").read_text())["position"] == 19


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))])
def test_whatever_was_overwritten_what_is_taken_is_what_was_there(seed, lading, data):
    """Random pages of noise: the prefix is a beginning of the history, and the home works again."""
    before = facts(data.parent)
    chance = random.Random(seed)
    content = bytearray(data.read_bytes())
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(2 * 4096, len(content) // 2)
        size = chance.choice([1, 16, 4096])
        content[at : at + size] = chance.randbytes(size)
    data.write_bytes(content)
    row = lading.rows("repair", "--log", "--accept-loss")[-1]
    after = facts(data.parent)
    taken = row["events"]
    assert after[:taken] == before[:taken]
    assert len(after) == taken + row["repaired"]
    assert lading.row("verify", "--views")["ok"]


@pytest.mark.row("C.5")
def test_a_log_that_is_not_what_was_signed_goes_on_under_another_name(lading, tmp_path):
    """It is refused until somebody decides so; then it says for ever what it is, and its anchor takes it for that."""
    anchor = tmp_path / "anchor"
    lading("add", "http://a.test/1")
    lading("pause", "--all")
    (lading.home / "settings.toml").write_text(f'[anchors.safe]\nfile = "{anchor}"\n')
    shutil.copytree(lading.home / "log", tmp_path / "older")
    lading("add", "http://a.test/2")
    lading("pause", "--all")
    assert anchor.exists()
    root = lading.row("verify")["root"]
    shutil.rmtree(lading.home / "log")
    shutil.copytree(tmp_path / "older", lading.home / "log")
    for path in lading.home.glob("views*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    told = lading("add", "http://a.test/3", code=4).err
    assert "an older copy was put back" in told
    assert "repair --log" in told
    lading("verify", code=4)
    row = lading.rows("repair", "--log")[-1]
    assert row["repaired"]
    assert "an older copy was put back" in row["reason"]
    assert row["root"] not in {None, root}
    lading("add", "http://a.test/3")
    lading("pause", "--all")
    assert [row["url"] for row in lading.rows("list")] == ["http://a.test/1", "http://a.test/3"]
    assert lading.row("verify")["ok"]
    lading("repair", "--log")
    assert [row["event"] for row in lading.rows("log")].count("LogRepaired") == 1


@pytest.mark.row("C.5")
@pytest.mark.parametrize("harm", ["last", "first", "key"])
def test_what_was_signed_and_cannot_be_read_is_set_aside_with_the_name_of_the_log(lading, harm):
    """A damaged checkpoint, or key, ends no home: its log goes on under another name, and nothing of it is lost."""
    lading("add", "http://a.test/1")
    lading("pause", "--all")
    lading("resume", "--all")
    lading("checkpoint")
    (book,) = (lading.home / "checkpoints").iterdir()
    path = lading.home / "keys" / "signing.pub" if harm == "key" else book
    lines = path.read_text().splitlines()
    lines[0 if harm == "first" else -1] = "garbage"
    path.write_text("\n".join([*lines, ""]))
    lading("verify", code=4)
    row = lading.rows("repair", "--log")[-1]
    assert (row["repaired"], row["lost"]) == (True, 0)
    lading("add", "http://a.test/2")
    lading("pause", "--all")
    assert len(lading.rows("list")) == 2
    assert lading.row("verify")["ok"]
    lading("rebuild")
    assert path.with_name(f"{path.name}.damaged-1").exists()
