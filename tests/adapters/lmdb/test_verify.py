"""Verification finds what LMDB does not notice, names it, and survives what ends its reader."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import lmdb
import pytest
from eventsourcing.persistence import StoredEvent

from lading.adapters.lmdb import LMDBAggregateRecorder, LMDBApplicationRecorder, LMDBDatastore, LMDBLog
from lading.adapters.lmdb.record import encode, pack_number, stream_prefix
from lading.adapters.lmdb.verify import Finding, examine, main, verify
from lading.domain.errors import StoreUnavailable
from lading.domain.ports import Entry

A, B = UUID(int=1), UUID(int=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log with three events of one stream, closed."""
    log = LMDBLog(tmp_path / "log")
    log.append([[Entry(A, n, f"t:{n % 2}", bytes([n]) * 60)] for n in (1, 2, 3)])
    log.close()
    return tmp_path / "log"


def tamper(folder: Path, change: Callable[[Any, dict[str, Any]], None]) -> None:
    """Change tables behind the log's back."""
    handle = lmdb.Environment(str(folder), max_dbs=16, map_size=1 << 24)
    tables = {name: handle.open_db(name.encode()) for name in ("log", "idx", "topic", "snap", "trk")}
    with handle.begin(write=True) as txn:
        change(txn, tables)
    handle.close()


def index_of(stream: UUID, version: int) -> bytes:
    return stream_prefix(stream) + pack_number(version)


def record(version: int) -> bytes:
    """Return the record of an empty event of the stream A."""
    return encode([(A, version, "t", b"")], {"t": 0})[1][0]


def kinds(folder: Path) -> list[tuple[str, int | None]]:
    return [(finding.kind, finding.position) for finding in verify(folder, strict=True)]


def test_a_whole_log_has_no_findings(folder: Path) -> None:
    """Neither in this process nor in a child."""
    assert list(verify(folder, strict=True)) == []
    assert list(examine(folder, strict=True)) == []


def test_a_flipped_bit_is_found(folder: Path) -> None:
    """By the record's checksum, at its position."""
    data = folder / "data.mdb"
    data.write_bytes(data.read_bytes().replace(b"\2" * 60, b"\2" * 59 + b"\3"))
    assert kinds(folder) == [("record", 2)]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda txn, t: txn.delete(pack_number(2), db=t["log"]), [("order", 3), ("index", 2)]),
        (lambda txn, t: txn.delete(pack_number(1), db=t["log"]), [("order", 2), ("index", 1)]),
        (lambda txn, t: txn.delete(index_of(A, 2), db=t["idx"]), [("index", 2), ("version", 3)]),
        (lambda txn, t: txn.put(index_of(A, 2), pack_number(1), db=t["idx"]), [("index", 2), ("index", 1)]),
        (lambda txn, t: txn.put(index_of(B, 1), pack_number(3), db=t["idx"]), [("index", 3)]),
        (lambda txn, t: txn.put(index_of(B, 1), pack_number(0), db=t["idx"]), [("index", 0)]),
        (lambda txn, t: txn.delete(pack_number(1), db=t["topic"]), [("record", 1), ("record", 3)]),
        (lambda txn, t: txn.put(pack_number(2), b"t:0", db=t["topic"]), [("topic", None)]),
        (lambda txn, t: txn.put(pack_number(9), b"t:9", db=t["topic"]), [("topic", None)]),
        (lambda txn, t: txn.put(pack_number(3), b"", db=t["log"]), [("record", 3)]),
        (lambda txn, t: txn.put(pack_number(3), record(7), db=t["log"]), [("index", 3), ("index", 3)]),
        (lambda txn, t: txn.put(b"key" + pack_number(1), record(1), db=t["snap"]), [("snapshot", None)]),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_found(
    folder: Path, change: Callable[[Any, dict[str, Any]], None], found: list[tuple[str, int | None]]
) -> None:
    """Records, index and topics are held against one another, both ways."""
    tamper(folder, change)
    assert kinds(folder) == found


