"""Names on the disk: what they mean, and how they are changed and taken away without harm to others."""

from __future__ import annotations

import os

import pytest

from lading.adapters.disk import LocalDisk, kernel
from lading.domain.errors import DestinationTaken, InvalidDestination
from lading.testing import MemoryDisk

DISK = LocalDisk()


@pytest.fixture(params=["local", "memory"])
def either(request, folder):
    """A real disk and one in memory, with a way to put a file there."""
    if request.param == "memory":
        memory = MemoryDisk()
        return memory, memory.put

    def put(path: str, data: bytes) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    return DISK, put


def test_a_part_that_is_given_up_takes_the_name_beside_it_along(new_part, folder):
    """A publisher was killed half-way, and then nobody wanted the file any more: nothing is left."""
    made = new_part(data=b"ours")
    os.link(made.path, f"{made.path}.new")
    assert DISK.unlink(made.path) == 4
    assert os.listdir(folder) == []


def test_no_other_file_goes_with_the_one_that_is_removed(new_part, folder, put):
    """Neither another file of that name, nor another name of a file that is no part."""
    made = new_part(data=b"ours")
    put(f"{made.path}.new", b"somebody's")
    put(f"{folder}/file", b"final")
    os.link(f"{folder}/file", f"{folder}/file.new")
    DISK.unlink(made.path)
    DISK.unlink(f"{folder}/file")
    assert sorted(os.listdir(folder)) == [".file.1.part.new", "file.new"]


def test_unlinking_tells_the_bytes_and_is_content_with_nothing(folder, put):
    """What was removed is told by its size; what is not there had none; a folder is refused."""
    put(f"{folder}/file", b"12345")
    assert DISK.unlink(f"{folder}/file") == 5
    assert DISK.unlink(f"{folder}/file") == 0
    with pytest.raises(InvalidDestination):
        DISK.unlink(folder)


def test_inode_is_of_the_link_itself(folder):
    """A symbolic link is itself, also when it leads nowhere."""
    os.symlink("nowhere", f"{folder}/link")
    assert DISK.inode(f"{folder}/link") == os.lstat(f"{folder}/link").st_ino
    assert DISK.inode(f"{folder}/nowhere") is None


@pytest.mark.row("S3.8")
@pytest.mark.law(5)
def test_a_folder_or_a_file_gets_another_name_and_never_replaces(either, folder):
    """What lies there is still there, the source too; else everything in it has moved, and is the same inode."""
    disk, put = either
    put(f"{folder}/a/deep/x", b"x")
    put(f"{folder}/b/y", b"y")
    inode, inner = disk.inode(f"{folder}/a"), disk.inode(f"{folder}/a/deep/x")
    assert None not in {inode, inner}
    for source, target in (("a", "b"), ("a/deep/x", "b/y"), ("a", "b/y"), ("a/deep/x", "b")):
        with pytest.raises(DestinationTaken):
            disk.rename(f"{folder}/{source}", f"{folder}/{target}")
    disk.rename(f"{folder}/a", f"{folder}/b/c")
    assert disk.inode(f"{folder}/a") is None
    assert (disk.inode(f"{folder}/b/c"), disk.inode(f"{folder}/b/c/deep/x")) == (inode, inner)
    disk.rename(f"{folder}/b/c/deep/x", f"{folder}/b/z")
    assert disk.read(f"{folder}/b/z", 0, 9) == b"x"
    assert disk.read(f"{folder}/b/y", 0, 9) == b"y"
    with pytest.raises(OSError, match=r"nothing|No such"):
        disk.rename(f"{folder}/a", f"{folder}/d")


@pytest.mark.row("S3.8")
def test_names_are_taken_away_files_and_empty_folders_only(either, folder):
    """A folder with something in it stays; what is not there needs nothing."""
    disk, put = either
    put(f"{folder}/a/deep/x", b"x")
    put(f"{folder}/a/y", b"y")
    disk.retract([f"{folder}/a/deep/x", f"{folder}/a/deep", f"{folder}/a", f"{folder}/none", f"{folder}/a/y/z"])
    assert disk.inode(f"{folder}/a/deep") is None
    assert disk.read(f"{folder}/a/y", 0, 9) == b"y"
    disk.retract([f"{folder}/a/y", f"{folder}/a"])
    assert disk.inode(f"{folder}/a") is None


@pytest.mark.row("S3.8")
def test_new_and_lost_names_are_flushed_before_that_is_said(folder, calls):
    """After a rename the folder that has the name now, and the one that had it; after a removal the folder of that."""
    os.makedirs(f"{folder}/a/b")
    for name in ("a/x", "a/b/y"):
        with open(f"{folder}/{name}", "wb"):
            pass
    calls.clear()
    DISK.rename(f"{folder}/a/x", f"{folder}/a/b/x")
    assert [name for call, name in calls if call == "fsync"] == ["b", "a"]
    calls.clear()
    DISK.retract([f"{folder}/a/b/x", f"{folder}/a/b/y", f"{folder}/a/none"])
    assert [name for call, name in calls if call == "fsync"] == ["b"]


@pytest.mark.row("S3.8")
def test_a_file_system_without_such_a_rename_is_refused_with_a_hint(folder, monkeypatch):
    """Nothing is replaced where nobody can promise that."""
    os.mkdir(f"{folder}/a")
    monkeypatch.setattr(kernel, "_libc", object())
    with pytest.raises(InvalidDestination) as caught:
        DISK.rename(f"{folder}/a", f"{folder}/b")
    assert "-d" in caught.value.hint
    assert os.listdir(folder) == ["a"]
