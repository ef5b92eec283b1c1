"""`lading cancel` gives downloads up and leaves nothing behind."""

from __future__ import annotations


def test_a_running_one_leaves_no_file(lading, origin, large, folder, working, eventually):
    """When it returns, no write follows."""
    id = lading.add(origin.url(large.name))
    eventually(lambda: list(folder.glob(".*.part")))
    assert lading.row("cancel", id)["state"] == "cancelled"
    assert eventually(lambda: not list(folder.iterdir()))


def test_what_was_interrupted_is_cleaned_up_with_no_engine_there(lading, origin, large, folder, spawn, eventually):
    """The verb does that itself."""
    getting = spawn("get", origin.url(large.name))
    eventually(lambda: [part for part in folder.glob(".*.part") if part.stat().st_size])
    getting.end(9)
    lading("cancel", "--all")
    assert not list(folder.iterdir())


def test_a_completed_one_is_not_cancelled(lading, origin, small):
    """The hint names the verb for that."""
    id = lading.row("get", origin.url(small.name))["id"]
    assert "lading remove --files" in lading("cancel", id, code=2).err
