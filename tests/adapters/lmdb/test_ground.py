"""Which folders and files an environment may be opened in, asked before LMDB maps anything."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import lmdb
import pytest

from lading.adapters.lmdb import GroundWarning, LMDBDatastore, LMDBLog, LMDBStore, ground, locks
from lading.adapters.lmdb.format import FORMAT_KEY, META
from lading.adapters.lmdb.record import pack_number
from lading.domain.errors import LogDamaged, StoreNewer, StoreUnavailable
from lading.domain.ports import Entry

OPENERS = [LMDBLog, LMDBStore, LMDBDatastore]
every_opener = pytest.mark.parametrize("opener", OPENERS, ids=lambda opener: opener.__name__)


def _on(kind: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every folder lie on this kind of file system."""
    monkeypatch.setattr(ground.check_file_system, "__defaults__", (lambda _: kind,))


@pytest.mark.parametrize(
    "kind", ["nfs4", "9p", "cifs", "smb3", "fuse.sshfs", "virtiofs", "ceph", "lustre", "never-heard-of"]
)
@every_opener
def test_a_foreign_file_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: Callable[..., Any], kind: str
) -> None:
    """Network, host-shared and unknown ones, by name, with a hint, and before any file is made; it can be overruled."""
    _on(kind, monkeypatch)
    with pytest.raises(StoreUnavailable, match=kind) as caught:
        opener(tmp_path / "here")
    assert "local disk" in caught.value.hint
    assert list((tmp_path / "here").iterdir()) == []
    opener(tmp_path / "here", trust_file_system=True).close()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "zfs"])
