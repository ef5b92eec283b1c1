"""The lean log holds the contract of `lading.domain.ports.Log`, against a plain model and in its corners."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.adapters.lmdb import LMDBLog
from lading.adapters.lmdb.environment import Environment
from lading.adapters.lmdb.faults import CommitUnknown
from lading.adapters.lmdb.verify import verify
from lading.domain.errors import LogDamaged, StoreUnavailable
from lading.domain.ports import Conflict, Entry, Log, Recorded

A, B, C = (UUID(int=n) for n in (1, 2, 3))


def entry(stream: UUID, version: int, state: bytes = b"state", topic: str = "happened:1") -> Entry:
    return Entry(stream, version, topic, state)


class Model:
    """A log as one would write it on a napkin."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []

    def append(self, requests: Sequence[Sequence[Entry]]) -> list[tuple[int, ...] | Conflict]:
        return [self._append(request) for request in requests]

    def _append(self, request: Sequence[Entry]) -> tuple[int, ...] | Conflict:
        added: list[Recorded] = []
        for one in request:
            found = max((e.version for e in [*self.events, *added] if e.stream == one.stream), default=0)
            if one.version != found + 1:
                return Conflict(one.stream, one.version - 1, found)
            added.append(Recorded(len(self.events) + len(added) + 1, *one))
        self.events += added
        return tuple(e.position for e in added)


entries = st.builds(
    Entry,
    stream=st.sampled_from([A, B, C]),
    version=st.integers(1, 4),
    topic=st.sampled_from(["queued:1", "started:1", "progressed:2"]),
    state=st.binary(max_size=20),
)
batches = st.lists(st.lists(st.lists(entries, max_size=3), max_size=4), max_size=4)


@settings(deadline=None, max_examples=30)
@given(batches, st.integers(0, 6), st.integers(0, 6))
def test_the_log_answers_as_a_plain_model_does(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[list[Entry]]], after: int, limit: int
) -> None:
    """Any batches of any requests: the same positions, conflicts, pages and streams, and a clean verification."""
    folder = tmp_path_factory.mktemp("log")
    log, model = LMDBLog(folder), Model()
    try:
        for requests in batches:
            assert log.append(requests) == model.append(requests)
            assert log.head() == len(model.events)
        assert log.read() == model.events
        assert log.read(after, limit) == model.events[after:][:limit]
        for stream in (A, B, C):
            expected = [e for e in model.events if e.stream == stream and e.version > after]
            assert log.stream(stream, after) == expected
        assert list(verify(folder, strict=True)) == []
    finally:
        log.close()


def test_it_is_a_log(log: LMDBLog) -> None:
    """The type checker accepts it as the port; the rows are the port's rows."""
    port: Log = log
    port.append([[entry(A, 1)]])
    assert isinstance(port.read()[0], Recorded)
    assert isinstance(port.read()[0].stream, UUID)


def test_a_conflict_fails_only_its_own_request(log: LMDBLog) -> None:
    """The requests around it, and those that build on them, are stored in the same commit."""
    log.append([[entry(A, 1)]])
    before = log.environment.last_transaction()
    answers = log.append([[entry(B, 1)], [entry(A, 1), entry(C, 1)], [entry(A, 2)], [entry(B, 2)], [entry(A, 2)]])
    assert answers == [(2,), Conflict(A, 0, 1), (3,), (4,), Conflict(A, 1, 2)]
    assert log.stream(C) == []
    assert log.environment.last_transaction() == before + 1


def test_conflicts_alone_commit_nothing(log: LMDBLog) -> None:
    """Nothing is flushed for requests that do not fit."""
    before = log.environment.last_transaction()
    assert log.append([[entry(A, 2)], []]) == [Conflict(A, 1, 0), ()]
    assert log.append([]) == []
    assert log.environment.last_transaction() == before