def test_gaps_in_versions_are_allowed_unless_strict(tmp_path: Path) -> None:
    """Applications of the library may skip versions and begin at 0; every application in the folder is looked at."""
    datastore = LMDBDatastore(tmp_path)
    for name in ("", "Shop"):
        recorder = LMDBApplicationRecorder(datastore, name)
        recorder.create_table()
        recorder.insert_events([StoredEvent("order/1", version, "t", b"") for version in (0, 5)])
        LMDBAggregateRecorder(datastore, name, "snapshots").insert_events([StoredEvent(uuid4(), 3, "s", b"x")])
    assert list(verify(tmp_path)) == []
    assert sorted((f.kind, f.log, f.position) for f in verify(tmp_path, strict=True)) == [
        ("version", "", 1), ("version", "", 2), ("version", "shop", 1), ("version", "shop", 2),
    ]  # fmt: skip
    datastore.close()


def test_it_verifies_beside_a_writer(tmp_path: Path) -> None:
    """Events that are appended while it looks are neither found wanting nor waited for."""
    log = LMDBLog(tmp_path / "log")
    log.append([[Entry(A, n, "t:1", b"")] for n in range(1, 5000)])
    checking = verify(tmp_path / "log", strict=True)
    log.append([[Entry(B, n, "late:1", b"")] for n in range(1, 100)])
    assert list(checking) == []
    log.close()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "lading.adapters.lmdb.verify", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_program_prints_one_object_a_line(folder: Path) -> None:
    """Findings first, then what it looked at; exit code 0 for a whole log, 4 for a damaged one."""
    ran = run(folder, "--strict")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == {"done": True, "events": 3, "streams": 1, "findings": 0}
    tamper(folder, lambda txn, tables: txn.delete(pack_number(2), db=tables["log"]))
    ran = run(folder)
    assert ran.returncode == 4
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [line.get("kind") for line in lines] == ["order", "index", None]
    assert lines[-1] == {"done": True, "events": 2, "streams": 1, "findings": 2}


def test_what_is_not_there_cannot_be_verified(tmp_path: Path) -> None:
    """Exit code 3 and a sentence on stderr; as a function, StoreUnavailable."""
    ran = run(tmp_path / "nowhere")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert "no store" in ran.stderr
    with pytest.raises(StoreUnavailable, match="no store"):
        list(examine(tmp_path / "nowhere"))


def test_a_file_that_was_cut_short_is_a_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not mapped, and the finding says why."""
    os.truncate(folder / "data.mdb", 3 * 4096)
    assert main([str(folder)]) == 4
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["kind"] == "pages"
    assert "cut short" in lines[0]["message"]
    assert lines[-1]["findings"] == 1


def test_a_damaged_page_ends_only_the_child(folder: Path) -> None:
    """Pages of the tree overwritten: whatever becomes of the process that reads them, we live and have a finding."""
    log = LMDBLog(folder)
    log.append([[Entry(B, n, "t:1", bytes(500))] for n in range(1, 2000)])
    log.close()
    data = folder / "data.mdb"
    size = data.stat().st_size
    with data.open("r+b") as file:
        for page in range(2, size // 4096, 3):
            file.seek(page * 4096)
            file.write(os.urandom(4096))
    found = list(examine(folder))
    assert found
    assert {finding.kind for finding in found} <= {"pages", "reader", "record", "index", "order", "topic"}


def test_a_child_that_dies_of_a_signal_is_a_finding(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its last line is missing, and the finding names the signal."""
    killer = tmp_path / "python"
    killer.write_text(f"#!/bin/sh\nkill -{signal.SIGBUS.value} $$\n")
    killer.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(killer))
    (finding,) = examine(folder)
    assert isinstance(finding, Finding)
    assert finding.kind == "reader"
    assert "SIGBUS" in finding.message
