"""Files that get their names whole take the place of files and links only, whatever was asked for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lading.domain.errors import DestinationTaken
from lading.drafts import Draft, put_file

pytestmark = [pytest.mark.row("S2.14"), pytest.mark.law(5)]


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)  # a socket's path is short


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/null")


def a_link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


NO_FILES = [a_pipe, a_socket, a_folder, a_link_to_a_device, a_link_to_a_pipe]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fill(file) -> None:
    file.write(b"ours")


@pytest.mark.parametrize("make", NO_FILES)
@pytest.mark.parametrize("replace", [True, False])
def test_what_is_no_file_is_never_replaced(folder, make, replace):
    """Before anything is written; the hint offers no force that would not help."""
    make(folder / "place")
    before, names = os.lstat(folder / "place"), sorted(os.listdir(folder))
    with pytest.raises(DestinationTaken) as caught:
        put_file(folder / "place", lambda _: pytest.fail("it was begun"), replace=replace, taken="say --force")
    assert caught.value.hint == "name another file"
    assert (os.lstat(folder / "place"), sorted(os.listdir(folder))) == (before, names)


@pytest.mark.parametrize("make", NO_FILES)
def test_what_is_no_file_and_appears_meanwhile_is_not_replaced_either(folder, make):
    """It is looked at once more when the name is to be given, and nothing of the draft is left."""
    with pytest.raises(DestinationTaken):
        put_file(folder / "place", fill, check=lambda _: make(folder / "place"), replace=True)
    assert set(os.listdir(folder)) <= {"place", "pipe"}
    assert not (folder / "place").is_file()


@pytest.mark.parametrize("target", ["precious", "nowhere", "shelf", "place"])
def test_a_link_loses_its_name_and_what_it_leads_to_stays(folder, target):
    """As where a download is published: a file, nothing, a folder, or the link itself."""
    (folder / "precious").write_bytes(b"precious")
    (folder / "shelf").mkdir()
    (folder / "place").symlink_to(target)
    with pytest.raises(DestinationTaken):
        put_file(folder / "place", fill)
    put_file(folder / "place", fill, replace=True)
    assert not (folder / "place").is_symlink()
    assert (folder / "place").read_bytes() == b"ours"
    assert (folder / "precious").read_bytes() == b"precious"
    assert sorted(os.listdir(folder)) == ["place", "precious", "shelf"]


def test_a_name_that_is_chosen_late_is_looked_at_too(folder):
    """A draft may get another name before it is published."""
    a_pipe(folder / "other")
    with Draft(folder / "place", replace=True) as draft:
        draft.path = folder / "other"
        with pytest.raises(DestinationTaken):
            draft.publish()
    assert (folder / "other").is_fifo()
    assert os.listdir(folder) == ["other"]
