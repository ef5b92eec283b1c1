"""One open environment: forks, growing maps, readers, writers, and files that are pulled away."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from lading.adapters.lmdb import LMDBLog, LMDBStore
from lading.adapters.lmdb import environment as environment_module
from lading.adapters.lmdb.handle import Handle, Settings
from lading.adapters.lmdb.registry import let_go, open_environment
from lading.adapters.lmdb.verify import verify
from lading.domain.errors import StoreUnavailable
from lading.domain.ports import Conflict, Entry

A = UUID(int=1)
TINY = 256 * 1024


def entry(stream: UUID, version: int, state: bytes = b"state") -> Entry:
    return Entry(stream, version, "happened:1", state)


def _in_child(work: Any) -> str:
    """Run `work` in a forked child and return what it says."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = str(work())
        except BaseException as error:
            said = f"{type(error).__name__}: {error} ({getattr(error, 'hint', '')})"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


forking = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@forking
def test_a_forked_child_is_told_so(log: LMDBLog) -> None:
    """It gets a clear error for what it inherited, while the parent's log is unharmed."""
    log.append([[entry(A, 1)]])
    for use in (log.head, lambda: log.append([[entry(A, 2)]])):
        said = _in_child(use)
        assert said.startswith("StoreUnavailable")
        assert "fork" in said
        assert "open it again" in said
    assert log.append([[entry(A, 2)]]) == [(2,)]


@forking
def test_a_forked_child_can_open_the_log_afresh(log: LMDBLog, tmp_path: Path) -> None:
    """Child and parent then write side by side, and closing in the child closes nothing of the parent's."""
    log.append([[entry(A, 1)]])

    def work() -> Any:
        own = LMDBLog(tmp_path / "log")
        answer = own.append([[entry(A, 2)]])
        log.close()
        own.close()
        return answer

    assert _in_child(work) == "[(2,)]"
    assert log.append([[entry(A, 3)]]) == [(3,)]
    assert list(verify(tmp_path / "log", strict=True)) == []


@forking
def test_a_fork_within_a_read_leaves_the_parents_look_intact(store: LMDBStore, tmp_path: Path) -> None:
    """The child ends its copy of the block without ending the parent's; it cannot open the store, and says why."""
    with store.write() as txn:
        txn.put(b"k", b"v")
    with store.read() as look:

        def work() -> Any:
            store.environment.end_read(look._txn)
            return LMDBStore(tmp_path / "store")

        assert "forked within a transaction" in _in_child(work)
        readers = store.environment._handle.lmdb.readers()
        assert str(os.getpid()) in readers
        assert look.get(b"k") == b"v"


@forking
def test_a_fork_within_a_write_commits_only_in_the_parent(store: LMDBStore) -> None:
    """Leaving the block in the child raises and stores nothing; the parent's block is whole."""

    with store.write() as txn:
        txn.put(b"k", b"v")
        said = _in_child(lambda: txn.__exit__(None, None, None))
        assert said.startswith("StoreUnavailable")
    with store.read() as look:
        assert look.get(b"k") == b"v"


def test_a_log_outgrows_a_tiny_map(tmp_path: Path) -> None:
    """The batch that found the map full is stored whole, once, and the map stays large for the next one."""
    log = LMDBLog(tmp_path / "log", map_size=TINY)
    requests = [[entry(A, version, bytes(900))] for version in range(1, 2001)]
    assert log.append(requests) == [(n,) for n in range(1, 2001)]
    assert log.append([[entry(A, 2001)]]) == [(2001,)]
    assert log.environment._handle.map_size() >= 8 * TINY
    log.close()
    assert list(verify(tmp_path / "log", strict=True)) == []


def test_a_store_outgrows_a_tiny_map(tmp_path: Path) -> None:
    """What a block wrote is put again after growing; a value larger than the map is no exception."""
    store = LMDBStore(tmp_path / "store", map_size=TINY)
    with store.write() as txn:
        for n in range(3000):
            txn.put(b"%05d" % n, bytes(300))
        txn.put(b"large", bytes(4 * TINY))
    with store.write() as txn:
        txn.delete(b"00000")
    with store.read() as look:
        assert sum(1 for _ in look.scan(b"0")) == 2999
        assert look.get(b"large") == bytes(4 * TINY)
    store.close()


def test_growing_waits_for_readers_and_they_never_see_anothers_bytes(tmp_path: Path) -> None:
    """Readers in other threads go on while the map grows under a writer; a look that was open keeps its state."""
    log = LMDBLog(tmp_path / "log", map_size=TINY)
    log.append([[entry(A, 1)]])
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.wait(0.001):  # a reader that never rests takes the interpreter from the writer
                rows = log.read(max(log.head() - 10, 0), 10)
                assert all(row.version == row.position for row in rows)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for version in range(2, 802, 100):
        log.append([[entry(A, v, bytes(2000)) for v in range(version, version + 100)]])
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert log.environment._handle.map_size() > TINY
    log.close()


