"""Room behind the last page is laid ahead of need, behind everything in use, and never at any other price."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import pytest

from lading.adapters.lmdb import LMDBLog
from lading.adapters.lmdb.headroom import SPENT, STEP_BYTES_MAX, STEP_BYTES_MIN, lay
from lading.adapters.lmdb.verify import verify
from lading.domain.ports import Entry

A = UUID(int=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of a hundred thousand bytes, none of them zero."""
    made = tmp_path / "data"
    made.write_bytes(b"x" * 100_000)
    return made


def test_room_is_laid_behind_what_is_there(file: Path) -> None:
    """In zeros, a step of it, and the bytes before are as they were."""
    lay(str(file), 100_000, 100_000)
    held = file.read_bytes()
    assert held[:100_000] == b"x" * 100_000
    assert held[100_000:] == bytes(STEP_BYTES_MIN)


@pytest.mark.parametrize(
    ("size", "used"),
    [(100_000, 60_000), (90_000, 100_000)],
    ids=["room is left", "another process has used what lay behind"],
)
def test_nothing_is_written_where_it_is_not_needed_or_not_free(file: Path, size: int, used: int) -> None:
    """A length that was read before the write lock was had can be behind the truth: then the file is left alone."""
    lay(str(file), size, used)
    assert file.read_bytes() == b"x" * 100_000


@pytest.mark.parametrize("used", [1_000, 600_000, 10**9])
def test_a_step_is_as_large_as_what_is_used_within_bounds(file: Path, used: int) -> None:
    """So that small logs stay small, and no step takes long."""
    os.truncate(file, used)
    lay(str(file), used, used)
    assert file.stat().st_size - used == max(STEP_BYTES_MIN, min(used, STEP_BYTES_MAX))


def test_a_disk_that_runs_full_is_not_filled_by_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little room left on the file system: none is taken ahead of need; nor does an error of the disk stop a write."""

    class Little:
        f_bavail = 3
        f_frsize = 4096

    monkeypatch.setattr(os, "fstatvfs", lambda _: Little)
    lay(str(file), 100_000, 100_000)
    assert file.stat().st_size == 100_000
    lay(str(file.with_name("gone")), 100_000, 100_000)


def test_a_log_with_room_laid_is_whole(tmp_path: Path) -> None:
    """Events through many steps, read back, verified, opened again, and cut back to the pages in use without loss."""
    log = LMDBLog(tmp_path / "log")
    for first in range(1, 3001, 100):
        log.append([[Entry(A, version, "t:1", bytes(500)) for version in range(first, first + 100)]])
    used = log.environment._handle.used_bytes()
    log.close()
    data = tmp_path / "log" / "data.mdb"
    assert used < data.stat().st_size <= used + STEP_BYTES_MAX + STEP_BYTES_MAX // SPENT
    assert list(verify(tmp_path / "log", strict=True)) == []
    os.truncate(data, used)
    assert list(verify(tmp_path / "log", strict=True)) == []
