"""`lading refresh-url`: another URL, of which nothing secret is said."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.row("S2.13")]


def test_a_failed_download_goes_on_from_its_new_url(lading, origin, small, folder):
    """What was queued as one thing is fetched from elsewhere."""
    lading("get", origin.url("missing"), "--retries", 0, "-o", "x", code=1)
    (row,) = lading.rows("list")
    said = lading("--json", "refresh-url", row["id"], origin.url(small.name) + "?token=sesame-open")
    assert said.rows[0]["state"] == "queued"
    assert "sesame-open" not in said.out + said.err + lading("log").out
    lading("run")
    assert (folder / "x").read_bytes() == small.read()


@pytest.mark.parametrize("url", ["file.bin", "gopher://a.test/sesame-open"])
def test_what_is_no_url_is_refused(lading, url):
    """And nothing of it is repeated."""
    id = lading.add("http://a.test/1")
    assert "sesame-open" not in lading("refresh-url", id, url, code=2).err


def test_what_was_forgotten_comes_back_with_its_headers(lading, origin, small, folder, tmp_path):
    """The hint says how, with the id and each name in it; headers may come from a file, and no value is told."""
    url = origin.url(small.name)
    id = lading.add(url, "--key", "k", "--header", "Cookie: sesame-open")
    lading("forget", "k")
    hint = lading("--json", "refresh-url", "k", url, code=2).trouble["hint"]
    assert f"`lading refresh-url {id} URL --header 'Cookie: …'`" in hint
    assert "Cookie" in lading("--json", "refresh-url", "k", url, "--header", "A: b", code=2).trouble["hint"]
    (tmp_path / "headers").write_text("Cookie: sesame-open\n")
    said = lading("refresh-url", "k", url, "--header", f"@{tmp_path / 'headers'}")
    assert lading("run").out == f"{folder / small.name}\n"
    assert origin.requests[-1].headers["cookie"] == "sesame-open"
    assert "sesame-open" not in said.out + said.err + lading("log").out
