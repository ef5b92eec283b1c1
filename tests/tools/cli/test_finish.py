"""`lading finish`: what can be ended is what is being received."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.row("S2.13")]


def test_what_does_not_run_cannot_be_finished(lading):
    """And the hint says what can be."""
    id = lading.add("http://a.test/1")
    assert "received" in lading("finish", id, code=2).err


def test_of_all_only_those_are_meant_to_which_it_applies(lading):
    """Of none at all, nothing is said to have been done."""
    lading.add("http://a.test/1")
    assert "nothing to do" in lading("finish", "--all").err
