"""`lading wait` returns when downloads have ended, whoever runs them."""

from __future__ import annotations


def test_it_ends_with_the_download(lading, origin, large, folder, spawn, working):
    """And prints the path."""
    lading("add", origin.url(large.name), "--key", "mine")
    said = spawn("wait", "mine").end()
    assert (said.code, said.out) == (0, f"{folder / large.name}\n")


def test_what_has_ended_is_reported_at_once(lading, origin, small):
    """Good and bad, in one object each; exit code 1 for the bad."""
    good = lading.row("get", origin.url(small.name))
    bad = lading.row("get", origin.url("missing"), code=1)
    assert lading.rows("wait", good["id"], bad["id"], code=1) == [good, bad]


def test_a_cancelled_one_was_waited_for_in_vain(lading):
    """Exit code 1."""
    id = lading.add("http://a.test/1")
    lading("cancel", id)
    lading("wait", id, code=1)


def test_patience_has_an_end_if_asked_for(lading):
    """And people are told that nobody works."""
    id = lading.add("http://a.test/1")
    said = lading("wait", id, "--timeout", 0, code=1)
    assert "no engine works on this home" in said.err
    assert "1 of 1 downloads have not ended" in said.err
