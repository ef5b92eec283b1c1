"""A process that exports to a folder in small parts, again and again, and waits for nobody to kill it."""

from __future__ import annotations

import sys
from pathlib import Path

from lading import exporting, extracting
from lading.home import open_home
from lading.opening import open_reading


def main(home: Path, folder: str, form: str, part: int) -> None:
    """Export the events of `home`, `part` of them in a part, until there are no more."""
    exporting.PART_EVENTS = extracting.PAGE = part
    opened = open_home(home, new_id=None)
    reading = open_reading(opened)
    asked = exporting.wanted("events", folder, form=form, first=None, last=None, force=False)
    print("ready", flush=True)
    for path, _ in exporting.export(reading, asked, exporting.log_id(reading, str(opened.id))):
        print(path, flush=True)
    reading.close()


main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
