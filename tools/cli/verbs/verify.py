"""`lading verify`: is what is stored what was stored?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import click

from lading.tools.cli.frame import Frame, verb


@verb()
@click.option("--files", is_flag=True, help="Also the files of completed downloads, against their digests.")
@click.option("--views", is_flag=True, help="Also the views, against a fresh fold of the log.")
@click.option(
    "--downloads",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="With --files: the download folder of the program that this home belongs to.",
)
def command(frame: Frame, downloads: Path | None, *, files: bool, views: bool) -> int:
    """Check every record of the log, and views and files on demand; exit code 4 if something is damaged.

    The log's pages, checksums, indexes and events are looked at, settings, secrets and the cursors of hooks; with
    --files also parts, piece by piece. All of it runs in a process of its own, which damage may end and not this.

    Each finding is a line. Nothing is mended: `lading rebuild` makes views anew, `lading repair` files and logs. The
    log is told of a file that is gone or has changed.
    """
    from lading.tools.cli import progress_bar, telling, trouble
    from lading.tools.cli.answers import answer, plain
    from lading.tools.cli.checking import Check

    with progress_bar.shown(frame) as progress:
        check = Check(frame, views=views, files=files, downloads=downloads, progress=progress)
        for finding in check.findings():
            answer(frame, attrs.asdict(finding), plain(f"{finding.kind}: {finding.message}"))
    telling.tell(frame, check.words)
    row = check.row()
    answer(frame, row, _summary(row))
    if not check.damage:
        return trouble.DONE
    told = f"{check.damage} {'thing is' if check.damage == 1 else 'things are'} not as stored"
    hint = (
        "keep a copy of the home before anything else; `lading rebuild` makes views anew, `lading repair` files or log"
    )
    trouble.tell(trouble.Trouble(told, hint, "IntegrityError", trouble.INTEGRITY), as_json=frame.json)
    return trouble.INTEGRITY


def _summary(row: dict[str, Any]) -> str:
    looked = ["the log" if row["events"] is None else f"{row['events']} events"]
    if row["views"] is not None:
        looked.append("the views")
    if row["files"] is not None:
        looked.append(f"{row['files']} files")
    if row["parts"]:
        looked.append(f"{row['parts']} parts")
    unchecked = f"; {row['unchecked']} files lie in a folder that --downloads would name" if row["unchecked"] else ""
    return f"{'sound' if row['ok'] else 'damaged'}: {', '.join(looked)}{unchecked}"
