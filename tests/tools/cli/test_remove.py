"""`lading remove` takes downloads out of the queue, and files on demand only."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("files", [False, True])
def test_a_completed_file_goes_only_if_asked(lading, origin, small, folder, files):
    """It is the user's."""
    id = lading.row("get", origin.url(small.name))["id"]
    assert lading.row("remove", id, *(["--files"] if files else []))["state"] == "removed"
    assert (folder / small.name).exists() is not files
    assert lading.rows("list") == []


def test_all_of_a_tag_are_removed(lading):
    """And no others."""
    lading("add", "http://a.test/1", "--tag", "x")
    lading("add", "http://a.test/2")
    lading("remove", "--tag", "x")
    assert [row["url"] for row in lading.rows("list")] == ["http://a.test/2"]
