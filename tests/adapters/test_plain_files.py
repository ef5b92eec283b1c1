"""What somebody names to be read is a regular file or is refused at once; nothing is waited for."""

from __future__ import annotations

import os

import pytest

from lading.adapters.plain_files import NOT_PLAIN, open_plain, read_plain


def test_a_regular_file_is_read_also_through_a_link(tmp_path):
    """As it always was."""
    (tmp_path / "a").write_bytes(b"words")
    (tmp_path / "b").symlink_to("a")
    with open_plain(tmp_path / "b") as file:
        assert file.read() == b"words"
    assert read_plain(tmp_path / "a") == b"words"


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link to a pipe"])
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path, kind):
    """A pipe that nobody writes to would be waited for without end, and a device read without end."""
    path = tmp_path / "a"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            os.mkfifo(tmp_path / "b")
            path.symlink_to("b")
    open_files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=NOT_PLAIN) as caught:
        open_plain(path)
    assert caught.value.filename == str(path)
    assert len(os.listdir("/proc/self/fd")) == open_files
