"""Paths and places that cannot be used are refused, with a hint for the user where there is something to do."""

from __future__ import annotations

import os
import pwd

import pytest

from lading.adapters.disk import LocalDisk
from lading.domain.errors import InvalidDestination

DISK = LocalDisk()


@pytest.mark.parametrize("name", ["n" * 300, "null\0byte"])
def test_name_that_no_file_can_have_is_refused(folder, name):
    """A name that is too long or holds a NUL says so."""
    with pytest.raises(InvalidDestination):
        DISK.open_part(f"{folder}/{name}", create=True)


def test_folder_that_this_user_may_not_write_is_refused(tmp_path):
    """Neither a part nor a folder can be made there, and the hint says what to do."""
    if os.geteuid() == 0:
        try:
            nobody = pwd.getpwnam("nobody").pw_uid
        except KeyError:
            pytest.skip("root may write everywhere, and there is no user nobody to become")
    else:
        nobody = os.geteuid()
    tmp_path.chmod(0o500)
    os.seteuid(nobody)
    try:
        for name in (".file.1.part", "deeper/.file.1.part"):
            with pytest.raises(InvalidDestination) as caught:
                DISK.open_part(f"{tmp_path}/{name}", create=True)
            assert "-d" in caught.value.hint
    finally:
        os.seteuid(os.getuid())
        tmp_path.chmod(0o700)


def test_read_only_file_system_is_refused(tmp_path, mounted):
    """A file system that is mounted read-only says so."""
    read_only = mounted(str(tmp_path / "ro"), "-t", "tmpfs", "-o", "ro", "tmpfs")
    with read_only as place, pytest.raises(InvalidDestination) as caught:
        DISK.open_part(f"{place}/.file.1.part", create=True)
    assert "read-only" in caught.value.hint


def test_destination_on_another_file_system_is_refused(new_part, small, publish):
    """A final name must lie on the part's file system."""
    with pytest.raises(InvalidDestination) as caught:
        publish(new_part(data=b"x"), f"{small}/file", replace=False)
    assert "one file system" in caught.value.hint
    assert os.listdir(small) == []


@pytest.mark.law(5)
def test_paths_that_leave_the_folder_are_refused(tmp_path):
    """Dots, links and neighbours with a longer name do not get out; what stays inside is let through."""
    root = tmp_path / "downloads"
    for made in (root / "inner", tmp_path / "downloads2"):
        made.mkdir(parents=True)
    (root / "out").symlink_to(tmp_path)
    (root / "in").symlink_to(root / "inner")
    (tmp_path / "alias").symlink_to(root)
    (root / "round").symlink_to(root / "round")
    for inside in ("a", "a/b/c", "in/a", "inner/../a", "..a", "out/downloads/a"):
        DISK.check(str(root), f"{root}/{inside}")
        DISK.check(str(tmp_path / "alias"), f"{root}/{inside}")
    for outside in ("..", "../a", "out", "out/a", "inner/../../a", "", ".", "../downloads2/a", "a\0b"):
        with pytest.raises(InvalidDestination):
            DISK.check(str(root), f"{root}/{outside}")
    with pytest.raises(InvalidDestination):
        DISK.check(str(root), "/etc/passwd")
