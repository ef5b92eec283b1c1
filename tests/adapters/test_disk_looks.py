"""Looking at files and folders: what lies there, wherever links lead, and without touching it."""

from __future__ import annotations

import os

import pytest

from lading.adapters.disk import LocalDisk
from lading.testing import MemoryDisk

pytestmark = pytest.mark.row("S3.6")


def test_a_look_tells_size_and_time_of_what_a_path_leads_to(tmp_path):
    """A link is the file that it names; nothing is nothing; a folder is no file."""
    disk, file, link = LocalDisk(), tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"x" * 10)
    os.utime(file, ns=(1, 1_000_000_007))
    link.symlink_to(file)
    for path in (file, link):
        assert disk.look(str(path)) == (10, 1_000_000_007, str(file), True)
    assert disk.look(str(tmp_path / "gone")) is None
    assert disk.look(str(file / "below")) is None
    assert disk.look(str(tmp_path)).is_file is False
    file.unlink()
    assert disk.look(str(link)) is None


def test_names_are_those_wanted_and_no_more_than_asked_for(tmp_path):
    """Of one folder alone, and none where there is no folder; a disk in memory tells the same."""
    disk, memory = LocalDisk(), MemoryDisk()
    names = [".a.part", ".b.part", "c", "below/.d.part"]
    (tmp_path / "below").mkdir()
    for name in names:
        (tmp_path / name).write_bytes(b"")
        memory.put(f"{tmp_path}/{name}", b"")
    for each in (disk, memory):
        assert sorted(each.names(str(tmp_path), lambda name: name.endswith(".part"), 10)) == [".a.part", ".b.part"]
        assert len(each.names(str(tmp_path), lambda name: name.endswith(".part"), 1)) == 1
        assert each.names(str(tmp_path / "gone"), lambda _: True, 10) == []
