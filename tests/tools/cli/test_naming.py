"""What a download is called: by people, and in hints that can be copied and run."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("words", [("show",), ("why",), ("log", "--id"), ("pause",), ("wait",)])
def test_a_beginning_that_is_too_short_is_told_how_long_it_must_be(lading, words):
    """Instead of that there is none."""
    id = lading.add("http://a.test/1")
    said = lading("--json", *words, id[:3], code=2)
    assert (said.trouble["kind"], "at least 4" in said.trouble["hint"]) == ("UnknownDownload", True)
    assert "at least 4" not in lading("--json", *words, "xyz", code=2).trouble["hint"]


def test_a_short_key_is_a_key(lading):
    """Also where it looks like the beginning of an id."""
    id = lading.add("http://a.test/1", "--key", "ab")
    assert lading.row("show", "ab")["id"] == id


def test_hints_to_people_name_the_download(lading, origin):
    """The word ID is of no use to who wants to copy it."""
    id = lading.row("get", origin.url("missing"), code=1)["id"]
    waiting = lading.add("http://a.test/1")
    said = [
        lading("get", origin.url("missing"), "-o", "other", code=1),
        lading("why", id),
        lading("show", id),
        lading("wait", id, waiting, "--timeout", 0, code=1),
        lading("pause", id, code=2),
    ]
    assert f"`lading retry {id}`" in said[1].out
    assert f"`lading why {waiting}`" in said[3].err
    assert not [one for one in said if " ID`" in one.out + one.err]


def test_a_key_that_names_another_url_is_told(lading, origin, small, large):
    """The old download is given, and nobody need wonder why; what may be a secret is not repeated."""
    first = lading("get", origin.url(small.name) + "?token=canary", "--key", "mine")
    assert "another URL" not in first.err
    for verb in ("get", "add"):
        said = lading(verb, origin.url(large.name), "--key", "mine")
        assert f"the key mine names a download with another URL already, {origin.url(small.name)}" in said.err
        assert "canary" not in said.err
        again = lading(verb, origin.url(small.name), "--key", "mine")
        assert "another URL" not in again.err
    assert len(lading.rows("list")) == 1