@pytest.mark.row("C.1")
def test_what_was_appended_is_there_after_reopening(tmp_path: Path) -> None:
    """Events, versions, positions and the log's id."""
    log = LMDBLog(tmp_path / "log")
    log.append([[entry(A, 1, b"\x00"), entry(A, 2, b"")]])
    held, log_id = log.read(), log.log_id
    log.close()
    log.close()
    log = LMDBLog(tmp_path / "log")
    assert (log.read(), log.log_id, log.head()) == (held, log_id, 2)
    assert log.append([[entry(A, 3)]]) == [(3,)]
    log.close()


def test_a_closed_log_says_so(log: LMDBLog) -> None:
    """Every use after closing raises StoreUnavailable, with a hint."""
    log.close()
    for use in (log.head, log.read, lambda: log.append([[entry(A, 1)]])):
        with pytest.raises(StoreUnavailable, match="closed") as caught:
            use()
        assert caught.value.hint


def test_two_logs_on_one_folder_share_the_environment(tmp_path: Path) -> None:
    """LMDB allows one opening per process; the second holder goes on when the first lets go."""
    one, other = LMDBLog(tmp_path / "log"), LMDBLog(tmp_path / "link" / ".." / "log")
    assert one.environment is other.environment
    one.append([[entry(A, 1)]])
    one.close()
    assert other.append([[entry(A, 2)]]) == [(2,)]
    other.close()


