"""Publishing without links or /proc: the part gets its name another way or is refused, never another file."""

from __future__ import annotations

import errno
import os

import pytest

from lading.adapters.disk import LocalDisk, kernel, publishing
from lading.domain.errors import DestinationTaken, InvalidDestination

DISK = LocalDisk()


@pytest.mark.law(5)
def test_without_links_the_part_is_renamed(new_part, folder, no_links, publish, content):
    """Where there are no links a rename that never replaces gives the name; the part's own name goes."""
    made = new_part(data=b"whole")
    publish(made, f"{folder}/file", replace=False)
    assert content(f"{folder}/file") == b"whole"
    assert DISK.inode(f"{folder}/file") == made.inode
    assert os.listdir(folder) == ["file"]
    publish(made, f"{folder}/file", replace=False)


def test_without_links_replacing_is_a_rename(new_part, folder, no_links, publish, content, put):
    """With replace the part is renamed over what lies there."""
    made = new_part(data=b"ours")
    put(f"{folder}/file", b"old")
    publish(made, f"{folder}/file", replace=True)
    assert content(f"{folder}/file") == b"ours"
    assert os.listdir(folder) == ["file"]


@pytest.mark.law(5)
@pytest.mark.parametrize("replace", [False, True])
def test_without_links_a_foreign_file_under_the_parts_name_is_not_published(
    new_part, folder, no_links, replace, publish, put
):
    """A rename goes by name, so the name is looked at first."""
    made = new_part(data=b"verified")
    os.rename(made.path, f"{folder}/elsewhere")
    put(made.path, b"evil")
    with pytest.raises(FileNotFoundError, match="moved or removed"):
        publish(made, f"{folder}/file", replace=replace)
    assert not os.path.lexists(f"{folder}/file")


@pytest.mark.law(5)
def test_without_links_and_safe_renames_publishing_is_refused(new_part, folder, monkeypatch, publish, failing):
    """A file system that can do neither is refused with a hint, and the part stays what it is."""
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    monkeypatch.setattr(kernel, "rename_no_replace", failing(errno.EINVAL))
    made = new_part(data=b"whole")
    with pytest.raises(InvalidDestination) as caught:
        publish(made, f"{folder}/file", replace=False)
    assert "--if-exists overwrite" in caught.value.hint
    assert os.listdir(folder) == [".file.1.part"]


def test_without_proc_the_part_is_linked_by_its_name(new_part, folder, monkeypatch, publish):
    """Where there is no /proc the part's own name is linked, and looked at afterwards."""
    real = os.path.lexists
    monkeypatch.setattr(publishing.os.path, "lexists", lambda path: not path.startswith("/proc") and real(path))
    made = new_part(data=b"whole")
    publish(made, f"{folder}/file", replace=False)
    assert DISK.inode(f"{folder}/file") == made.inode


@pytest.mark.law(5)
def test_without_proc_another_file_under_the_name_of_the_part_is_not_taken_for_it(
    new_part, folder, monkeypatch, publish, put
):
    """Where the inode that is held cannot be linked itself, what was linked is looked at."""
    made = new_part(data=b"verified")
    monkeypatch.setattr(publishing, "_has_proc", lambda: False)
    os.unlink(made.path)
    put(made.path, b"somebody else's")
    with pytest.raises(DestinationTaken):
        publish(made, f"{folder}/file", replace=False)
