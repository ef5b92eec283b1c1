"""Which file system a folder is on: told the same in every process, and by the most lasting name that it has."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys

import pytest

from lading.adapters.disk import LocalDisk, kernel

DISK = LocalDisk()


def test_storage_is_of_the_file_system(folder, small):
    """Folders of one file system have one id, also before they are made; another file system has another."""
    assert DISK.storage(folder) == DISK.storage(f"{folder}/not/yet/there")
    assert DISK.storage(small) != DISK.storage(folder)
    told = subprocess.run(
        [sys.executable, "-c", f"from lading.adapters.disk import LocalDisk; print(LocalDisk().storage({folder!r}))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == DISK.storage(folder)


def test_storage_outlives_the_device_number(tmp_path, image, mounted):
    """A file system that comes back as another device is the same storage."""
    with contextlib.ExitStack() as mounts:
        with mounted(str(tmp_path / "once"), "-o", "loop", image) as place:
            once = DISK.storage(place)
            device = os.stat(place).st_dev
        other = str(tmp_path / "other")
        with open(other, "wb") as file:
            file.truncate(8 << 20)
        subprocess.run(["mkfs.ext4", "-q", other], check=True, capture_output=True)
        mounts.enter_context(mounted(str(tmp_path / "between"), "-o", "loop", other))
        assert DISK.storage(str(tmp_path / "between")) != once
        again = mounts.enter_context(mounted(str(tmp_path / "again"), "-o", "loop", image))
        assert DISK.storage(again) == once
        if os.stat(again).st_dev == device:
            pytest.skip("the system gave it the same device again")


@pytest.mark.parametrize(("uuid", "number", "kind"), [("ab" * 16, 7, "uuid:"), (None, 7, "fsid:"), (None, 0, "dev:")])
def test_storage_is_told_by_the_most_lasting_name_there_is(folder, monkeypatch, uuid, number, kind):
    """A UUID before a number of statvfs, and a device number only where there is neither."""
    real = os.statvfs

    class Answer:
        f_fsid = number

    monkeypatch.setattr(kernel, "file_system_uuid", lambda _: uuid)
    monkeypatch.setattr(os, "statvfs", lambda path: Answer() if number is not None else real(path))
    assert DISK.storage(folder).startswith(kind)


@pytest.mark.parametrize(("answer", "uuid"), [(b"\x10" + b"\xab" * 16, "ab" * 16), (b"\x10" + bytes(16), None)])
def test_blank_uuid_tells_no_file_system_from_another(monkeypatch, answer, uuid):
    """File systems that were never given a UUID answer with zeros, all the same ones."""

    def ioctl(_descriptor, _request, room):
        room[:] = answer

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    assert kernel.file_system_uuid(0) == uuid
