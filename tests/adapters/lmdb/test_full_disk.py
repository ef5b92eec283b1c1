"""A disk that fills up: nothing is lost, what failed succeeds once there is room, and the error says what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import lmdb
import pytest
from eventsourcing.persistence import OperationalError, StoredEvent

from lading.adapters.lmdb import LMDBApplicationRecorder, LMDBDatastore, LMDBLog, LMDBStore
from lading.adapters.lmdb.faults import translate
from lading.adapters.lmdb.verify import verify
from lading.domain.errors import DiskFull, LogDamaged, StoreUnavailable
from lading.domain.ports import Entry

A = UUID(int=1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def _fill(disk: Path) -> Path:
    """Take all the room that is left."""
    hog = disk / "hog"
    with hog.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass
    return hog


def test_a_full_disk_loses_nothing_and_the_retry_succeeds(small_disk: Path) -> None:
    """Each refused batch is refused whole; after room was made the same batch is stored."""
    log = LMDBLog(small_disk / "log")
    log.append([[Entry(A, 1, "t:1", bytes(100))]])
    hog = _fill(small_disk)
    batch = [[Entry(A, version, "t:1", bytes(2000)) for version in range(2, 202)]]
    for _ in range(3):
        with pytest.raises(DiskFull) as caught:
            log.append(batch)
        assert caught.value.hint
        assert [event.version for event in log.read()] == [1]
    hog.unlink()
    assert log.append(batch) == [tuple(range(2, 202))]
    log.close()
    assert list(verify(small_disk / "log", strict=True)) == []


@pytest.mark.law(1)
def test_what_was_acknowledged_before_the_disk_filled_up_is_there(small_disk: Path) -> None:
    """Appending until it is refused: everything before is there, also after opening again on the full disk."""
    log = LMDBLog(small_disk / "log")
    version = 0
    with contextlib.suppress(DiskFull):
        for version in range(5000):
            log.append([[Entry(A, version + 1, "t:1", bytes(3000))]])
    assert 10 < version < 4999
    log.close()
    log = LMDBLog(small_disk / "log")
    assert [event.version for event in log.read()] == list(range(1, version + 1))
    log.close()
    assert list(verify(small_disk / "log", strict=True)) == []


def test_a_store_on_a_full_disk_keeps_its_last_state(small_disk: Path) -> None:
    """The block that found no room changes nothing."""
    store = LMDBStore(small_disk / "store", metasync=False)
    with store.write() as txn:
        txn.put(b"k", b"old")
    hog = _fill(small_disk)
    with pytest.raises(DiskFull), store.write() as txn:
        txn.put(b"k", bytes(1_000_000))
    with store.read() as look:
        assert look.get(b"k") == b"old"
    hog.unlink()
    with store.write() as txn:
        txn.put(b"k", bytes(1_000_000))
    store.close()


def test_a_recorder_on_a_full_disk_raises_the_librarys_error_too(small_disk: Path) -> None:
    """OperationalError, as other persistence modules do, and DiskFull."""
    datastore = LMDBDatastore(small_disk / "events")
    recorder = LMDBApplicationRecorder(datastore)
    recorder.create_table()
    _fill(small_disk)
    with pytest.raises(OperationalError) as caught:
        recorder.insert_events([StoredEvent(A, 1, "t", bytes(500_000))])
    assert isinstance(caught.value, DiskFull)
    assert recorder.max_notification_id() is None
    datastore.close()


def test_a_new_log_on_a_full_disk_is_refused(small_disk: Path) -> None:
    """At whatever step the room ends; never by SIGBUS; and it can be made once there is room."""
    (small_disk / "log").mkdir()
    _fill(small_disk)
    for pages in range(60):
        with contextlib.suppress(DiskFull), (small_disk / "hog").open("r+b") as hog:
            hog.truncate((small_disk / "hog").stat().st_size - 4096)
            LMDBLog(small_disk / "log").close()
            break
        assert pages < 50
    log = LMDBLog(small_disk / "log")
    assert log.head() == 0
    log.close()


def test_a_reader_table_has_its_room_before_the_disk_is_full(small_disk: Path) -> None:
    """A thousand readers at once on a full disk touch no page of the lock file that is not there."""
    log = LMDBLog(small_disk / "log")
    _fill(small_disk)
    readers = [log.environment.begin_read() for _ in range(1000)]
    for reader in readers:
        log.environment.end_read(reader)
    log.close()


def _error(kind: type[lmdb.Error], code: int) -> lmdb.Error:
    """Return an error as LMDB's binding raises it."""
    error = kind("mdb_txn_commit")
    vars(error)["code"] = code
    return error


@pytest.mark.parametrize(
    ("kind", "code", "meant"),
    [
        (lmdb.DiskError, errno.ENOSPC, DiskFull),
        (lmdb.Error, errno.EDQUOT, DiskFull),
        (lmdb.Error, errno.EFBIG, DiskFull),
        (lmdb.Error, errno.EIO, StoreUnavailable),
        (lmdb.Error, errno.EACCES, StoreUnavailable),
        (lmdb.TxnFullError, -30788, StoreUnavailable),
        (lmdb.CorruptedError, -30796, LogDamaged),
        (lmdb.PageNotFoundError, -30797, LogDamaged),
        (lmdb.Error, 0, StoreUnavailable),
    ],
)
def test_each_error_of_lmdb_is_said_in_our_words(
    tmp_path: Path, kind: type[lmdb.Error], code: int, meant: type[Exception]
) -> None:
    """With a hint; an input/output error counts as a full disk only where little room is left."""
    found = translate(_error(kind, code), tmp_path)
    assert type(found) is meant
    assert found.hint


def test_an_input_output_error_on_a_nearly_full_disk_is_a_full_disk(small_disk: Path) -> None:
    """LMDB reports a write that came out short as one."""
    assert type(translate(_error(lmdb.Error, errno.EIO), small_disk)) is DiskFull
    assert type(translate(_error(lmdb.Error, errno.EIO), small_disk / "gone")) is DiskFull
    assert os.path.ismount(small_disk)
