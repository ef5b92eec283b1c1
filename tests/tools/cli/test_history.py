"""`lading history` tells how downloads ended."""

from __future__ import annotations

import attrs
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
    """Which it was, and what went wrong with it."""
    title, bad, good = lading("history").out.splitlines()
    assert title.split()[-2:] == ["WHAT", "WHY"]
    assert "refused" in bad
    assert "/missing" in bad
    assert "completed" in good


# -- drift -------------------------------------------------------------------------------------------------------------


@pytest.mark.row("C.6")
def test_drift_shows_when_upstream_changed(lading, origin, small):
    """Every validator and digest, the first one first, whichever download saw it."""
    url, other = origin.url(small.name), attrs.evolve(small, seed="another", size=small.size + 1)
    for number, content in enumerate((small, small, other)):
        origin.put(content)
        lading("get", url, "-o", f"{number}")
    rows = lading.rows("history", "--url", url, "--drift")
    assert [row["digest"] for row in rows] == [small.digest(), small.digest(), other.digest()]
    assert [row["etag"] for row in rows] == [f'"{one.tag()}"' for one in (small, small, other)]
    assert [row["changed"] for row in rows] == [[], [], ["etag", "length", "digest"]]
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)
    said = lading("history", "--url", url, "--drift").out
    assert "etag, length, digest" in said
    assert len(lading.rows("history", "--url", url, "--drift", "--limit", 2)) == 2


@pytest.mark.row("C.6")
@pytest.mark.law(7)
def test_a_url_with_a_secret_stands_for_itself_and_is_never_told(lading, origin, small):
    """By its handle; one that was never asked for stands for all that look the same in public."""
    url = origin.url(small.name)
    for number, secret in enumerate(("first-secret", "second-secret")):
        lading("get", f"{url}?token={secret}", "-o", f"{number}")
    said = lading("--json", "history", "--url", f"{url}?token=first-secret", "--drift")
    (row,) = said.rows
    assert row["handle"].startswith("v1:")
    assert lading.rows("history", "--url", row["handle"], "--drift") == [row]
    both = lading("history", "--url", f"{url}?token=third-secret", "--drift")
    assert "look the same in public" in both.err
    assert len(lading.rows("history", "--url", url, "--drift")) == 2
    for spoken in (said, both, lading("history", "--url", f"{url}?token=first-secret", "--drift")):
        assert "secret" not in (spoken.out + spoken.err)


@pytest.mark.row("C.6")
def test_drift_is_asked_of_a_url(lading, origin, past):
    """And of nothing else; where nothing was seen that is said, and no vault is made for the question."""
    assert lading("--json", "history", "--drift", code=2).trouble["hint"]
    assert lading("--json", "history", "--drift", "--url", "http://a.test/", "--tag", "x", code=2).trouble["hint"]
    said = lading("history", "--url", "http://a.test/?q=1", "--drift")
    assert (said.out, said.err) == ("", "nothing was ever seen of this URL\n")
    assert not (lading.home / "vault" / "key").exists()
