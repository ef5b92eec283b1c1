"""The system tells the truth of processes and files, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from uuid import uuid4

import pytest

from lading.adapters.processes import SystemProcesses
from lading.home import EngineLock, open_home

pytestmark = [pytest.mark.row("S2.7")]


def test_a_process_uses_something():
    """This one has memory, time, files and threads; its own memory is no more than what is resident."""
    found = SystemProcesses().process()
    assert found is not None
    assert found.pid == os.getpid()
    assert found.cpu_s > 0
    assert 0 < found.own_bytes <= found.resident_bytes
    assert 0 < found.open_files < found.most_files
    assert found.threads >= 1


def test_what_a_process_uses_more_is_seen():
    """Memory and files that it takes are in the figures."""
    processes = SystemProcesses()
    before = processes.process()
    held = b"x" * 50_000_000
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    after = processes.process()
    assert after.own_bytes - before.own_bytes > 0.9 * len(held)
    assert after.open_files - before.open_files >= 20
    for file in files:
        os.close(file)


def test_a_process_that_is_not_there_is_none():
    """Its number may be anything."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert SystemProcesses().process(gone.pid) is None


def test_who_holds_the_lock_is_known_by_its_word_and_by_the_open_file(tmp_path):
    """A number that stands in the file after its process has let go, or that is another's, counts for nothing."""
    home, processes = open_home(tmp_path / "home", new_id=uuid4()), SystemProcesses()
    path = str(home.path / "engine.lock")
    assert processes.holder(path) is None
    lock = EngineLock(home)
    assert lock.take()
    assert processes.holder(path) is None
    lock.sign()
    assert processes.holder(path) == os.getpid()
    lock.release()
    assert processes.holder(path) is None
    (home.path / "engine.lock").write_text("nonsense")
    assert processes.holder(path) is None


def test_looking_whether_a_home_is_vacant_signs_nothing(tmp_path):
    """Only an owner does: who looks would leave its own number there."""
    home = open_home(tmp_path / "home", new_id=uuid4())
    assert EngineLock(home).is_vacant()
    assert (home.path / "engine.lock").read_bytes() == b""


def test_a_sparse_file_occupies_what_is_written(tmp_path):
    """A map that may grow to gigabytes is as large as what lies in it."""
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(1 << 30)
        file.write(b"x")
    assert 0 < SystemProcesses().occupied(str(sparse)) < 1 << 20
    assert SystemProcesses().occupied(str(tmp_path / "missing")) is None
