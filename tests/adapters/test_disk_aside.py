"""What is put aside is the same file under another name, which lasts and replaces nothing."""

from __future__ import annotations

import errno
import os

import pytest

from lading.adapters.disk import LocalDisk, kernel
from lading.domain.errors import DestinationTaken

DISK = LocalDisk()


@pytest.mark.row("S2.13")
@pytest.mark.parametrize("stay", [False, True])
def test_what_is_put_aside_is_the_same_file_under_another_name_that_lasts(folder, calls, stay):
    """By a rename, or a second name where it is to stay; and the folder is flushed after that."""
    path, aside = f"{folder}/file", f"{folder}/.file.kept"
    with open(path, "wb") as file:
        file.write(b"content")
    before = os.stat(path).st_ino
    assert DISK.set_aside(path, aside, stay=stay)
    assert DISK.inode(aside) == before
    assert os.path.exists(path) is stay
    assert calls[-1] == ("fsync", os.path.basename(folder))
    assert DISK.set_aside(f"{folder}/nothing", f"{folder}/.nothing.kept") is False
    assert DISK.set_aside(f"{folder}/nowhere/nothing", f"{folder}/nowhere/.kept") is False


@pytest.mark.row("S2.13")
@pytest.mark.parametrize("stay", [False, True])
@pytest.mark.parametrize("without", [False, True])
def test_putting_aside_never_replaces(folder, monkeypatch, stay, without):
    """Neither by a rename nor, where the kernel has none of that kind, by a link."""
    if without:

        def refuse(*_):
            raise OSError(errno.EINVAL, "no such rename")

        monkeypatch.setattr(kernel, "rename_no_replace", refuse)
    path, aside = f"{folder}/file", f"{folder}/.file.kept"
    for name, content in ((path, b"mine"), (aside, b"other")):
        with open(name, "wb") as file:
            file.write(content)
    with pytest.raises(DestinationTaken):
        DISK.set_aside(path, aside, stay=stay)
    assert (DISK.read(path, 0, 9), DISK.read(aside, 0, 9)) == (b"mine", b"other")
    os.unlink(aside)
    assert DISK.set_aside(path, aside, stay=stay)
    assert DISK.read(aside, 0, 9) == b"mine"
    assert os.path.exists(path) is stay


@pytest.mark.row("S2.13")
def test_only_files_and_links_are_put_aside(folder):
    """A folder is left alone, and a link goes itself, not what it names."""
    os.mkdir(f"{folder}/inner")
    assert DISK.set_aside(f"{folder}/inner", f"{folder}/.inner.kept") is False
    assert os.path.isdir(f"{folder}/inner")
    os.symlink("inner", f"{folder}/link")
    assert DISK.set_aside(f"{folder}/link", f"{folder}/.link.kept", stay=True)
    assert os.readlink(f"{folder}/.link.kept") == "inner"