def test_a_reader_that_stays_is_ended_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Growing waits for it a bounded time; its next use fails, it does not read unmapped memory."""
    monkeypatch.setattr("lading.adapters.lmdb.gate.DRAIN_WAIT_S", 0.05)
    store = LMDBStore(tmp_path / "store", map_size=TINY)
    entered, leave = threading.Event(), threading.Event()
    said: list[str] = []

    def stay() -> None:
        with store.read() as look:
            entered.set()
            leave.wait(10)
            try:
                look.get(b"k")
            except Exception as error:
                said.append(str(error))

    thread = threading.Thread(target=stay)
    thread.start()
    entered.wait(10)
    with store.write() as txn:
        txn.put(b"k", bytes(4 * TINY))
    leave.set()
    thread.join()
    assert len(said) == 1
    assert "closed" in said[0]
    store.close()


def test_a_map_that_another_process_has_grown_is_adopted(tmp_path: Path, start: Any) -> None:
    """This process, whose map is too small by then, reads and writes on."""
    log = LMDBLog(tmp_path / "log", map_size=TINY)
    log.append([[entry(A, 1)]])
    code = """
        import sys, uuid
        from lading.adapters.lmdb import LMDBLog
        from lading.domain.ports import Entry
        log = LMDBLog(sys.argv[1], map_size=262144)
        stream = uuid.UUID(int=1)
        log.append([[Entry(stream, v, "t:1", bytes(1000)) for v in range(2, 2002)]])
    """
    assert start(code, tmp_path / "log").wait(60) == 0
    assert log.head() == 2001
    assert log.append([[entry(A, 2002)]]) == [(2002,)]
    assert start(code.replace("range(2, 2002)", "range(2003, 9003)"), tmp_path / "log").wait(60) == 0
    assert log.append([[entry(A, 9003)]]) == [(9003,)]
    log.close()


def test_a_store_whose_map_grows_notices_a_writer_that_slips_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Any
) -> None:
    """Between giving up the full map and taking the larger one another process committed: nothing is stored."""
    store = LMDBStore(tmp_path / "store", map_size=TINY)
    code = """
        import sys
        from lading.adapters.lmdb import LMDBStore
        store = LMDBStore(sys.argv[1])
        print("open", flush=True)
        sys.stdin.readline()
        with store.write() as txn:
            txn.put(b"theirs", b"")
    """
    other = start(code, tmp_path / "store")
    assert other.stdout.readline() == "open\n"
    grow = Handle._remap

    def slip(handle: Any, size: int) -> None:
        if size:
            other.communicate("go\n", timeout=30)
        grow(handle, size)

    monkeypatch.setattr(Handle, "_remap", slip)
    with pytest.raises(StoreUnavailable, match="another process wrote"), store.write() as txn:
        txn.put(b"ours", bytes(2 * TINY))
    monkeypatch.undo()
    with store.read() as look:
        assert [key for key, _ in look.scan(b"")] == [b"theirs"]
    store.close()


def test_a_writer_within_a_writer_is_refused(store: LMDBStore) -> None:
    """It would wait for itself for ever."""
    with pytest.raises(RuntimeError, match="within another"), store.write(), store.write():
        pass
    with store.write() as txn:
        txn.put(b"k", b"v")


def test_a_writer_waits_for_another_thread_only_so_long(store: LMDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it says that somebody keeps the transaction open."""
    monkeypatch.setattr(environment_module, "WRITE_WAIT_S", 0.05)
    entered, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with store.write():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=stay)
    thread.start()
    entered.wait(10)
    with pytest.raises(StoreUnavailable, match="another thread"), store.write():
        pass
    leave.set()
    thread.join()


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_an_environment_that_was_pulled_away_takes_no_more_writes(log: LMDBLog, tmp_path: Path, how: str) -> None:
    """LMDB would go on committing into files that nobody can find."""
    log.append([[entry(A, 1)]])
    shutil.move(tmp_path / "log", tmp_path / "away")
    if how == "replaced":
        LMDBLog(tmp_path / "log").close()
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        log.append([[entry(A, 2)]])


def test_the_folder_and_its_files_are_the_owners_alone(log: LMDBLog, tmp_path: Path) -> None:
    """0700 and 0600, whatever the umask."""
    folder = tmp_path / "log"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == {
        "data.mdb": 0o600, "lock.mdb": 0o600, "open.lock": 0o600, "users.lock": 0o600,
    }  # fmt: skip


HOLD = """
    import sys
    from lading.adapters.lmdb import LMDBStore
    store = LMDBStore(sys.argv[1])
    with store.{how}() as held:
        print("in", flush=True)
        sys.stdin.read()
"""


def test_the_write_lock_of_a_killed_process_is_free_at_once(store: LMDBStore, tmp_path: Path, start: Any) -> None:
    """SIGKILL in the middle of a write transaction: what it wrote is gone, and the next writer does not wait."""
    holder = start(
        HOLD.format(how="write").replace('print("in"', 'held.put(b"k", b"theirs"); print("in"'), tmp_path / "store"
    )
    assert holder.stdout.readline() == "in\n"
    done: list[float] = []

    def write() -> None:
        with store.write() as txn:
            assert txn.get(b"k") is None
            txn.put(b"k", b"ours")
        done.append(time.monotonic())

    thread = threading.Thread(target=write)
    thread.start()
    thread.join(0.2)
    assert not done
    killed = time.monotonic()
    holder.send_signal(signal.SIGKILL)
    thread.join(10)
    assert done[0] - killed < 5
    with store.read() as look:
        assert look.get(b"k") == b"ours"


