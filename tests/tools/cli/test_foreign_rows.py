"""What verbs say of a log in a database of which a row is not as it was written: exit code 4, and which one."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess

import pytest

from lading.checks import CHECKS, process
from lading.checks.process import Examination

CHANGES = [
    "state = 'a text'",
    "state = NULL",
    "state = CAST(x'ff' AS TEXT)",
    "originator_id = 'zzz'",
    "originator_version = 'abc'",
    "originator_version = -5",
    "topic = NULL",
]
READERS = [
    ("list",),
    ("log",),
    ("rebuild",),
    ("export", "events", "--to", "events.jsonl"),
    ("diff", "0", "head"),
    ("backup", "b"),
    ("sql", "SELECT * FROM events"),
]


@pytest.fixture
def database(lading, tmp_path):
    """The URL of a log in SQLite with some events, and its file."""
    path = tmp_path / "log.sqlite"
    url = f"sqlite:{path}"
    for number in range(4):
        lading("--log", url, "add", f"http://a.test/{number}", "--key", f"k{number}")
    return url, path


def change(path, what):
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE stored_events SET {what}")  # a test's own words
    connection.commit()
    connection.close()


@pytest.mark.parametrize("what", CHANGES)
def test_every_reader_says_that_the_log_is_damaged_and_where(what, lading, database):
    """Exit code 4, never something inside Lading, and no traceback; `verify` names the record and blames no page."""
    url, path = database
    change(path, f"{what} WHERE rowid = 3")
    for held in lading.home.glob("views*"):
        shutil.rmtree(held) if held.is_dir() else held.unlink()
    for words in READERS:
        said = lading("--json", "--log", url, *words, code=4)
        assert said.trouble["kind"] == "LogDamaged"
        assert "record 3 " in said.trouble["error"]
        assert "Traceback" not in said.err
    findings = lading.rows("--log", url, "verify", code=4)[:-1]
    assert 3 in {found["position"] for found in findings}
    assert not any("ended the process" in found["message"] for found in findings)


def test_verify_names_every_such_record(lading, database):
    """What lies between two of them is read."""
    url, path = database
    change(path, "state = NULL WHERE rowid IN (2, 4)")
    findings = lading.rows("--log", url, "verify", code=4)[:-1]
    assert [found["position"] for found in findings] == [2, 4]


def test_a_context_that_is_none_is_damage_to_whoever_takes_events_apart(lading, database):
    """`export` and `sql` read envelopes without opening them."""
    url, path = database
    change(path, "state = CAST(substr(state, 1, 27) || x'ff' || substr(state, 29) AS BLOB) WHERE rowid = 2")
    for words in (("export", "events", "--to", "e.jsonl"), ("sql", "SELECT * FROM events")):
        assert "event 2 " in lading("--json", "--log", url, *words, code=4).trouble["error"]


@pytest.mark.parametrize(
    ("ending", "told", "is_of_pages"),
    [
        ("raise ZeroDivisionError", "ZeroDivisionError inside Lading", False),
        ("os._exit(9)", "exit code 9", False),
        ("os.kill(os.getpid(), 11)", "SIGSEGV", True),
    ],
)
def test_a_check_that_fails_by_itself_is_told_apart_from_one_that_died(ending, told, is_of_pages, lading, monkeypatch):
    """A Python exception, an exit without a word, a signal: only for that pages are blamed."""
    lading("add", "http://a.test/1")
    script = f"""if True:
        import os, sys, attrs
        from lading.checks import process
        def broken(_):
            {ending}
            yield
        process.CHECKS = [attrs.evolve(process.CHECKS[0], findings=broken)]
        sys.exit(process.main())
    """
    popen = subprocess.Popen
    monkeypatch.setattr(process.subprocess, "Popen", lambda words, **more: popen([words[0], "-c", script], **more))
    (finding,) = Examination(lading.home).findings(CHECKS[:1])
    assert told in finding.message
    assert ("pages are damaged" in finding.message) == is_of_pages
