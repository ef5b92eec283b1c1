"""Bundles at the command line: what is asked for, out of options; who carries out what; and how they are shown."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lading.domain.bundle import BundlePolicy
from lading.domain.bundle_requests import MOST_MEMBERS, BundleRequest
from lading.domain.commands import Control
from lading.domain.errors import InvalidURL, UsageError
from lading.tools.cli import destinations, homes, units
from lading.tools.cli.asking import Asked
from lading.tools.cli.frame import Frame
from lading.tools.cli.lists import open_list, read_list
from lading.tools.cli.tables import Column

if TYPE_CHECKING:
    from uuid import UUID

    from lading.domain.download import Download
    from lading.engine import Engine
    from lading.reading import Reading

Row = Mapping[str, Any]
LOOK_S = 0.2
COLUMNS = (
    Column("ID", least=13),
    Column("STATE"),
    Column("THERE", right=True),
    Column("DONE", right=True),
    Column("SIZE", right=True),
    Column("POLICY"),
    Column("NAME", least=14),
)


def wanted(name: str, policy: str, urls: Sequence[str], source: str | None, options: dict[str, Any]) -> BundleRequest:
    """Return the bundle that is asked for by options and lists.

    Raises:
        UsageError: an option cannot be meant, a line of the list is no URL, or there are too few or too many of them.
    """
    paths, digests, folder = (options.pop(option) for option in ("paths", "digests", "folder"))
    given = [*urls, *_listed(source)]
    for option, values in (("-o", paths), ("--digest", digests)):
        if values and len(values) != len(given):
            raise UsageError(
                f"{option} is given {len(values)} times for {len(given)} URLs",
                hint=f"give {option} once for each URL, in the same order, or not at all",
            )
    destinations.check(None, folder, options["if_exists"])
    within = folder if BundlePolicy(policy) is not BundlePolicy.ALL_OR_NOTHING else None
    one = {**options, "folder": within, "path": None, "digest": None, "mirrors": (), "key": None}
    asked = Asked(one, several=True)
    if not (paths or digests):
        requests = [asked.request(url) for url in given]
    else:
        requests = [
            Asked({**one, "path": path, "digest": digest}, several=False).request(url)
            for url, path, digest in zip(
                given, paths or [None] * len(given), digests or [None] * len(given), strict=True
            )
        ]
    return BundleRequest(name, requests, policy=policy, folder=folder)


def _listed(source: str | None) -> Iterator[str]:
    """Yield the URLs of a list, one more than a bundle may have at most."""
    if source is None:
        return
    left = MOST_MEMBERS + 1
    with open_list(source) as file:
        for lines in read_list(file):
            for line in lines[:left]:
                if line.url is None:
                    told = f"line {line.number} of the list is no text, or too long to be a URL"
                    raise InvalidURL(told, hint="a bundle is queued whole or not at all: mend or drop that line")
                yield line.url
            left -= len(lines)
            if left <= 0:
                return


def carry_out(
    frame: Frame, text: str, act: Callable[[Engine, UUID], Awaitable[object]], *, wait: bool = True
) -> dict[str, Any]:
    """Find the bundle that is meant, have `act` do it, and return the bundle's row after that.

    Raises:
        UnknownDownload: there is none that is called that.
    """
    import trio

    from lading import bundles
    from lading.projections import bundles as view

    homes.existing(frame)

    def find(reading: Reading) -> UUID:
        reading.catch_up()
        return bundles.find(reading, text)

    def again(reading: Reading, id: UUID) -> dict[str, Any]:
        reading.catch_up()
        return view.listing(*bundles.look(reading, id))

    async def main() -> dict[str, Any]:
        async with homes.working(frame, role="auto" if wait else "client", start=False) as engine:
            id = await trio.to_thread.run_sync(find, engine.reading)
            await act(engine, id)
            return await trio.to_thread.run_sync(again, engine.reading, id)

    return trio.run(main)


async def command_members(
    engine: Engine, id: UUID, command: Control, act: Callable[..., Awaitable[object]], **more: Any
) -> None:
    """Have `act` carry out a command on all members of a bundle to which it applies."""
    import trio

    from lading import bundles
    from lading.tools.cli.control import applicable

    found = await trio.to_thread.run_sync(lambda: applicable(bundles.members(engine.reading, id), command))
    if found:
        await act(*(download.id for download in found), **more)


def whole(reading: Reading, id: UUID) -> dict[str, Any]:
    """Return all there is to know of a bundle, its members in `downloads`, with rates as the log knows them; blocks."""
    from lading import bundles
    from lading.domain import estimate
    from lading.projections import bundles as view
    from lading.projections import progress

    row = view.listing(*bundles.look(reading, id))
    downloads = [progress.listing(download, time.time_ns()) for download in bundles.members(reading, id)]
    rates = [each["rate"] for each in downloads if each["rate"] is not None]
    rate = sum(rates) if rates else None
    return row | {"rate": rate, "eta": estimate.eta(row["received"], row["total"], rate), "downloads": downloads}


async def until_over(engine: Engine, id: UUID) -> None:
    """Wait until nothing more happens with a bundle, and with those of its members that a failure left under way."""
    import trio

    from lading import bundles

    def is_over() -> bool:
        engine.reading.catch_up()
        return all(d.ended or d.staged or d.stuck for d in bundles.members(engine.reading, id))

    await engine.wait_bundle(id)
    while not await trio.to_thread.run_sync(is_over):  # noqa: ASYNC110 # it may happen in another process
        await trio.sleep(LOOK_S)


def cells(row: Row) -> tuple[str, ...]:
    """Return the cells of a row of `bundle list`."""
    return (
        row["id"],
        row["state"],
        f"{row['completed']}/{row['members']}",
        units.percent(row["percent"]) if row["total"] is not None else units.size(row["received"]),
        units.size(row["total"]),
        row["policy"],
        row["name"],
    )


def say_members(frame: Frame, row: Row, downloads: Sequence[Download]) -> None:
    """Print a new bundle and its members: their ids, or their objects."""
    from lading.tools.cli.answers import answer

    answer(frame, row, row["id"])
    for download in downloads:
        order = download.order
        told = {"id": str(download.id), "key": order.key, "url": order.url, "state": download.state.shown}
        answer(frame, told, str(download.id))


def say(frame: Frame, row: Row) -> None:
    """Print how a bundle stands, in one line."""
    from lading.tools.cli.answers import answer, plain

    answer(frame, row, plain(f"{row['id']} {row['state']}: {row['why']}"))
