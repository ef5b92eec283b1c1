"""`lading resume` lets downloads go on."""

from __future__ import annotations


def test_what_is_paused_is_queued_again(lading, origin, small, folder):
    """And runs when its turn comes."""
    id = lading.add(origin.url(small.name))
    lading("pause", id)
    assert lading.row("resume", id)["state"] == "queued"
    assert lading("run").out == f"{folder / small.name}\n"


def test_what_has_ended_is_not_resumed(lading):
    """The hint names the verb for that."""
    id = lading.add("http://a.test/1")
    lading("cancel", id)
    assert "lading retry" in lading("resume", id, code=2).err
