"""`lading clean`: tidy up at once, instead of when the engine next does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lading.tools.cli.frame import Frame, verb
from lading.tools.cli.units import SPAN


@verb()
@click.option(
    "--older-than", type=SPAN, metavar="AGE", help="Of failures: 30d, 12h, 90m; else as set by clean_after_s."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.option("--cache", is_flag=True, help="Empty the cache too.")
@click.option(
    "--downloads",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The download folder of the program that this home belongs to.",
)
def command(frame: Frame, older_than: float | None, downloads: Path | None, *, dry_run: bool, cache: bool) -> None:
    """Remove stale failures and orphan parts, and look at published files; the history keeps what is removed.

    Failed and cancelled downloads that are older than so long leave the queue, with what was received of them; what was
    put aside so long ago, to be taken back, is deleted; parts that no download vouches for any more are removed; and of
    published files that are gone or have changed the log is told. Beside a running engine, files are left to that.
    """
    import trio

    from lading.tools.cli import homes
    from lading.tools.cli.answers import answer, note, plain

    homes.existing(frame)

    def tell(row: dict[str, Any]) -> None:
        answer(frame, row, plain(_sentence(row)))

    async def main() -> dict[str, int]:
        role = "client" if dry_run else "auto"
        async with homes.working(frame, role=role, start=False, downloads=downloads) as engine:
            done = await engine.clean(older_than_s=older_than, dry_run=dry_run, cache=cache, tell=tell)
            if engine.role == "client" and not dry_run:
                note(frame, "an engine works on this home: what it finds of orphans, it removes itself")
            return done

    done = trio.run(main)
    answer(frame, {"kind": "summary", "dry_run": dry_run, **done}, _summary(done, dry_run=dry_run))


def _sentence(row: dict[str, Any]) -> str:
    from lading.tools.cli import units

    match row["kind"]:
        case "failure":
            return f"{row['state']}: {row['id']} {row['url']}, {units.size(row['size'])}"
        case "orphan":
            return f"orphan: {row['path']}, {units.size(row['size'])}"
        case "kept":
            return f"put aside: {row['path']}, {units.size(row['size'])}"
        case _:
            return f"{row['state']}: {row['id']} {row['path']}: {row['reason']}"


def _summary(done: dict[str, int], *, dry_run: bool) -> str:
    from lading.tools.cli import units

    went = "would be removed" if dry_run else "removed"
    given = f"{units.size(done['bytes_reclaimed'])} given back"
    wrong = f"{done['invalidated']} files not valid any more"
    aside = f", {done['quarantined']} put aside" if done["quarantined"] else ""
    evicted = f", {done['evicted']} from the cache" if done["evicted"] else ""
    return f"{done['failures']} stale failures and {done['orphans']} orphans{aside}{evicted} {went}, {given}; {wrong}"
