"""`lading incident`: what happened, in one file without names, for whoever is to look at it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lading.tools.cli.frame import Frame, verb

if TYPE_CHECKING:
    from lading.settings import Settings
    from lading.tools.simulator.writing import Told


@verb()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--from", "first", type=click.IntRange(min=0), metavar="P", help="From this position of the log on.")
@click.option("--to", "last", type=click.IntRange(min=0), metavar="P", help="Up to this position.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this download; may be given several times.")
@click.option(
    "--keep",
    multiple=True,
    type=click.Choice(("hosts", "tags", "ids")),
    help="Show these as they are, instead of pseudonyms; may be given several times.",
)
@click.option(
    "--set",
    "wishes",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting that was in force and stands neither in settings.toml nor in the environment.",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def command(
    frame: Frame,
    file: Path,
    *,
    first: int | None,
    last: int | None,
    ids: tuple[str, ...],
    keep: tuple[str, ...],
    wishes: tuple[str, ...],
    force: bool,
) -> None:
    """Put what happened into one file, without names, to be decided anew by `replay --simulate`.

    It has events with their times, sizes, causes and delays, and the settings that decisions depend on. It has no URL,
    path, name, tag, header, message or digest: hosts, ids and tags become pseudonyms, which are equal where these are,
    within this file only.
    """
    from lading.domain.errors import UsageError
    from lading.tools.cli.answers import answer, note
    from lading.tools.cli.homes import looking
    from lading.tools.cli.naming import find
    from lading.tools.simulator.writing import write

    if first is not None and last is not None and first > last:
        raise UsageError(f"--from {first} lies behind --to {last}", hint="positions grow from --from to --to")
    settings = _settings(frame, wishes)
    with looking(frame, caught_up=bool(ids)) as reading:
        streams = [find(reading, id).id for id in ids]
        told = write(
            reading, settings, file.absolute(), first=first or 0, last=last, ids=streams, keep=keep, replace=force
        )
    if told.most_running > settings.concurrency:
        note(
            frame,
            f"as many as {told.most_running} ran at once, and concurrency is {settings.concurrency}: if the engine was "
            f"told otherwise, say so with --set concurrency={told.most_running}",
        )
    row = {
        "path": str(file.absolute()),
        "events": told.events,
        "downloads": told.downloads,
        "carried": told.carried,
        "most_running": told.most_running,
        "left_out": told.left_out,
        "kept": sorted(keep),
        "bytes": file.stat().st_size,
    }
    answer(frame, row, str(file))
    _explain(frame, told, keep)


def _settings(frame: Frame, wishes: tuple[str, ...]) -> Settings:
    """Return the settings in force, with what the caller says of them."""
    import attrs

    from lading.settings import load
    from lading.tools.cli import homes
    from lading.tools.simulator import tuning
    from lading.tools.simulator.pseudonyms import Pseudonyms

    found = load(homes.folder(frame) / "settings.toml", os.environ)
    if not wishes:
        return found
    plain = tuning.in_force(found, Pseudonyms(b"", frozenset({"hosts"})))
    said = tuning.rebuilt(tuning.changed(plain, wishes)[0])
    return attrs.evolve(
        found, **{name: getattr(said, name) for name in tuning.PLAIN}, tables={**found.tables, **said.tables}
    )


def _explain(frame: Frame, told: Told, keep: tuple[str, ...]) -> None:
    """Tell people what they are about to show."""
    from lading.tools.cli.answers import note

    kept = f" {', '.join(sorted(keep))} are shown as they are." if keep else ""
    out = ", ".join(f"{count} {kind}" for kind, count in sorted(told.left_out.items()))
    note(
        frame, f"{told.events:,} events of {told.downloads:,} downloads, with times, sizes, causes and settings.{kept}"
    )
    note(frame, "Not in it: URLs, paths, file names, headers, messages, digests and keys; when it was, and where.")
    if out:
        note(frame, f"Left out, since nothing of them is simulated: {out}.")