def test_a_local_file_system_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Without a word."""
    _on(kind, monkeypatch)
    LMDBLog(tmp_path / "here").close()


@pytest.mark.parametrize("kind", ["overlay", "fuseblk", None])
def test_a_layered_file_system_is_taken_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    """A container's overlay works, but goes away with the container."""
    _on(kind, monkeypatch)
    monkeypatch.setattr(ground.sys, "platform", "linux")
    with pytest.warns(GroundWarning, match=kind or "does not tell"):
        LMDBLog(tmp_path / "here").close()


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="no mount table here")
def test_the_mount_table_tells_the_kind() -> None:
    """The deepest mount that holds the folder counts."""
    assert ground.file_system_of(Path("/proc/self")) == "proc"
    assert ground.file_system_of(Path("/")) not in {None, "proc"}


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """It is left as it is."""
    (tmp_path / "log").write_text("mine")
    with pytest.raises(StoreUnavailable, match="is a file") as caught:
        LMDBLog(tmp_path / "log")
    assert caught.value.hint
    assert (tmp_path / "log").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    """A file lies in the way of its parent."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="cannot be used: Not a directory"):
        LMDBLog(tmp_path / "file" / "log")


@every_opener
def test_a_missing_store_is_made_only_with_leave(tmp_path: Path, opener: Callable[..., Any]) -> None:
    """With `create=False` nothing is made, be the folder missing or empty."""
    if opener is LMDBDatastore:
        return
    with pytest.raises(StoreUnavailable, match="no store"):
        opener(tmp_path / "here", create=False)
    assert not (tmp_path / "here").exists()
    (tmp_path / "here").mkdir()
    with pytest.raises(StoreUnavailable, match="no store"):
        opener(tmp_path / "here", create=False)
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_said_so(tmp_path: Path) -> None:
    """The error names the file and what is wrong with it."""
    (tmp_path / "log").mkdir(mode=0o500)
    with pytest.raises(StoreUnavailable, match="Permission denied"):
        LMDBLog(tmp_path / "log")


def _filled(folder: Path) -> Path:
    log = LMDBLog(folder)
    log.append([[Entry(UUID(int=n), 1, "t:1", bytes(3000))] for n in range(1, 60)])
    log.close()
    return folder / "data.mdb"


@pytest.mark.parametrize("pages", [1, 5, 40])
def test_a_file_that_was_cut_short_is_not_mapped(tmp_path: Path, pages: int) -> None:
    """Reading on would end the process; the error names the file."""
    data = _filled(tmp_path / "log")
    os.truncate(data, data.stat().st_size - 4096 * pages)
    with pytest.raises(LogDamaged, match="cut short"):
        LMDBLog(tmp_path / "log")


@pytest.mark.parametrize("size", [1, 4000, 4096, 4200])
def test_a_file_without_its_first_pages_is_not_mapped(tmp_path: Path, size: int) -> None:
    """Cut within the two pages that describe it."""
    os.truncate(_filled(tmp_path / "log"), size)
    with pytest.raises(LogDamaged):
        LMDBLog(tmp_path / "log")


def test_a_file_that_ends_before_pages_it_never_wrote_is_whole(tmp_path: Path) -> None:
    """A value that was put and removed in one transaction can leave the file shorter than it claims: no damage."""
    handle = lmdb.Environment(str(tmp_path), max_dbs=4, map_size=1 << 24)
    table = handle.open_db(b"data")
    with handle.begin(write=True) as txn:
        for n in range(2000):
            txn.put(b"%05d" % n, bytes(200), db=table)
        for n in range(2000):
            txn.delete(b"%05d" % n, db=table)
    with handle.begin(write=True) as txn:
        txn.put(b"k", bytes(100_000), db=table)
    with handle.begin(write=True) as txn:
        txn.put(b"l", bytes(500_000), db=table)
        txn.delete(b"l", db=table)
    handle.close()
    data = tmp_path / "data.mdb"
    meta = ground.read_meta(data)
    assert meta is not None
    assert data.stat().st_size < meta.last_page * meta.page_size
    ground.check_length(tmp_path)


@pytest.mark.parametrize("content", [b"GIF89a" * 2000, b"\0" * 8192])
def test_a_file_of_something_else_is_not_opened(tmp_path: Path, content: bytes) -> None:
    """It is left as it is."""
    (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(LogDamaged, match="does not begin as an LMDB file"):
        LMDBLog(tmp_path)
    assert (tmp_path / "data.mdb").read_bytes() == content


def test_a_file_of_another_lmdb_is_not_opened(tmp_path: Path) -> None:
    """The data format of LMDB 1.0 is another one."""
    lmdb.Environment(str(tmp_path), lib_version=1).close()
    with pytest.raises(StoreUnavailable, match="data format"):
        LMDBLog(tmp_path)


@every_opener
def test_an_environment_of_another_program_is_left_alone(tmp_path: Path, opener: Callable[..., Any]) -> None:
    """Tables but none of ours: refused, and nothing is added to it."""
    handle = lmdb.Environment(str(tmp_path), max_dbs=4)
    handle.open_db(b"theirs")
    handle.close()
    with pytest.raises(StoreUnavailable, match="another program"):
        opener(tmp_path)
    handle = lmdb.Environment(str(tmp_path), max_dbs=4)
    assert handle.dbs() == [b"theirs"]
    handle.close()


@every_opener
def test_a_later_format_is_left_alone(tmp_path: Path, opener: Callable[..., Any]) -> None:
    """An older program stops before touching anything, with the hint to upgrade."""
    opener(tmp_path).close()
    handle = lmdb.Environment(str(tmp_path), max_dbs=4)
    table = handle.open_db(META)
    with handle.begin(write=True) as txn:
        txn.put(FORMAT_KEY, pack_number(7), db=table)
    handle.close()
    held = (tmp_path / "data.mdb").read_bytes()
    with pytest.raises(StoreNewer, match="format 7") as caught:
        opener(tmp_path)
    assert caught.value.hint
    assert (tmp_path / "data.mdb").read_bytes() == held


def test_a_maker_that_was_stopped_halfway_is_no_hindrance(tmp_path: Path) -> None:
    """An environment with an empty table `meta` is finished by the next to come."""
    handle = lmdb.Environment(str(tmp_path), max_dbs=4)
    handle.open_db(META)
    handle.close()
    LMDBLog(tmp_path).close()


def test_an_environment_in_use_from_elsewhere_is_refused(log: LMDBLog, tmp_path: Path) -> None:
    """Another PID namespace or C library on the same files would take live readers for dead ones."""
    with (
        locks.opening(tmp_path / "log"),
        pytest.raises(StoreUnavailable, match="in use from elsewhere") as caught,
    ):
        locks.Presence(tmp_path / "log", here="boot=1 namespace=pid:[2] libc=musl")
    assert "container" in caught.value.hint


def test_an_environment_that_nobody_uses_may_come_from_elsewhere(tmp_path: Path) -> None:
    """What the last user wrote down counts only as long as it is there."""
    LMDBLog(tmp_path / "log").close()
    presence = locks.Presence(tmp_path / "log", here="boot=1 namespace=pid:[2] libc=musl")
    assert presence.alone
    presence.leave()
    LMDBLog(tmp_path / "log").close()


def test_opening_waits_for_another_opener_only_so_long(tmp_path: Path) -> None:
    """Then it says that another process does not get on."""
    with (
        locks.opening(tmp_path),
        pytest.raises(StoreUnavailable, match="another process"),
        locks.opening(tmp_path, 0.02),
    ):
        pass


def test_durability_is_not_mixed(tmp_path: Path) -> None:
    """One environment is opened once per process, so two holders cannot want different flushing."""
    store = LMDBStore(tmp_path / "store", metasync=False)
    with pytest.raises(ValueError, match="durability"):
        LMDBStore(tmp_path / "store")
    store.close()
    LMDBStore(tmp_path / "store").close()


def test_nothing_is_warned_of_on_an_ordinary_disk(tmp_path: Path) -> None:
    """The warning is for layered file systems only."""
    if ground.file_system_of(tmp_path) not in ground.LOCAL:
        pytest.skip("this folder lies on a layered file system")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LMDBLog(tmp_path / "log").close()
