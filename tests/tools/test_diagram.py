"""The tool that draws the table of states into a page."""

from __future__ import annotations

import pytest

from lading.domain.errors import UsageError
from lading.domain.states import diagram
from lading.tools.diagram import MARKER, between, block, main, redrawn


def test_redrawing_changes_only_what_stands_between_the_markers(tmp_path):
    """The prose around it stays, byte for byte, and a second time changes nothing."""
    page = tmp_path / "page.md"
    page.write_text(f"Before ä.\n\n{MARKER}\nold\n{MARKER}\n\nAfter.", encoding="utf-8")
    assert main([str(page)]) == 0
    drawn = page.read_text(encoding="utf-8")
    assert drawn == f"Before ä.\n\n{MARKER}{block()}{MARKER}\n\nAfter."
    assert redrawn(drawn) == drawn
    assert between(drawn) == block()
    assert diagram() in drawn


@pytest.mark.parametrize("page", ["", MARKER, MARKER * 3])
def test_a_page_without_two_markers_is_refused_and_left_alone(tmp_path, capsys, page):
    """Nobody can tell where the diagram goes."""
    with pytest.raises(UsageError):
        between(page)
    path = tmp_path / "page.md"
    path.write_text(page, encoding="utf-8")
    assert main([str(path)]) == 2
    assert path.read_text(encoding="utf-8") == page
    assert MARKER in capsys.readouterr().err
