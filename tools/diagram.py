"""Draw the states of a download into a page, from the one table that decides them.

`python -m lading.tools.diagram README.md` rewrites what stands between the two `<!-- states -->` markers of the page
with a Mermaid block, and leaves all the rest as it is. A test compares the README with the table, so that the picture
cannot lie.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lading.domain.errors import UsageError
from lading.domain.states import diagram

MARKER = "<!-- states -->"


def block() -> str:
    """Return what stands between the markers: the diagram as a Mermaid block, with its line breaks."""
    return f"\n```mermaid\n{diagram()}\n```\n"


def between(page: str) -> str:
    """Return what stands between the two markers of a page.

    Raises:
        UsageError: the page does not have just two of them.
    """
    return _parts(page)[1]


def redrawn(page: str) -> str:
    """Return the page with the diagram of today between its markers.

    Raises:
        UsageError: the page does not have just two of them.
    """
    before, _, after = _parts(page)
    return MARKER.join((before, block(), after))


def _parts(page: str) -> list[str]:
    parts = page.split(MARKER)
    if len(parts) != 3:
        raise UsageError(
            f"the page has {len(parts) - 1} markers instead of two",
            hint=f"put {MARKER} on a line of its own before and after the diagram",
        )
    return parts


def main(arguments: list[str]) -> int:
    """Redraw each page that is named, and return the exit code."""
    for name in arguments:
        page = Path(name)
        try:
            page.write_text(redrawn(page.read_text(encoding="utf-8")), encoding="utf-8")
        except UsageError as error:
            print(f"{name}: {error}; {error.hint}", file=sys.stderr)
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
