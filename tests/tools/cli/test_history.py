"""`lading history` tells how downloads ended."""

from __future__ import annotations

import pytest

FIELDS = {
    "id", "url", "tags", "started_at", "ended_at", "bytes", "success", "error", "digest", "assurance", "path",
    "transport", "attempts",
}  # fmt: skip


@pytest.fixture
def past(lading, origin, small):
    """One that went well, and after it one that did not."""
    lading("get", origin.url(small.name), "--tag", "x")
    lading("get", origin.url("missing"), code=1)


def test_the_latest_is_first(lading, past, small):
    """Each with what was promised."""
    bad, good = lading.rows("history")
    assert good.keys() >= FIELDS
    assert (good["success"], good["bytes"], good["digest"]) == (True, small.size, small.digest())
    assert (bad["success"], bad["error"]) == (False, "refused: the server answered 404")


def test_the_options_choose(lading, past, origin, small):
    """A URL is found by its public part."""
    assert len(lading.rows("history", "--limit", 1)) == 1
    assert [row["tags"] for row in lading.rows("history", "--tag", "x")] == [["x"]]
    assert [row["url"] for row in lading.rows("history", "--url", origin.url("missing") + "?q=1")] == [
        origin.url("missing")
    ]


def test_people_get_a_line_each(lading, past):
    """With what went wrong in it."""
    _, bad, good = lading("history").out.splitlines()
    assert "refused" in bad
    assert "completed" in good
