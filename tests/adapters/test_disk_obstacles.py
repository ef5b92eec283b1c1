"""What lies in the way of a part or a file is left as it is; only with `replace` may a file or a link lose its name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lading.adapters.disk import LocalDisk
from lading.domain.errors import DestinationTaken, InvalidDestination

DISK = LocalDisk()


def a_file(path):
    Path(path).write_bytes(b"")
    return f"{path}/.file.1.part"


def a_folder(path):
    os.mkdir(path)
    return path


def a_link(path):
    os.symlink("precious", path)
    return path


def a_dangling_link(path):
    os.symlink("nowhere", path)
    return path


def a_fifo(path):
    os.mkfifo(path)
    return path


def a_regular_file(path):
    Path(path).write_bytes(b"somebody's")
    return path


@pytest.mark.law(5)
@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("obstacle", [a_folder, a_link, a_dangling_link, a_fifo])
def test_what_is_no_part_of_ours_is_not_opened(folder, obstacle, create, content, put):
    """A folder, a link or a pipe under a part's name is refused with a hint, and left as it is."""
    put(f"{folder}/precious", b"precious")
    path = obstacle(f"{folder}/.file.1.part")
    before = os.lstat(path)
    with pytest.raises(InvalidDestination) as caught:
        DISK.open_part(path, create=create)
    assert caught.value.hint
    assert os.lstat(path).st_ino == before.st_ino
    assert content(f"{folder}/precious") == b"precious"
    assert not os.path.exists(f"{folder}/nowhere")


def test_path_through_a_file_is_no_folder(folder):
    """A file where a folder should be is said to be one; without making, there is just no part."""
    path = a_file(f"{folder}/file")
    with pytest.raises(InvalidDestination, match="cannot be used") as caught:
        DISK.open_part(path, create=True)
    assert "not a folder" in caught.value.hint
    with pytest.raises(InvalidDestination):
        DISK.open_part(path, create=False)
    assert (DISK.inode(path), DISK.unlink(path), DISK.read(path, 0, 1)) == (None, 0, b"")


@pytest.mark.law(5)
@pytest.mark.parametrize("obstacle", [a_regular_file, a_folder, a_link, a_dangling_link, a_fifo])
def test_nothing_that_lies_at_the_destination_is_touched(new_part, folder, obstacle, publish, content, put):
    """A file, a folder, a pipe or a link, even one to nowhere, is a destination that is taken."""
    put(f"{folder}/precious", b"precious")
    made = new_part(data=b"ours")
    path = obstacle(f"{folder}/file")
    before = os.lstat(path)
    with pytest.raises(DestinationTaken):
        publish(made, path, replace=False)
    assert os.lstat(path).st_ino == before.st_ino
    assert content(f"{folder}/precious") == b"precious"
    assert DISK.inode(made.path) == made.inode


@pytest.mark.law(5)
@pytest.mark.parametrize("obstacle", [a_regular_file, a_link, a_dangling_link])
def test_replacing_takes_the_name_and_not_what_a_link_names(new_part, folder, obstacle, publish, content, put):
    """With replace the name is ours; a file that a link there named is left as it is."""
    put(f"{folder}/precious", b"precious")
    made = new_part(data=b"ours")
    path = obstacle(f"{folder}/file")
    publish(made, path, replace=True)
    assert DISK.inode(path) == made.inode
    assert content(f"{folder}/precious") == b"precious"
    assert sorted(os.listdir(folder)) == [".file.1.part", "file", "precious"]


@pytest.mark.law(5)
def test_replacing_never_removes_a_folder(new_part, folder, publish):
    """A folder at the destination is in the way with replace too, and nothing is left beside it."""
    made = new_part(data=b"ours")
    os.mkdir(f"{folder}/file")
    with pytest.raises(DestinationTaken):
        publish(made, f"{folder}/file", replace=True)
    assert sorted(os.listdir(folder)) == [".file.1.part", "file"]


@pytest.mark.law(5)
@pytest.mark.parametrize("obstacle", [a_regular_file, a_folder, a_dangling_link])
def test_without_links_nothing_is_replaced_either(new_part, folder, no_links, obstacle, publish):
    """The rename of a file system without links fails rather than replace."""
    made = new_part(data=b"ours")
    path = obstacle(f"{folder}/file")
    before = os.lstat(path)
    with pytest.raises(DestinationTaken):
        publish(made, path, replace=False)
    assert os.lstat(path).st_ino == before.st_ino
    assert DISK.inode(made.path) == made.inode


def test_reading_needs_no_lock_and_follows_no_link(new_part, folder):
    """The bytes of a part that another holds can be read; links and pipes are refused, and nothing waits."""
    made = new_part(data=b"0123456789")
    assert DISK.read(made.path, 3, 4) == b"3456"
    assert DISK.read(made.path, 8, 100) == b"89"
    assert DISK.read(f"{folder}/gone/.file.1.part", 0, 9) == b""
    for obstacle, name in ((a_dangling_link, "l"), (a_fifo, "p"), (a_folder, "d")):
        with pytest.raises(InvalidDestination):
            DISK.read(obstacle(f"{folder}/{name}"), 0, 9)


def test_a_pipe_is_not_overwritten(new_part, tmp_path, publish):
    """Whoever says that a file may be replaced does not mean a device."""
    part, final = new_part(), tmp_path / "pipe"
    os.mkfifo(final)
    part.write(0, b"x")
    with pytest.raises(DestinationTaken):
        publish(part, str(final), replace=True, disk=LocalDisk())
    assert final.is_fifo()


def test_a_link_to_a_pipe_is_not_overwritten(new_part, tmp_path, publish):
    """Nor does he mean the device when he names it by a link, such as /dev/stdout."""
    part, final = new_part(), tmp_path / "link"
    os.mkfifo(tmp_path / "pipe")
    final.symlink_to("pipe")
    part.write(0, b"x")
    with pytest.raises(DestinationTaken):
        publish(part, str(final), replace=True, disk=LocalDisk())
    assert final.is_symlink()
