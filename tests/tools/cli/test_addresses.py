"""An address that is nearly a URL is told what it lacks."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("address", "wrong", "form"),
    [
        ("http:/canary/", "fewer", "http://host/…"),
        ("HTTPS:canary", "fewer", "https://host/…"),
        ("http//canary/", "colon", "http://host/…"),
        ("https;//canary/", "colon", "https://host/…"),
        ("http:\\\\canary\\a", "backslashes", "http://host/…"),
        ("http:///canary", "more slashes", "http://host/…"),
        ("htp://canary/", "'htp'", "http://host/…"),
        ("canary.example.org/a", "scheme", "https://host/…"),
        ("canary:8080/a", "scheme", "https://host/…"),
    ],
)
@pytest.mark.parametrize("place", [("{}",), ("http://localhost/", "--mirror", "{}")])
def test_a_near_miss_is_told_what_is_wrong_and_the_form(lading, address, wrong, form, place):
    """Without repeating it: the rest of it may be a secret."""
    said = lading("--json", "get", *(word.format(address) for word in place), code=2)
    assert said.trouble["kind"] == "InvalidURL"
    assert wrong in said.trouble["error"]
    assert form in said.trouble["hint"]
    assert "canary" not in said.err
    assert not lading.home.exists()


def test_another_scheme_is_no_near_miss(lading):
    """Nothing is guessed of what means something else."""
    said = lading("--json", "add", "ftp://host/", code=2)
    assert "did you mean" not in said.trouble["hint"]


def test_a_line_of_a_list_is_told_the_same(lading, tmp_path):
    """With its number."""
    (tmp_path / "list").write_text("http:/host/\n")
    assert "error: line 1: a URL has two slashes" in lading("add", "-i", tmp_path / "list", code=2).err
