"""A home with a past: real downloads by a real engine from three origins, one quick, one slow and one that breaks.

Nothing is made up: the files come over sockets, the failures are those of servers, the times are those that it took.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import trio

from lading.bootstrap import open_engine
from lading.domain import urls
from lading.domain.requests import Request
from lading.tools.origin import Behaviour, Drop, Origin, Refusal, Resource

KIB = 1024
EACH = 12
CONCURRENCY = 6


class Past(NamedTuple):
    """A home, and what the origins are called whose hosts are in its history."""

    home: Path
    names: Mapping[str, str]


def make(folder: Path) -> Past:
    """Make the home below `folder`."""
    with ExitStack() as stack:
        quick, slow, broken = (
            stack.enter_context(Origin([Resource(f"{n}.bin", (64 + 48 * n) * KIB, seed=name) for n in range(EACH)]))
            for name in ("quick", "slow", "broken")
        )
        for number in range(EACH):
            slow.set(f"{number}.bin", Behaviour(rate=(300 + 60 * number) * KIB))
            broken.set(f"{number}.bin", _broken(number))
        wanted = [
            Request(
                origin.url(f"{number}.bin"),
                path=f"{tag}-{number}.bin",
                tags=(tag, "even" if number % 2 == 0 else "odd"),
            )
            for number in range(EACH)
            for tag, origin in (("quick", quick), ("slow", slow), ("broken", broken))
        ]
        wanted.append(Request(quick.url("nowhere"), tags=("quick",)))
        trio.run(_fetch, folder, wanted)
        names = {origin: name for name, origin in (("quick", quick), ("slow", slow), ("broken", broken))}
        return Past(folder / "home", {urls.host(origin.root): name for origin, name in names.items()})


def _broken(number: int) -> Behaviour:
    match number % 3:
        case 0:
            return Behaviour(refusals=(Refusal(status=404, times=None),))
        case 1:
            return Behaviour(drop=Drop(after=40 * KIB, times=2), rate=2000 * KIB)
        case _:
            return Behaviour(refusals=(Refusal(status=503, retry_after_s=0),))


async def _fetch(folder: Path, wanted: list[Request]) -> None:
    calm: dict[str, Any] = {"disk_free_percent": 0, "memory_percent": 100, "cache": "off"}
    async with open_engine(folder / "home", downloads=folder / "files", concurrency=CONCURRENCY, **calm) as engine:
        for download in await engine.submit_many(wanted):
            await engine.wait(download.id)