def test_threads_can_append_and_read_at_once(log: LMDBLog) -> None:
    """Six threads with streams of their own: every event once, positions without a gap, no torn page."""
    failures: list[BaseException] = []

    def work(stream: UUID) -> None:
        try:
            for version in range(1, 21):
                assert isinstance(log.append([[entry(stream, version)]])[0], tuple)
                assert log.stream(stream)[-1].version == version
                log.read(log.head() - 5)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(uuid4(),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [event.position for event in log.read()] == list(range(1, 121))


def test_a_topic_of_another_process_is_learnt(log: LMDBLog, tmp_path: Path, start: Any) -> None:
    """A reader that was open before a topic first came meets it by name, and numbers its own next one after it."""
    log.append([[entry(A, 1, topic="ours:1")]])
    code = """
        import sys, uuid
        from lading.adapters.lmdb import LMDBLog
        from lading.domain.ports import Entry
        LMDBLog(sys.argv[1]).append([[Entry(uuid.UUID(int=2), 1, "theirs:1", b"")]])
    """
    assert start(code, tmp_path / "log").wait(30) == 0
    assert [e.topic for e in log.read()] == ["ours:1", "theirs:1"]
    log.append([[entry(A, 2, topic="late:1"), entry(A, 3, topic="theirs:1")]])
    assert [e.topic for e in log.read()] == ["ours:1", "theirs:1", "late:1", "theirs:1"]
    assert list(verify(tmp_path / "log")) == []


def test_a_topic_of_an_append_that_failed_leaves_no_trace(
    log: LMDBLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number is given to the next new topic, in the table as in memory."""
    with monkeypatch.context() as patch:
        patch.setattr(Environment, "commit", _failing(lmdb.Error("no"), Environment.commit, lands=False))
        with pytest.raises(StoreUnavailable):
            log.append([[entry(A, 1, topic="never:1")]])
    log.append([[entry(A, 1, topic="first:1")]])
    assert [e.topic for e in log.read()] == ["first:1"]
    assert list(verify(tmp_path / "log")) == []


def _failing(error: lmdb.Error, commit: Callable[..., None], *, lands: bool) -> Callable[..., None]:
    """Return a commit that fails once, having taken place or not."""
    failed: list[int] = []

    def once(environment: Environment, txn: Any) -> None:
        if failed:
            return commit(environment, txn)
        failed.append(1)
        if lands:
            commit(environment, txn)
        else:
            txn.abort()
        raise CommitUnknown(StoreUnavailable("the disk went away", hint="plug it in")) from error

    return once


@pytest.mark.law(1)
def test_a_commit_that_failed_but_took_place_is_answered_with_its_positions(
    log: LMDBLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is asked, one more commit makes sure of it, and the conflicts among the requests are still told."""
    monkeypatch.setattr(Environment, "commit", _failing(lmdb.Error("eio"), Environment.commit, lands=True))
    before = log.environment.last_transaction()
    assert log.append([[entry(A, 1)], [entry(B, 2)], [entry(A, 2)]]) == [(1,), Conflict(B, 1, 0), (2,)]
    assert log.head() == 2
    assert log.environment.last_transaction() == before + 2


@pytest.mark.law(1)
def test_a_commit_that_failed_and_did_not_take_place_raises_why(log: LMDBLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is stored, and the same request succeeds afterwards."""
    monkeypatch.setattr(Environment, "commit", _failing(lmdb.Error("eio"), Environment.commit, lands=False))
    with pytest.raises(StoreUnavailable, match="the disk went away"):
        log.append([[entry(A, 1)]])
    assert log.head() == 0
    assert log.append([[entry(A, 1)]]) == [(1,)]


def test_a_commit_that_failed_is_not_answered_with_what_another_wrote(
    log: LMDBLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another event under the very position that was meant is not taken for ours."""

    def lost(environment: Environment, txn: Any) -> None:
        monkeypatch.undo()
        txn.abort()
        environment.end_write(txn)
        log.append([[entry(A, 1, b"theirs")]])
        environment.begin_write().abort()
        raise CommitUnknown(StoreUnavailable("the disk went away"))

    monkeypatch.setattr(Environment, "commit", lost)
    with pytest.raises(StoreUnavailable, match="the disk went away"):
        log.append([[entry(A, 1, b"ours")]])
    assert [e.state for e in log.read()] == [b"theirs"]


def test_a_panic_is_ended_by_opening_anew(log: LMDBLog) -> None:
    """After LMDB refused all work, reading and appending go on, on a fresh handle."""
    log.append([[entry(A, 1)]])

    class Panicking:
        def __init__(self, handle: Any) -> None:
            self.close = handle.close
            self.info = handle.info

        def begin(self, **_: Any) -> Any:
            raise lmdb.PanicError("mdb_txn_begin")

    for use in (log.head, lambda: log.append([[entry(A, 2)]])):
        log.environment._handle.lmdb = Panicking(log.environment._handle.lmdb)
        use()
    assert log.head() == 2


def test_an_append_that_lmdb_refuses_silently_is_noticed(log: LMDBLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A put at the end that is out of order returns no error: nothing is committed, and the log is called damaged."""
    log.append([[entry(A, 1)], [entry(A, 2)]])
    with monkeypatch.context() as patch:
        patch.setattr(type(log._tables), "last_position", lambda *_: 0)
        with pytest.raises(LogDamaged, match="order"):
            log.append([[entry(A, 3)]])
    assert [e.version for e in log.stream(A)] == [1, 2]


def test_a_flipped_bit_is_named_by_its_position(tmp_path: Path) -> None:
    """LMDB itself reads it back without a word."""
    log = LMDBLog(tmp_path / "log")
    log.append([[entry(A, 1, b"a" * 50)], [entry(A, 2, b"b" * 50)], [entry(A, 3, b"c" * 50)]])
    log.close()
    data = tmp_path / "log" / "data.mdb"
    held = data.read_bytes()
    data.write_bytes(held.replace(b"b" * 50, b"b" * 49 + b"c"))
    log = LMDBLog(tmp_path / "log")
    for use in (log.read, lambda: log.stream(A), lambda: log.read(1, 1)):
        with pytest.raises(LogDamaged, match="position 2"):
            use()
    assert [e.position for e in log.read(2)] == [3]
    log.close()


def test_large_states_come_back_whole(log: LMDBLog) -> None:
    """States that span many pages, next to an empty one."""
    states = [b"", b"x" * 5000, bytes(range(256)) * 4096]
    log.append([[entry(A, n, state) for n, state in enumerate(states, 1)]])
    assert [e.state for e in log.read()] == states


def test_importing_the_module_starts_nothing(tmp_path: Path) -> None:
    """No thread runs and no file is made before somebody asks."""
    code = "import lading.adapters.lmdb, threading; print(threading.active_count())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (ran.stdout, ran.stderr, list(tmp_path.iterdir())) == ("1\n", "", [])
