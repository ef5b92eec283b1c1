"""Parts that are published together share the flush of their folder, and each is told of its own fault."""

from __future__ import annotations

import errno
import os

import pytest

from lading.adapters.disk import LocalDisk, folders, kernel, part
from lading.domain.disks import Publication
from lading.domain.errors import DestinationTaken

DISK = LocalDisk()


@pytest.mark.law(2)
@pytest.mark.row("S2.4")
def test_a_group_is_flushed_part_by_part_and_its_folder_once(new_part, folder, monkeypatch):
    """Each part's bytes before its name; the folder after all of the names, and before anybody is told."""
    steps = []
    real_link, real_fsync, real_sync = os.link, os.fsync, part._fdatasync
    monkeypatch.setattr(os, "link", lambda *a, **k: (steps.append("link"), real_link(*a, **k)))
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("folder"), real_fsync(fd)))
    monkeypatch.setattr(part, "_fdatasync", lambda fd: (steps.append("content"), real_sync(fd)))
    monkeypatch.setattr(kernel, "begin_writing", lambda _: steps.append("begin"))
    made = [new_part(f".{n}.1.part", b"%d" % n) for n in range(3)]
    steps.clear()
    assert DISK.publish([Publication(p, f"{folder}/{n}", False) for n, p in enumerate(made)]) == [None] * 3
    assert steps == ["begin"] * 3 + ["content"] * 3 + ["link"] * 3 + ["folder"]
    assert [DISK.read(f"{folder}/{n}", 0, 9) for n in range(3)] == [b"0", b"1", b"2"]


@pytest.mark.law(5)
def test_in_a_group_each_is_told_his_own_fault(new_part, folder, tmp_path, put):
    """A name that is taken, a folder that is none, and a flush that failed before do not keep the others."""
    put(f"{folder}/taken", b"somebody's")
    made = [new_part(f".{n}.1.part", b"%d" % n) for n in range(4)]
    made[3]._flush_error = errno.EIO
    names = [f"{folder}/good", f"{folder}/taken", f"{folder}/nowhere/file", f"{folder}/broken"]
    told = DISK.publish([Publication(p, name, False) for p, name in zip(made, names, strict=True)])
    assert [type(why) for why in told[:3]] == [type(None), DestinationTaken, FileNotFoundError]
    assert isinstance(told[3], OSError)
    assert DISK.read(f"{folder}/good", 0, 9) == b"0"
    assert DISK.read(f"{folder}/taken", 0, 99) == b"somebody's"
    assert not os.path.lexists(f"{folder}/broken")


@pytest.mark.law(2)
def test_when_the_folder_of_a_group_cannot_be_flushed_nobody_of_it_is_told_that_he_has_his_name(
    new_part, folder, tmp_path, monkeypatch
):
    """But those in another folder are."""
    (tmp_path / "other").mkdir()
    real = folders.flush
    broken = os.stat(folder).st_ino

    def flush(place):
        if os.fstat(place).st_ino == broken:
            raise OSError(errno.EIO, "the disk failed")
        real(place)

    made = [new_part(f".{n}.1.part", b"%d" % n) for n in range(3)]
    elsewhere = DISK.open_part(str(tmp_path / "other" / ".3.1.part"), create=True)
    monkeypatch.setattr(folders, "flush", flush)
    group = [Publication(p, f"{folder}/{n}", False) for n, p in enumerate(made)]
    told = DISK.publish([*group, Publication(elsewhere, str(tmp_path / "other" / "3"), False)])
    elsewhere.close()
    assert [type(why) for why in told] == [OSError, OSError, OSError, type(None)]
