"""Room on real file systems: set aside, given back, told as it is, and told when there is none left."""

from __future__ import annotations

import errno
import os

import pytest

from lading.adapters.disk import LocalDisk, kernel
from lading.domain.errors import DiskFull

DISK = LocalDisk()


def test_room_set_aside_is_no_size_and_is_given_back(new_part, publish, content):
    """Blocks are there before the bytes are; cutting the file, and publishing it, give back those beyond its end."""
    made = new_part(data=b"x" * 5000)
    made.preallocate(8 << 20)
    assert made.size() == 5000
    if os.fstat(made.descriptor).st_blocks * 512 < 8 << 20:
        pytest.skip("this file system sets no blocks aside")
    made.truncate(5000)
    assert os.fstat(made.descriptor).st_blocks * 512 < 1 << 20
    made.preallocate(8 << 20)
    publish(made, made.path + ".final", replace=False)
    assert os.stat(made.path + ".final").st_blocks * 512 < 1 << 20
    assert content(made.path + ".final") == b"x" * 5000


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS])
def test_file_system_that_sets_nothing_aside_is_no_failure(new_part, monkeypatch, number, failing):
    """Where there is no fallocate the part just grows."""
    monkeypatch.setattr(kernel, "allocate", failing(number))
    made = new_part()
    made.preallocate(1 << 20)
    assert made.size() == 0


@pytest.mark.law(2)
def test_full_disk_is_told_and_keeps_what_was_flushed(small):
    """On a file system of 1 MiB a write and room beyond it say DiskFull; flushed bytes stay, and room lets it go on."""
    made = DISK.open_part(f"{small}/.file.1.part", create=True)
    assert made is not None
    made.write(0, b"a" * 600_000)
    made.flush()
    with pytest.raises(DiskFull) as caught:
        made.preallocate(2 << 20)
    assert caught.value.hint
    with pytest.raises(DiskFull):
        made.write(600_000, b"b" * 600_000)
    assert made.read(0, 600_000) == b"a" * 600_000
    assert DISK.free(small) == 0
    made.truncate(600_000)
    made.write(600_000, b"c" * 400_000)
    made.flush()
    assert made.read(0, 2 << 20) == b"a" * 600_000 + b"c" * 400_000
    made.close()


def test_disk_without_room_for_another_name_is_full(tmp_path, mounted):
    """A part or a folder for which there is no inode left is told as DiskFull."""
    with mounted(str(tmp_path / "small"), "-t", "tmpfs", "-o", "nr_inodes=2", "tmpfs") as place:
        first = DISK.open_part(f"{place}/.file.1.part", create=True)
        assert first is not None
        first.close()
        for name in (".file.2.part", "deeper/.file.1.part"):
            with pytest.raises(DiskFull):
                DISK.open_part(f"{place}/{name}", create=True)


def test_room_set_aside_in_part_is_given_back(tmp_path, image, mounted):
    """An ext4 that is full half-way through setting room aside says DiskFull, and cutting the part frees it all."""
    with mounted(str(tmp_path / "mnt"), "-o", "loop", image) as place:
        made = DISK.open_part(f"{place}/.file.1.part", create=True)
        assert made is not None
        made.write(0, b"x" * 5000)
        made.flush()
        room = DISK.free(place)
        with pytest.raises(DiskFull):
            made.preallocate(16 << 20)
        made.truncate(made.size())
        assert DISK.free(place) == room
        assert made.read(0, 9000) == b"x" * 5000
        made.close()


def test_free_room_is_what_statvfs_gives_us(small, put):
    """Bytes written are bytes less, and a folder that is not there yet has the room of where it would be."""
    before = DISK.free(f"{small}/not/yet/there")
    put(f"{small}/file", b"x" * 500_000)
    assert before - DISK.free(small) >= 500_000
    assert before <= 1 << 20
