"""`lading bundle`: downloads that belong together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lading.tools.cli.asking import shared_request_options
from lading.tools.cli.control import no_wait
from lading.tools.cli.frame import Frame, json_option, verb

if TYPE_CHECKING:
    from uuid import UUID

    from lading.domain.bundle_requests import BundleRequest
    from lading.engine import Engine

F = TypeVar("F", bound=Callable[..., Any])
POLICIES = ("best_effort", "all_or_nothing", "roll_forward")
named = click.argument("bundle", metavar="B")


@click.group(subcommand_metavar="COMMAND ...")
@json_option
def command() -> None:
    """Queue, show and steer downloads that belong together.

    The policy says what becomes of the others when one fails. best_effort: each goes its own way, such as the shards
    of a model. all_or_nothing: they become one new folder, such as a film with its licence, which is there whole or not
    at all. roll_forward: the same for files in different folders.

    \b
    lading bundle get model -d model SHARD-URL SHARD-URL SHARD-URL
    lading bundle get film --policy all_or_nothing LICENCE-URL FILM-URL

    B is a bundle's id, the beginning of one, or its name.
    """  # noqa: D301 # click takes a backspace for "leave these lines as they are"


def _own(made: click.Command) -> click.Command:
    """Put a command into the group."""
    command.add_command(made)
    return made


def _asking(function: F) -> F:
    """Give a verb what names a bundle and its members."""
    for option in (
        click.option(
            "--digest", "digests", multiple=True, metavar="ALGORITHM:HEX", help="What each file must have, in order."
        ),
        click.option("-o", "--output", "paths", multiple=True, metavar="FILE", help="The file of each URL, in order."),
        click.option("-i", "--input", "source", metavar="FILE", help="A list: one URL a line, # for comments."),
        click.option(
            "--policy",
            type=click.Choice(POLICIES),
            default="best_effort",
            help="What becomes of the others when one fails. [default: best_effort]",
        ),
        shared_request_options,
        click.argument("urls", nargs=-1, metavar="[URL]..."),
        click.argument("name"),
    ):
        function = option(function)
    return function


def _wanted(name: str, urls: tuple[str, ...], source: str | None, options: dict[str, Any]) -> BundleRequest:
    from lading.tools.cli import bundling

    return bundling.wanted(name, options.pop("policy"), urls, source, options)


@_own
@verb()
@_asking
def add(frame: Frame, name: str, urls: tuple[str, ...], source: str | None, **options: Any) -> None:
    """Queue a bundle for later, and print its id and those of its members.

    It is queued whole or not at all. Under all_or_nothing it becomes the folder NAME, in the folder that -d names.
    """
    import trio

    from lading import bundles
    from lading.projections import bundles as view
    from lading.tools.cli import bundling, homes

    request = _wanted(name, urls, source, options)

    async def main() -> None:
        async with homes.working(frame, role="client") as engine:
            id = (await engine.submit_bundle(request)).id
            known = bundles.look(engine.reading, id)
            bundling.say_members(frame, view.listing(*known), list(bundles.members(engine.reading, id)))

    trio.run(main)


@_own
@verb()
@_asking
@click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="So many downloads at once; else as set.")
def get(
    frame: Frame, name: str, urls: tuple[str, ...], source: str | None, concurrency: int | None, **options: Any
) -> int:
    """Download a bundle now, and print the paths of its files; with --json, the bundle itself comes last."""
    import trio

    from lading import bundles
    from lading.projections import bundles as view
    from lading.tools.cli import bundling, display, homes, trouble, work
    from lading.tools.cli.answers import write_json
    from lading.tools.cli.endings import Endings
    from lading.tools.cli.watching import Watch

    request = _wanted(name, urls, source, options)
    shown = display.choose(frame)
    endings = Endings(frame, shown, demanding=True)
    asked: list[UUID] = []

    async def begin(engine: Engine) -> Watch:
        after = await trio.to_thread.run_sync(engine.reading.log.head)
        id = (await engine.submit_bundle(request)).id
        asked.append(id)
        own = await trio.to_thread.run_sync(lambda: list(bundles.members(engine.reading, id)))
        return Watch(shown, endings.report, after=after, own=own, until=lambda e: bundling.until_over(e, id))

    async def main() -> bool:
        return await work.work(frame, shown, begin, concurrency=concurrency)

    with shown:
        interrupted = trio.run(main)
    if interrupted:
        return work.say_interrupted(frame)
    with homes.looking(frame) as reading:
        row = view.listing(*bundles.look(reading, asked[0]))
    if frame.json:
        write_json(row)
    if row["state"] == "completed":
        return trouble.DONE
    told = trouble.Trouble(f"the bundle {row['name']} {_ended(row)}", _hint(row), "TransferError", trouble.FAILED)
    trouble.tell(told, as_json=frame.json)
    return told.exit_code


def _ended(row: dict[str, Any]) -> str:
    said = {"partial": "is not all there", "failed": "failed"}.get(row["state"]) or f"is {row['state']}"
    return f"{said}: {row['why']}"


def _hint(row: dict[str, Any]) -> str:
    return (row["hint"] or "`lading bundle show B` tells more").replace(" B`", f" {row['id']}`")


@_own
@verb(name="list")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="So many at most.")
def list_(frame: Frame, limit: int | None) -> None:
    """List the bundles, the newest first; removed ones are left out."""
    from lading import bundles
    from lading.tools.cli import bundling, tables
    from lading.tools.cli.answers import note, write_json
    from lading.tools.cli.homes import looking

    with looking(frame) as reading:
        rows = bundles.listing(reading, limit=limit)
        if frame.json:
            for row in rows:
                write_json(row)
        elif not tables.show(bundling.COLUMNS, map(bundling.cells, rows)):
            note(frame, "there is nothing to list")


@_own
@verb()
@named
def show(frame: Frame, bundle: str) -> None:
    """Show all there is to know of a bundle, and its members."""
    from lading import bundles
    from lading.tools.cli import bundling, rows, tables, units
    from lading.tools.cli.answers import note, plain, write_json
    from lading.tools.cli.homes import ABANDONED, looking, unworked

    with looking(frame) as reading:
        row = bundling.whole(reading, bundles.find(reading, bundle))
    nobody = unworked(frame, {download["state"] for download in row["downloads"]})
    if nobody == ABANDONED:
        row |= {"rate": None, "eta": None}
    if frame.json:
        write_json(row)
        return
    for name in ("id", "name", "policy", "state", "why", "hint", "path"):
        if row[name] is not None:
            print(f"{name + ':':<10} {_hint(row) if name == 'hint' else plain(row[name])}")
    print(f"{'there:':<10} {row['completed']} of {row['members']}")
    figures = [units.share(row["received"], row["total"])]
    figures += [units.percent(row["percent"])] if row["percent"] is not None else []
    figures += [units.rate(row["rate"]), units.left(row["eta"])] if row["rate"] is not None else []
    print(f"{'done:':<10} {', '.join(filter(None, figures))}")
    tables.show(rows.COLUMNS, map(rows.cells, row["downloads"]))
    if nobody is not None:
        note(frame, nobody)


@_own
@verb()
@named
def retry(frame: Frame, bundle: str) -> None:
    """Try a bundle again that failed: the members that failed, or what kept it from becoming visible.

    What is whole is not fetched again. Members run when their turn comes in the engine of the home.
    """
    from lading.tools.cli import bundling

    async def act(engine: Engine, id: UUID) -> None:
        await engine.retry_bundle(id)

    bundling.say(frame, bundling.carry_out(frame, bundle, act))


@_own
@verb()
@named
@no_wait
def pause(frame: Frame, bundle: str, *, no_wait: bool) -> None:
    """Let all members of a bundle rest; those that run have stopped writing when this returns."""
    from lading.domain.commands import Pause
    from lading.tools.cli import bundling

    async def act(engine: Engine, id: UUID) -> None:
        await bundling.command_members(engine, id, Pause(), engine.pause, wait=not no_wait)

    bundling.say(frame, bundling.carry_out(frame, bundle, act, wait=not no_wait))


@_own
@verb()
@named
def resume(frame: Frame, bundle: str) -> None:
    """Let all paused or waiting members of a bundle go on, when their turn comes in the engine of the home."""
    from lading.domain.commands import Resume
    from lading.tools.cli import bundling

    async def act(engine: Engine, id: UUID) -> None:
        await bundling.command_members(engine, id, Resume(), engine.resume)

    bundling.say(frame, bundling.carry_out(frame, bundle, act))


@_own
@verb()
@named
@no_wait
def cancel(frame: Frame, bundle: str, *, no_wait: bool) -> None:
    """Give all members of a bundle up that are not there, and put aside what was received of them."""
    from lading.domain.commands import Cancel
    from lading.tools.cli import bundling

    async def act(engine: Engine, id: UUID) -> None:
        await bundling.command_members(engine, id, Cancel(), engine.cancel, wait=not no_wait)

    bundling.say(frame, bundling.carry_out(frame, bundle, act, wait=not no_wait))


@_own
@verb()
@named
@click.option("--files", is_flag=True, help="Remove the files of completed ones from the disk too.")
@no_wait
def remove(frame: Frame, bundle: str, *, files: bool, no_wait: bool) -> None:
    """Take a bundle out of the queue and put aside what is incomplete; what is complete stays on the disk."""
    from lading.domain.commands import Remove
    from lading.tools.cli import bundling

    async def act(engine: Engine, id: UUID) -> None:
        await bundling.command_members(engine, id, Remove(files=files), engine.remove, files=files, wait=not no_wait)

    bundling.say(frame, bundling.carry_out(frame, bundle, act, wait=not no_wait))
