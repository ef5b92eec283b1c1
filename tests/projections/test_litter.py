"""What is left to sweep."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.projections import litter

pytestmark = [pytest.mark.row("C.2"), pytest.mark.row("S1.5")]


@settings(deadline=None)
@given(data=st.data())
def test_litter_is_what_the_downloads_themselves_call_litter(data, worlds, make):
    """Those whose files still have to go, in the order of asking, as many as asked for."""
    world = data.draw(worlds)
    expected = [download.id for download in world.by_age() if download.litter]
    with make.fold(world.facts(), [2] * 20).read() as reader:
        assert list(litter.ids(reader)) == expected
        assert list(litter.ids(reader, 1)) == expected[:1]
