"""`lading archive`: closed history, out of the way and not lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lading.tools.cli.frame import Frame, verb
from lading.tools.cli.units import SPAN


@verb()
@click.option("--older-than", type=SPAN, default=0.0, metavar="AGE", help="Only what ended so long ago: 30d, 12h, 90m.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to. [archive, in the home]",
)
@click.option(
    "--format", "form", default="jsonl", show_default=True, metavar="NAME", help="What the files are: jsonl or parquet."
)
def command(frame: Frame, older_than: float, folder: Path | None, form: str) -> None:
    """Move closed history out of the views into files.

    What has ended leaves the lists and the history, with its attempts; statistics stay, and so does the log: `show` and
    `log` tell of each as before, and `retry` brings it back. A download of which anything is still kept on the disk
    stays until `lading clean` has seen to that. Works beside a running engine; done again, it does what is left.
    """
    import trio

    from lading.tools.cli import homes, units
    from lading.tools.cli.answers import answer, plain

    place = folder if folder is not None else homes.existing(frame).path / "archive"

    def tell(row: dict[str, Any]) -> None:
        answer(frame, row, plain(_sentence(row)))

    async def main() -> dict[str, int]:
        async with homes.working(frame, role="client", start=False) as engine:
            return await engine.archive(place, older_than_s=older_than, form=form, tell=tell)

    done = trio.run(main)
    files = f"{done['files']} {'file' if done['files'] == 1 else 'files'}"
    told = f"archived {done['downloads']} downloads in {files}, {units.size(done['bytes'])}"
    kept = f"; {done['left']} stay, as something of them is kept on the disk" if done["left"] else ""
    answer(frame, {"kind": "summary", **done}, told + kept)


def _sentence(row: dict[str, Any]) -> str:
    if row["kind"] == "orphan":
        return f"orphan: {row['path']}: no event speaks of it, and it may be removed"
    return f"archived: {row['downloads']} downloads in {row['path']}"
