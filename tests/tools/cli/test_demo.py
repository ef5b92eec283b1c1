"""`lading demo` is the tour of `lading.tools.demo`."""

from __future__ import annotations

import pytest

from lading.tools import demo


@pytest.mark.parametrize("code", [0, 1])
def test_its_exit_code_is_that_of_the_tour(lading, monkeypatch, code):
    """0 only if everything was true."""
    monkeypatch.setattr(demo, "main", lambda *, keep: code if keep else 99)
    lading("demo", "--keep", code=code)
