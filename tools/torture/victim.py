"""The victim: an engine in a process of its own, that tells each acknowledgement and may be killed at any step.

    python -m lading.tools.torture.victim '{"home": …, "downloads": …, …}'        (a `Plan`)

It speaks on stdout, one JSON object a line, and only after what it says is so. Between its recovery and its work it
waits for a line on stdin, so that the parent can look at what recovery made of home and folder while nobody works. A
client, which asks and looks beside an engine that works, waits for that line before it opens the home.

Progress is checkpointed far more often than in earnest, pieces are small, and more connections are soon tried: there is
more to get wrong in a second.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import trio

from lading.tools.torture.cargo import Item, consignment
from lading.tools.torture.steps import ANCHOR, CLIENT, ENGINE, Axe, Step

if TYPE_CHECKING:
    from lading.domain.download import Download
    from lading.engine import Engine

LONGEST_S = 40.0
RETRIES = 100
CONCURRENCY = 10
POLL_S = 0.02
SIGNED_S = 0.05
STALL_S = 10.0
CHECKPOINT_BYTES = 128 << 10
CELL_BYTES = 256 << 10
BACKOFF_S = 0.2
LOOK_S = 0.15
STARTED, RECOVERED, ASKED, ACKNOWLEDGED, CLOSED, STUCK = (
    "started", "recovered", "asked", "acknowledged", "closed", "stuck",
)  # fmt: skip
"""What a line can tell, under `is`."""


@attrs.frozen(kw_only=True)
class Plan:
    """What a victim is to do.

    Attributes:
        home, downloads: Where, absolute.
        root: The origin's, with a slash at its end.
        seed: Of the life.
        batch: Number of the consignment to submit.
        share: Of the kinds of cargo, how many that consignment has; 0 for none.
        kill: The step to die at, as text; empty for none.
        last: Whether to see everything to its end, so that nothing but the resting rests.
        role: Engine or client.
        accompanied: Of an engine: whether the consignment is a client's business; then it works until told that the
            client has done with it, by a second line.
    """

    home: str
    downloads: str
    root: str
    seed: str
    batch: int
    share: float
    kill: str = ""
    last: bool = False
    role: str = ENGINE
    accompanied: bool = False


def main(text: str) -> None:
    """Do as the plan says."""
    plan = Plan(**json.loads(text))
    faulthandler.dump_traceback_later(LONGEST_S + 10, exit=True)
    axe = Axe(plan.home, plan.downloads, Step.parse(plan.kill) if plan.kill else None)
    axe.install()
    _hasten()
    axe.install_commits()
    trio.run(_live, plan, axe)


def _hasten() -> None:
    """Make checkpoints frequent, pieces small and backoff short, in this process."""
    from lading.domain import allotment, checkpoints, faults, growth, pieces

    faults.LONGEST_BACKOFF_S = BACKOFF_S
    checkpoints.LARGE_BYTES = CHECKPOINT_BYTES
    checkpoints.MOST_PER_SECOND = 1000
    pieces.SMALLEST_CELL = CELL_BYTES
    growth.LOOK_S, growth.WORTH_S = LOOK_S, 3 * LOOK_S
    allotment.LEAST_BYTES = CELL_BYTES


def _say(what: str, **more: Any) -> None:
    os.write(1, json.dumps({"is": what, **more}).encode() + b"\n")


async def _hear() -> None:
    """Wait for a line from the parent."""
    await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)


def _hold_after_recovery(axe: Axe) -> None:
    """Have the engine say when it has recovered, and begin to work only when told."""
    from lading.scheduler import Scheduler

    original = Scheduler.run

    async def run(scheduler: Scheduler, *, task_status: trio.TaskStatus[None]) -> None:
        _say(RECOVERED, counts=_told(axe))
        await _hear()
        await original(scheduler, task_status=task_status)

    setattr(Scheduler, "run", run)  # noqa: B010 # mypy would not have a method assigned


async def _live(plan: Plan, axe: Axe) -> None:
    from lading.bootstrap import open_engine
    from lading.domain.anchors import Anchor
    from lading.settings import Settings

    _hold_after_recovery(axe)
    role = "owner" if plan.role == ENGINE else "client"
    settings = Settings(
        concurrency=CONCURRENCY,
        retries=RETRIES,
        poll_s=POLL_S,
        stall_timeout_s=STALL_S,
        disk_free_percent=0,
        memory_percent=100,
        checkpoint_s=SIGNED_S,
        tables={"anchors": {ANCHOR: Anchor(file=f"{plan.home}.{ANCHOR}")}},
    )
    _say(STARTED)
    if plan.role == CLIENT:
        await _hear()
    async with open_engine(plan.home, downloads=plan.downloads, role=role, settings=settings) as engine:
        with trio.move_on_after(LONGEST_S) as limit:
            async with trio.open_nursery() as nursery:
                for item in () if plan.accompanied else consignment(plan.seed, plan.batch, plan.share):
                    nursery.start_soon(_Errand(engine, plan, item).run)
                nursery.start_soon(_meddle, engine, plan)
            if plan.accompanied:
                await _hear()
            if plan.role == ENGINE:
                await engine.wait_idle()
        if limit.cancelled_caught:
            _say(STUCK, listing=[f"{row['url']}: {row['state']}, {row['why']}" for row in await engine.listing()])
            return
    _say(CLOSED, counts=_told(axe))


def _told(axe: Axe) -> list[tuple[str, str, int]]:
    return [(*kind, count) for kind, count in sorted(axe.counts.items())]


async def _ask(verb: str, asking: Callable[[], Awaitable[list[Download]]], *names: str) -> list[Download]:
    """Ask an engine, and tell what it acknowledged: each download's version, and a digest of its state at that."""
    from lading.adapters.codec import dump_download
    from lading.domain.errors import UsageError

    _say(ASKED, verb=verb, names=names)
    try:
        downloads = await asking()
    except UsageError:
        return []
    for download in downloads:
        state = hashlib.sha256(dump_download(download)).hexdigest()
        _say(ACKNOWLEDGED, verb=verb, id=download.id.hex, version=download.version, state=state)
    return downloads