def test_the_slots_of_killed_readers_are_freed(tmp_path: Path, start: Any) -> None:
    """At the next opening, and when there are no slots left, so that they keep no old pages alive for ever."""
    keeper = open_environment(tmp_path / "store", Settings(map_size=TINY, readers=3))
    store = LMDBStore(tmp_path / "store")
    holders = [start(HOLD.format(how="read"), tmp_path / "store") for _ in range(3)]
    for holder in holders:
        assert holder.stdout.readline() == "in\n"
    with pytest.raises(StoreUnavailable, match="too many readers"), store.read():
        pass
    for holder in holders:
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    with store.read():
        own = [line.split()[0] for line in store.environment._handle.lmdb.readers().splitlines()[1:]]
        assert own == [str(os.getpid())]
    store.close()
    let_go(keeper)


def test_opening_frees_the_slots_of_killed_readers(tmp_path: Path, start: Any) -> None:
    """The next process to come clears up."""
    keeper = LMDBStore(tmp_path / "store")
    holder = start(HOLD.format(how="read"), tmp_path / "store")
    assert holder.stdout.readline() == "in\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    assert str(holder.pid) in keeper.environment._handle.lmdb.readers()
    assert start(HOLD.format(how="read").replace("sys.stdin.read()", "pass"), tmp_path / "store").wait(30) == 0
    assert str(holder.pid) not in keeper.environment._handle.lmdb.readers()
    keeper.close()


def test_many_processes_append_to_one_log(tmp_path: Path, start: Any) -> None:
    """Four at once, each with streams of its own and one that all fight for: each event once, conflicts told."""
    code = """
        import sys, uuid
        from lading.adapters.lmdb import LMDBLog
        from lading.domain.ports import Conflict, Entry
        log, own, shared = LMDBLog(sys.argv[1]), uuid.uuid4(), uuid.UUID(int=9)
        won = 0
        for version in range(1, 31):
            last = len(log.stream(shared))
            answers = log.append([[Entry(own, version, "t:1", b"x")], [Entry(shared, last + 1, "t:1", own.bytes)]])
            assert isinstance(answers[0], tuple)
            won += not isinstance(answers[1], Conflict)
        print(won)
    """
    children = [start(code, tmp_path / "log") for _ in range(4)]
    won = [int(child.communicate(timeout=60)[0]) for child in children]
    log = LMDBLog(tmp_path / "log")
    shared = log.stream(UUID(int=9))
    assert len(shared) == sum(won)
    assert log.head() == 4 * 30 + sum(won)
    assert len(log.read(limit=1000)) == log.head()
    assert log.append([[entry(UUID(int=9), 1)]]) == [Conflict(UUID(int=9), 0, len(shared))]
    log.close()
    assert list(verify(tmp_path / "log", strict=True)) == []


@pytest.mark.law(1)
def test_whatever_a_killed_appender_said_is_there(tmp_path: Path, start: Any) -> None:
    """Killed at some moment of its work: each acknowledged event is in the log, and the log is whole."""
    code = """
        import sys, uuid
        from lading.adapters.lmdb import LMDBLog
        from lading.domain.ports import Entry
        log, stream, version = LMDBLog(sys.argv[1]), uuid.uuid4(), 0
        while True:
            batch = [Entry(stream, version + n, "t:1", bytes(500)) for n in range(1, 20)]
            log.append([batch])
            version += 19
            print(stream, version, flush=True)
    """
    for pause_ms in (0, 3, 11):
        child = start(code, tmp_path / "log")
        said = child.stdout.readline()
        time.sleep(pause_ms / 1000)
        child.send_signal(signal.SIGKILL)
        said = (said + child.communicate(timeout=30)[0]).splitlines()
        stream, version = said[-1].split() if said[-1].count(" ") == 1 and len(said[-1]) > 37 else said[-2].split()
        log = LMDBLog(tmp_path / "log")
        held = log.stream(UUID(stream))
        assert len(held) >= int(version)
        assert len(held) % 19 == 0
        log.close()
        assert list(verify(tmp_path / "log", strict=True)) == []


def test_a_block_keeps_its_store_open(tmp_path: Path) -> None:
    """Also when nothing else refers to the store any more."""
    with LMDBStore(tmp_path / "store").write() as txn:
        txn.put(b"k", b"v")
    with LMDBStore(tmp_path / "store").read() as look:
        assert look.get(b"k") == b"v"


def test_an_environment_is_closed_when_its_holder_is_collected(tmp_path: Path) -> None:
    """A holder that nobody closed does not keep the file open for ever."""
    log = LMDBLog(tmp_path / "log")
    log.append([[entry(uuid4(), 1)]])
    environment = log.environment
    del log
    with pytest.raises(StoreUnavailable, match="closed"):
        environment.begin_read()
