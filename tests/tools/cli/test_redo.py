"""`lading redo`: what was undone last, in turn."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.row("S2.13")]


def test_what_was_undone_is_done_again_the_last_first(lading):
    """Until something else is asked for."""
    id = lading.add("http://a.test/1")
    lading("prioritise", id, 5)
    lading("undo")
    lading("undo")
    assert [lading.row("redo")["command"] for _ in range(2)] == ["add", "prioritise"]
    assert lading.row("list")["priority"] == 5
    lading("undo")
    lading("pause", id)
    lading("redo", code=2)