class _Errand:
    """What is done about one item: it is submitted, and its verb is asked of it."""

    def __init__(self, engine: Engine, plan: Plan, item: Item) -> None:
        self._engine = engine
        self._item = item
        self._root = plan.root
        self._url = plan.root + item.resource.name

    async def run(self) -> None:
        """Run the errand."""
        engine, item, name = self._engine, self._item, self._item.resource.name
        downloads = await _ask("submit", self._submit, name)
        ids = [download.id for download in downloads]
        if item.kind == "keyed":
            assert ids == [again.id for again in await _ask("submit", self._submit, name)], "one key, one download"
        await trio.sleep(item.after_s)
        match item.verb:
            case "pause":
                await _ask("pause", lambda: engine.pause(*ids), name)
                await trio.sleep(item.after_s)
                await _ask("resume", lambda: engine.resume(*ids), name)
            case "rest":
                await _ask("pause", lambda: engine.pause(*ids), name)
            case "cancel":
                await _ask("cancel", lambda: engine.cancel(*ids), name)
            case "remove":
                await _ask("remove", lambda: engine.remove(*ids), name)
            case "shed":
                for id in ids:
                    await engine.wait(id)
                await _ask("remove", lambda: engine.remove(*ids, files=True), name)
            case _:
                pass

    async def _submit(self) -> list[Download]:
        from lading.domain.requests import Request

        mirrors = self._root + self._item.mirror.name if self._item.mirror else ()
        return [await self._engine.submit(Request(self._url, mirrors=mirrors, **self._item.options))]


async def _meddle(engine: Engine, plan: Plan) -> None:
    """Ask things of downloads that earlier victims left; in the last life let everything go on that does not rest.

    What is asked for at this moment has its own errands, which may wait for an end that a pause would keep away.
    """
    chance = random.Random(f"{plan.seed}/meddle/{plan.batch}")
    for row in await engine.listing():
        id, name = UUID(row["id"]), row["url"].rpartition("/")[2]
        if name.startswith(f"{plan.batch}-"):
            continue
        if row["state"] == "paused" and "-resting" not in name and (plan.last or chance.random() < 0.5):
            await _ask("resume", lambda id=id: engine.resume(id), name)  # type: ignore[misc]
        elif not plan.last and "-overwrite" in name and chance.random() < 0.5:
            await _ask("cancel", lambda id=id: engine.cancel(id), name)  # type: ignore[misc]
        elif not plan.last and chance.random() < 0.1:
            await _ask("pause", lambda id=id: engine.pause(id), name)  # type: ignore[misc]
        elif not plan.last and chance.random() < 0.2:
            priority = chance.randint(-9, 9)
            await _ask("prioritise", lambda id=id, at=priority: engine.prioritise(at, id), name)  # type: ignore[misc]


if __name__ == "__main__":
    main(sys.argv[1])
