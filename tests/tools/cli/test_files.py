"""`lading files` tells what lies on the disk, and the log what has changed there."""

from __future__ import annotations

import os

import pytest

from lading.tools.origin import Behaviour

pytestmark = pytest.mark.row("S3.12")


@pytest.fixture
def filled(lading, origin, small, folder):
    """A home with a completed download that has the key `k`; the file of it."""
    lading("get", origin.url(small.name), "--key", "k")
    return folder / small.name


def events(lading):
    return [row["event"] for row in lading.rows("log", "--id", "k")]


def test_a_key_names_a_state_not_fetched_valid_not_valid(lading, origin, small, filled):
    """And the file's own path; nothing is written to the log while nothing has changed."""
    before = lading.rows("log")
    row = lading.row("files", "k", "--digest")
    assert (row["state"], row["valid"], row["reason"], row["path"]) == ("valid", True, None, str(filled))
    assert row["size"] == small.size
    lading.add(origin.url("large.bin"), "--key", "later")
    assert (lading.row("files", "later")["state"], lading.row("files", "later")["valid"]) == ("none", None)
    assert len(lading.rows("log")) == len(before) + 2
    assert "valid" in lading("files").out


def test_a_changed_file_is_told_once_and_retry_fetches_it_again(lading, origin, small, filled):
    """Also where only the digest knows: what was written to since is read."""
    content = filled.read_bytes()
    filled.write_bytes(content[:-1] + b"!")
    assert lading.row("files", "k")["state"] == "not valid"
    lading("files", "k")
    assert events(lading).count("Invalidated") == 1
    filled.write_bytes(content)
    assert lading.row("files", "k")["valid"]
    assert events(lading)[-1] == "Confirmed"
    filled.unlink()
    assert lading.row("files", "k")["state"] == "absent"
    origin.set(small.name, Behaviour())
    lading("retry", "k")
    lading("run")
    assert filled.read_bytes() == content
    assert lading.row("files", "k")["state"] == "valid"


def test_a_change_that_hides_its_time_is_found_by_its_digest(lading, filled):
    """A quick look believes size and time; `--digest` believes nothing, and then neither does the next quick look."""
    status = filled.stat()
    filled.write_bytes(b"!" + filled.read_bytes()[1:])
    os.utime(filled, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert lading.row("files", "k")["state"] == "valid"
    assert lading.row("files", "k", "--digest")["state"] == "not valid"
    assert lading.row("files", "k")["state"] == "not valid"


def test_verify_tells_the_log_as_well(lading, filled):
    """Once, and by the id that `retry` takes."""
    filled.write_bytes(b"other")
    for _ in range(2):
        lading("verify", "--files", code=4)
    assert events(lading).count("Invalidated") == 1
    assert lading.row("retry", "k", "--overwrite")["state"] == "queued"


def test_a_link_to_the_file_elsewhere_is_the_file(lading, filled, tmp_path):
    """Who moves it and leaves a link has not lost it."""
    filled.rename(tmp_path / "moved")
    filled.symlink_to(tmp_path / "moved")
    assert lading.row("files", "k", "--digest")["state"] == "valid"


def test_only_one_way_to_choose(lading, filled):
    """As with the other verbs."""
    lading("files", "k", "--all", code=2)
    assert lading.rows("files", "--tag", "none") == []
    lading("remove", "k")
    assert lading.rows("files") == []
    assert [row["state"] for row in lading.rows("files", "--all")] == ["none"]
