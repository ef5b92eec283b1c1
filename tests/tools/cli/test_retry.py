"""`lading retry` tries again what failed."""

from __future__ import annotations

from lading.tools.origin import Behaviour, Refusal


def test_what_failed_is_queued_with_a_fresh_budget(lading, origin, small, folder):
    """The next run brings it."""
    origin.set(small.name, Behaviour(refusals=[Refusal(404)]))
    id = lading.row("get", origin.url(small.name), code=1)["id"]
    assert lading.row("retry", id)["state"] == "queued"
    assert lading("run").out == f"{folder / small.name}\n"


def test_a_completed_one_is_not_tried_again(lading, origin, small):
    """Exit code 2."""
    lading("retry", lading.row("get", origin.url(small.name))["id"], code=2)
