"""A process that forks victims for `test_bundle_kills`: each opens a home, tells where it stands, and may be killed.

It reads one JSON object a line from stdin, forks, and says how the child ended; so a hundred engines cost one import.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from lading import BundleRequest, Request, bundles, bundling, open_engine, scheduler
from lading.engine import Engine


def say(**words: Any) -> None:
    """Say something in one write, so that no kill leaves half a line."""
    os.write(1, json.dumps(words).encode() + b"\n")


async def stage(home: str, downloads: str, policy: str, members: list[list[str]]) -> None:
    """Fetch all members of a bundle, and leave what is to be done with it to another engine."""
    bundling.Bundling.wanted = lambda *_: []  # type: ignore[method-assign]
    async with open_engine(home, downloads=downloads, role="owner") as engine:
        requests = [Request(url, path=path) for url, path in members]
        id = (await engine.submit_bundle(BundleRequest("film", requests, policy=policy))).id
        while (await engine.bundle(id)).state != "publishing":
            await trio.sleep(0.02)


async def publish(home: str, downloads: str) -> None:
    """Do what there is to do with the bundle, after having told what is visible once recovery is over."""
    run = scheduler.Scheduler.run

    async def told(self: Any, *, task_status: Any) -> None:
        files = [str(p.relative_to(downloads)) for p in Path(downloads).rglob("*") if p.is_file()]
        say(pid=os.getpid(), files=sorted(files))
        await run(self, task_status=task_status)

    scheduler.Scheduler.run = told  # type: ignore[method-assign]
    async with open_engine(home, downloads=downloads, role="owner", start=False) as engine:
        (row,) = await trio.to_thread.run_sync(_rows, engine)
        await engine.wait_bundle(_id(row))


def _rows(engine: Engine) -> list[dict[str, Any]]:
    engine.reading.catch_up()
    return list(bundles.listing(engine.reading))


def _id(row: dict[str, Any]) -> Any:
    from uuid import UUID

    return UUID(row["id"])


DOES: dict[str, Callable[..., Awaitable[None]]] = {"stage": stage, "publish": publish}


def main() -> None:
    """Fork for each line."""
    for line in sys.stdin:
        words = json.loads(line)
        child = os.fork()
        if not child:
            try:
                trio.run(lambda: DOES[words.pop("do")](**words))  # noqa: B023 # it runs at once
            except BaseException as error:
                say(error=repr(error))
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say(ended=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
