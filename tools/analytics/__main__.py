"""`python -m lading.tools.analytics [FOLDER]`: make a history, answer the queries, draw plots into FOLDER."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from lading.tools.analytics import page, past, plots
from lading.tools.cli import tables


def main(folder: Path) -> None:
    """Do all of it."""
    with tempfile.TemporaryDirectory(prefix="lading-analytics-") as place:
        made = past.make(Path(place))
        answers = {}
        for query in page.queries():
            names, rows = answers[query.title] = page.answer(made.home, query)
            print(f"\n{query.title}\n")
            tables.show([tables.Column(name, least=8) for name in names], rows)
    for name, text in plots.draw(answers, made.names).items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"\n{folder / name}")


main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
