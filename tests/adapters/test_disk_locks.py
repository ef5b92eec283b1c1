"""Locks between real processes and threads: a part has one holder, and who is not that one touches nothing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from lading.adapters.disk import LocalDisk
from lading.domain.errors import InvalidDestination

DISK = LocalDisk()
WORKER = """
import sys
from lading.adapters.disk import LocalDisk
part = LocalDisk().open_part(sys.argv[1], create=sys.argv[2] == "create")
print("none" if part is None else "held", flush=True)
for line in sys.stdin:
    part.write(0, line.strip().encode())
    part.flush()
    print("written", flush=True)
"""


@contextlib.contextmanager
def worker(path: str, how: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that opens the part, says whether it holds it, and writes each line that it is told."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, path, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.law(6)
@pytest.mark.parametrize("create", [True, False])
def test_part_has_one_holder(new_part, create):
    """While one holds a part, whoever opens it or makes it anew gets None, and changes nothing."""
    made = new_part(data=b"mine")
    assert DISK.open_part(made.path, create=create) is None
    with worker(made.path, "create" if create else "open") as other:
        assert other.stdout.readline() == "none\n"
    assert os.stat(made.path).st_ino == made.inode
    made.close()
    again = DISK.open_part(made.path, create=False)
    assert again is not None
    assert again.read(0, 10) == b"mine"
    again.close()


@pytest.mark.law(6)
def test_stopped_worker_keeps_its_part_and_a_killed_one_has_lost_it(folder):
    """No clock takes a part from a worker that was stopped; once it is dead the part is free at once."""
    path = f"{folder}/.file.1.part"
    with worker(path, "create") as holder:
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
        assert DISK.open_part(path, create=False) is None
        assert DISK.open_part(path, create=True) is None
        holder.send_signal(signal.SIGCONT)
        holder.stdin.write("still mine\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "written\n"
        assert DISK.open_part(path, create=False) is None
        holder.kill()
        holder.wait()
        successor = DISK.open_part(path, create=False)
    assert successor is not None
    assert successor.read(0, 100) == b"still mine"
    successor.close()


@pytest.mark.law(6)
def test_no_byte_of_a_stopped_worker_reaches_its_successors_file(folder, publish, content):
    """A successor works in a part of its own; what the old worker writes when it wakes goes nowhere near it."""
    old, new, final = f"{folder}/.file.1.part", f"{folder}/.file.2.part", f"{folder}/file"
    with worker(old, "create") as holder:
        assert holder.stdout.readline() == "held\n"
        holder.stdin.write("vouched for\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "written\n"
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
        assert DISK.open_part(old, create=False) is None
        successor = DISK.open_part(new, create=True)
        assert successor is not None
        successor.write(0, DISK.read(old, 0, 100))
        publish(successor, final, replace=False)
        DISK.unlink(old)
        DISK.unlink(new)
        holder.send_signal(signal.SIGCONT)
        holder.stdin.write("POISON\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "written\n"
    assert content(final) == b"vouched for"
    assert os.listdir(folder) == ["file"]
    successor.close()


@pytest.mark.law(6)
@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("moved", ["unlinked", "replaced"])
def test_lock_on_what_lost_its_name_meanwhile_is_no_lock(new_part, monkeypatch, create, moved, content, put):
    """Between opening and locking another may take the name: then this one has nothing, and touches nothing."""
    stale = new_part(data=b"old")
    stale.close()
    real = fcntl.flock

    def late(descriptor, how):
        monkeypatch.setattr(fcntl, "flock", real)
        os.unlink(stale.path)
        if moved == "replaced":
            put(stale.path, b"the winner's")
        return real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert DISK.open_part(stale.path, create=create) is None
    if moved == "replaced":
        assert content(stale.path) == b"the winner's"
    else:
        assert not os.path.lexists(stale.path)


@pytest.mark.law(6)
def test_new_part_whose_name_is_taken_before_its_lock_is_given_up(folder, monkeypatch, content, put):
    """A part that another took for a dead worker's, before we could lock it, is theirs."""
    path = f"{folder}/.file.1.part"
    real = fcntl.flock

    def late(descriptor, how):
        monkeypatch.setattr(fcntl, "flock", real)
        os.unlink(path)
        put(path, b"the winner's")
        return real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert DISK.open_part(path, create=True) is None
    assert content(path) == b"the winner's"


@pytest.mark.law(6)
def test_many_who_fight_for_a_part_are_never_two(folder):
    """Threads that open, make, rename over and remove one part at once: whoever holds it is alone with its name."""
    path, holders, broken, rounds = f"{folder}/.file.1.part", [], [], []
    begin = threading.Barrier(6)

    def fight(number: int) -> None:
        disk = LocalDisk()
        begin.wait()
        for turn in range(100_000):
            if len(rounds) >= 200 or broken:
                break
            mine = disk.open_part(path, create=(turn + number) % 2 == 0)
            if mine is None:
                continue
            holders.append(number)
            mine.write(0, b"%d" % number)
            alone = holders == [number] and disk.inode(path) == mine.inode and mine.read(0, 9)[:1] == b"%d" % number
            rounds.append(alone)
            if not alone:
                broken.append((number, turn))
            holders.remove(number)
            if turn % 3 == 0:
                disk.unlink(path)
            mine.close()

    threads = [threading.Thread(target=fight, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    assert len(rounds) >= 200


@pytest.mark.law(5)
def test_making_a_part_anew_spares_the_file_that_its_old_inode_became(new_part, folder, publish, content):
    """What a dead worker left under a part's name may be published already: it is unlinked and never cut or written."""
    dead = new_part(data=b"published")
    publish(dead, f"{folder}/file", replace=False)
    dead.close()
    anew = new_part()
    assert anew.size() == 0
    assert anew.inode != dead.inode
    anew.write(0, b"other")
    assert content(f"{folder}/file") == b"published"


@pytest.mark.law(6)
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_file_system_without_locks_is_refused(folder, monkeypatch, number, failing):
    """Where no lock can be had there is no part, rather than one with two owners."""
    monkeypatch.setattr(fcntl, "flock", failing(number))
    with pytest.raises(InvalidDestination) as caught:
        DISK.open_part(f"{folder}/.file.1.part", create=True)
    assert "no locks" in caught.value.hint
