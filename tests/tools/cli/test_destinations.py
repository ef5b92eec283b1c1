"""Where no file can go is told when it is asked for, as far as that can be seen then, and in the user's own words."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("verb", ["get", "add"])
@pytest.mark.parametrize(
    ("options", "named", "hint"),
    [
        (("-d", "file"), "file is a file", "-d takes a folder"),
        (("-d", "file/below"), "file is a file", "-d takes a folder"),
        (("-o", "file/x"), "file is a file", "-d takes a folder"),
        (("-o", "dir"), "dir is a folder", "-d takes a folder"),
        (("-o", "dir", "--if-exists", "overwrite"), "dir is a folder", "-d takes a folder"),
        (("-d", ".", "-o", "dir", "--if-exists", "skip"), "dir is a folder", "-d takes a folder"),
    ],
)
def test_a_file_in_the_place_of_a_folder_and_the_reverse_is_refused_when_asked(
    lading, origin, small, folder, verb, options, named, hint
):
    """Nothing is fetched and nothing is queued."""
    (folder / "file").write_bytes(b"mine")
    (folder / "dir").mkdir()
    said = lading(verb, origin.url(small.name), *options, code=2)
    assert named in said.err
    assert hint in said.err
    assert not lading.home.exists()


def test_what_is_not_there_yet_is_made(lading, origin, small, folder):
    """A folder that is missing is no mistake; and to rename is to find another name, also beside a folder."""
    (folder / "dir").mkdir()
    lading("get", origin.url(small.name), "-d", "new/newer")
    lading("get", origin.url(small.name), "-o", "dir", "--if-exists", "rename")
    assert (folder / "new/newer" / small.name).exists()
    assert (folder / "dir (2)").is_file()


def test_what_came_in_the_way_later_is_told_by_the_path_that_the_user_knows(lading, origin, small, folder):
    """Not by the hidden part beside it; and in words, since the log keeps no hint."""
    lading("add", origin.url(small.name), "-d", "later")
    (folder / "later").write_bytes(b"mine")
    said = lading("run", code=1)
    assert f"{folder}/later/{small.name} cannot be used: something on that path is a file, not a folder" in said.err
    assert ".part" not in said.err


def test_a_file_that_is_there_is_refused_before_anything_is_queued(lading, origin, small, folder):
    """As often as it is asked for; and the hint says what would do."""
    (folder / "x").write_bytes(b"mine")
    lading("add", "http://a.test/1")
    for _ in range(2):
        said = lading("get", origin.url(small.name), "-o", "x", code=1)
        assert "--if-exists rename, skip or overwrite" in said.err
    assert len(lading.rows("list")) == 1
