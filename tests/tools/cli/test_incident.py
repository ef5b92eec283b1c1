"""`lading incident`: made of a real engine's log, also beside it, and what it says of itself."""

from __future__ import annotations

import gzip
import json

import pytest

pytestmark = pytest.mark.row("C.6")


def test_it_is_made_beside_a_running_engine_and_tells_no_name(
    lading, working, origin, small, large, folder, eventually
):
    """What is written is whole, nothing of the home is changed, and no name is in it."""
    ids = [
        lading.add(origin.url(small.name), "--tag", "of-somebody", "--key", f"my-key-{n}", "-o", f"name-{n}")
        for n in range(2)
    ]
    eventually(lambda: lading.rows("list", "--state", "completed"))
    running = lading.add(origin.url(large.name))
    eventually(lambda: lading.rows("list", "--state", "active"))
    row = lading.row("incident", "what.incident")
    assert row["downloads"] == 3
    assert row["path"] == str(folder / "what.incident")
    assert row["most_running"] >= 1
    assert row["left_out"].get("KeyClaimed") == 2
    told = gzip.decompress((folder / "what.incident").read_bytes())
    secrets = ["127.0.0.1", small.name, large.name, "of-somebody", "my-key", "name-", str(lading.home), str(folder)]
    secrets += [*ids, running, *(id.replace("-", "") for id in [*ids, running])]
    assert [word for word in secrets if word.encode() in told] == []
    log = json.loads((lading.home / "home.json").read_text())
    assert [value for value in log.values() if isinstance(value, str) and value.encode() in told] == []


def test_people_are_told_what_is_in_it_and_what_is_not(lading, origin, small, folder):
    """On stderr; stdout is the file."""
    lading("get", origin.url(small.name))
    said = lading("incident", "what.incident", "--keep", "hosts")
    assert said.out == "what.incident\n"
    assert "hosts are shown as they are" in said.err
    assert "Not in it: URLs, paths, file names, headers, messages, digests and keys" in said.err
    assert b"127.0.0.1" in gzip.decompress((folder / "what.incident").read_bytes())


def test_what_the_engine_was_told_otherwise_is_asked_for(lading, origin, small):
    """The log does not tell what `--concurrency` was, but that more ran at once than is set."""
    lading("get", *[origin.url(small.name)] * 6, "--concurrency", "6", "-d", "x", "--if-exists", "rename", "--no-cache")
    many = lading.row("incident", "what.incident")["most_running"]
    if many > 1:
        lading("config", "set", "concurrency", "1")
        assert f"--set concurrency={many}" in lading("incident", "what.incident", "--force").err
        assert lading("incident", "what.incident", "--force", "--set", f"concurrency={many}").err.count("--set") == 0


def test_single_downloads_and_ranges_are_taken_out(lading, origin, small, large):
    """By ids as people say them, and by positions of the log."""
    first = lading.add(origin.url(small.name), "--key", "one")
    lading.add(origin.url(small.name), "-o", "other")
    lading("run")
    assert lading.row("incident", "a.incident", "--id", "one")["downloads"] == 1
    assert lading.row("incident", "a.incident", "--force", "--id", first[:18])["downloads"] == 1
    assert lading.row("incident", "a.incident", "--force", "--to", "2")["events"] == 1
    assert "a.incident" in lading("incident", "a.incident", "--force", "--from", "4", "--to", "9").out
    assert lading("incident", "a.incident", "--force", "--from", "9", "--to", "4", code=2).err.startswith(
        "error: --from 9"
    )
    assert "nothing in that range" in lading("incident", "b.incident", "--from", "999", code=2).err
    assert "no download" in lading("incident", "b.incident", "--id", "nobody", code=2).err


def test_where_no_file_can_be_made_it_is_said(lading, origin, small):
    """And no home, no incident."""
    assert lading("incident", "x", code=3).err.startswith("error: there is no home")
    lading("get", origin.url(small.name))
    said = lading("incident", "nowhere/x", code=2)
    assert "cannot be written" in said.err
    assert "hint:" in said.err


def test_a_file_that_is_there_is_replaced_only_where_that_was_said(lading, origin, small, folder):
    """As `export` and `backup` have it."""
    lading("get", origin.url(small.name))
    (folder / "what.incident").write_text("mine")
    said = lading("--json", "incident", "what.incident", code=1)
    assert said.trouble["kind"] == "DestinationTaken"
    assert "--force" in said.trouble["hint"]
    assert (folder / "what.incident").read_text() == "mine"
    lading("incident", "what.incident", "--force")
    assert gzip.decompress((folder / "what.incident").read_bytes())
    for words in (("--to", "1"), ("--at", "1h"), ("--id", "x"), ("--limit", "1")):
        assert "whole" in lading("replay", "--simulate", "what.incident", *words, code=2).err
