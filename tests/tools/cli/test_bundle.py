"""`lading bundle`: queued whole, fetched together, shown as one and steered as one."""

from __future__ import annotations

import pytest

from lading.tools.origin import Behaviour

pytestmark = [pytest.mark.row("S1.2"), pytest.mark.row("S3.8"), pytest.mark.row("S2.6")]

AT_LEAST = {"id", "name", "policy", "state", "members", "completed", "failed", "received", "total", "percent", "path",
            "why", "added_at"}  # fmt: skip


@pytest.fixture
def quick(origin, large):
    """An origin that sends all at once."""
    origin.set(large.name, Behaviour())
    return origin


def test_a_licence_and_its_media_become_one_folder_or_nothing(lading, quick, small, large, folder, monkeypatch):
    """The licence is missing: exit 1, nothing but the hidden folder; it is there: the retry fetches only that."""
    monkeypatch.setenv("LADING_RETENTION_S", "0")
    licence = quick.url("licence.xml")
    wanted = ("bundle", "get", "film", "--policy", "all_or_nothing", "--retries", "0", licence, quick.url(small.name))
    said = lading(*wanted, code=1)
    assert "the bundle film failed" in said.err
    assert "lading bundle retry" in said.err
    assert [path.name[0] for path in folder.iterdir()] == ["."]
    (row,) = lading.rows("bundle", "list")
    assert row.keys() >= AT_LEAST
    assert (row["state"], row["members"], row["failed"], row["staged"]) == ("failed", 2, 1, 1)
    assert row["path"] == str(folder / "film")
    shown = lading.row("bundle", "show", row["id"][:13])
    assert {"rate", "eta"} <= shown.keys()
    assert [d["state"] for d in shown["downloads"]] == ["failed", "waiting"]
    assert {d["bundle"] for d in shown["downloads"]} == {row["id"]}
    lading("bundle", "cancel", "film")
    assert list(folder.iterdir()) == [], "nothing is left of what was given up"
    both = lading("bundle", "get", "film", "--policy", "all_or_nothing", quick.url(small.name), quick.url(large.name))
    assert sorted(both.out.splitlines()) == sorted(str(folder / "film" / each.name) for each in (small, large))
    assert (folder / "film" / small.name).read_bytes() == small.read()
    assert [path.name for path in folder.iterdir()] == ["film"]
    assert [row["state"] for row in lading.rows("bundle", "list")] == ["completed", "cancelled"]
    assert lading.row("bundle", "show", "film")["state"] == "completed", "of one name, the newest is meant"


def test_shards_that_can_be_had_are_had_and_the_rest_is_reported(lading, quick, small, large, folder):
    """Best effort: exit 1 and an aggregate for what is missing, the files for what is not."""
    rows = lading.rows("bundle", "get", "model", "-d", "model", "--retries", "0", quick.url(small.name),
                       quick.url("missing"), quick.url(large.name), code=1)  # fmt: skip
    assert sorted(row["state"] for row in rows[:-1]) == ["completed", "completed", "failed"]
    assert (rows[-1]["state"], rows[-1]["completed"], rows[-1]["failed"]) == ("partial", 2, 1)
    assert rows[-1]["received"] == small.size + large.size
    assert sorted(path.name for path in (folder / "model").iterdir()) == sorted([small.name, large.name])
    assert "2 of 3" in lading("bundle", "show", "model").out


def test_files_of_different_folders_are_named_in_the_order_of_their_urls(lading, quick, small, large, folder, tmp_path):
    """-o and --digest once for each URL; and a list brings more URLs."""
    quick_list = tmp_path / "list"
    quick_list.write_text(f"# two\n{quick.url(small.name)}\n{quick.url(large.name)}\n")
    lading("bundle", "get", "both", "--policy", "roll_forward", "-i", quick_list, "-o", "a/one", "-o", "b/two",
           "--digest", small.digest(), "--digest", large.digest())  # fmt: skip
    assert (folder / "a" / "one").read_bytes() == small.read()
    assert (folder / "b" / "two").read_bytes() == large.read()
    assert {row["assurance"] for row in lading.rows("history")} == {"digest"}
    assert lading.row("bundle", "remove", "both", "--files")["state"] == "removed"
    assert not (folder / "a" / "one").exists()
    assert lading.rows("bundle", "list") == []


def test_a_bundle_is_steered_as_one_by_its_own_verbs_and_by_those_of_downloads(lading, quick, small, large):
    """Its id comes first, then its members'; pause, resume and cancel reach all of them; --bundle does so elsewhere."""
    id, *members = lading("bundle", "add", "pair", quick.url(small.name), quick.url(large.name)).out.split()
    assert [row["id"] for row in lading.rows("list")] == members
    assert lading.row("bundle", "pause", "pair")["state"] == "paused"
    assert lading.row("bundle", "resume", id)["state"] == "queued"
    assert {row["id"] for row in lading.rows("pause", "--bundle", id[:13])} == set(members)
    assert {row["priority"] for row in lading.rows("prioritise", "--bundle", "pair", "7")} == {7}
    assert len(lading.rows("resume", "--bundle", "pair")) == 2
    assert lading.rows("resume", "--bundle", "pair") == []
    lading("run")
    assert lading.row("bundle", "show", "pair")["state"] == "completed"
    assert lading.rows("cancel", "--bundle", "pair") == []
    assert "pair" in lading("bundle", "list").out


def test_what_cannot_be_meant_is_said_with_a_hint_and_queues_nothing(lading, tmp_path):
    """Usage errors: no members, an option that does not fit to the URLs, a bad line, an unknown bundle, two choices."""
    bad = tmp_path / "list"
    bad.write_bytes(b"http://a.example/x\nnot a url\n")
    url = "http://a.example/x"
    for arguments in (
        ("bundle", "add", "x"),
        ("bundle", "add", "x/y", url),
        ("bundle", "add", "x", url, url, "-o", "one"),
        ("bundle", "add", "x", url, "--digest", "sha256:00"),
        ("bundle", "add", "x", "-i", bad),
        ("bundle", "add", "x", url, "--policy", "all_or_nothing", "--if-exists", "overwrite"),
        ("bundle", "add", "x", url, "--policy", "all_or_nothing", "-o", "../y"),
        ("bundle", "add", "x", url, "--policy", "never"),
    ):
        assert lading("--json", *arguments, code=2).trouble["hint"], arguments
    lading("add", url, "--key", "k")
    for arguments in (("bundle", "show", "nobody"), ("pause", "--bundle", "nobody"), ("pause", "k", "--bundle", "x")):
        assert lading("--json", *arguments, code=2).trouble["hint"], arguments
    assert lading.rows("bundle", "list") == []
    assert len(lading.rows("list")) == 1
