"""`lading bench crowd`: a thousand slow downloads at once in one process, and what they cost and do to each other.

    python -m lading.tools.bench.crowd HOME ROOT COUNT SECONDS        (the process that is measured)

The server gives every download the same few kilobytes a second; that it can give them to all is one of the figures,
without which the others say little. What is looked at is the memory of the process, how many checkpoints a second it
writes, how long its event loop lets a task wait, and whether anybody is left behind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import trio

from lading.tools.bench.log import refuse_memory
from lading.tools.bench.report import Figure
from lading.tools.bench.scale import MIB, anonymous_bytes
from lading.tools.bench.web import serving
from lading.tools.origin import Resource

COUNT = 1_000
SECONDS = 60.0
RATE = 24 * 1024
SIZE = 64 * 1024 * 1024
TICK_S = 0.01
LOOK_S = 0.5


def run(
    folder: Path, *, count: int = COUNT, seconds: float = SECONDS, say: Callable[[str], None] = lambda _: None
) -> list[Figure]:
    """Measure `count` downloads for so many seconds below `folder`, and return the figures with their bounds."""
    refuse_memory(folder)
    with tempfile.TemporaryDirectory(prefix="lading-bench-", dir=folder) as place:
        site = Path(place, "web")
        site.mkdir()
        with serving([Resource("slow", SIZE)], site, rate=RATE, connections=count) as web:
            say(f"{count:,} downloads at once from {web.server}, for {seconds:.0f} s")
            command = [sys.executable, "-m", "lading.tools.bench.crowd", place, web.plain, str(count), str(seconds)]
            told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return [
        Figure(name=f"anonymous memory with {count:,} downloads", value=told["anonymous"] / MIB, unit="MiB", bound=200),
        Figure(
            name="bytes a second of all of them",
            value=told["rate"] / MIB,
            unit="MiB",
            bound=0.8 * count * RATE / MIB,
            at_most=False,
        ),
        Figure(name="most checkpoints in one second", value=told["most"], unit="events", bound=20),
        Figure(name="… of", value=told["checkpoints"], unit="in all"),
        Figure(name="delay of the event loop, 99th percentile", value=told["delay"] * 1e3, unit="ms", bound=50),
        Figure(name="the slowest download, to the median", value=told["slowest"], unit="×", bound=0.5, at_most=False),
        Figure(name="CPU of the process", value=told["cpu"] / seconds, unit="cores"),
    ]


class _Watch:
    """What is noted while the engine works."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.anonymous = 0

    async def tick(self) -> None:
        while True:
            due_s = trio.current_time() + TICK_S
            await trio.sleep_until(due_s)
            self.delays.append(trio.current_time() - due_s)

    async def look(self) -> None:
        while True:
            self.anonymous = max(self.anonymous, anonymous_bytes(os.getpid()))
            await trio.sleep(LOOK_S)


async def crowd(home: str, root: str, count: int, seconds: float) -> dict[str, float]:
    """Have an engine work on so many downloads for so long, and return what was seen."""
    import lading
    from lading.domain.events import Progressed

    watch, settings = _Watch(), lading.Settings(concurrency=count, disk_free_percent=0, memory_percent=100)
    async with lading.open_engine(f"{home}/home", downloads=f"{home}/files", settings=settings) as engine:
        head = await trio.to_thread.run_sync(engine.reading.log.head)
        await engine.submit_many(
            [lading.Request(f"{root}slow?{number}", path=f"slow-{number}") for number in range(count)]
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.tick)
            nursery.start_soon(watch.look)
            await trio.sleep(seconds)
            received = sorted(row["received"] for row in await engine.listing(state="active"))
            nursery.cancel_scope.cancel()
        facts = await trio.to_thread.run_sync(lambda: list(engine.reading.facts(head, 10**9)))
    written = sorted(fact.at_ns for fact in facts if isinstance(fact.event, Progressed))
    assert len(received) == count, f"{len(received)} of {count} run"
    return {
        "anonymous": watch.anonymous,
        "checkpoints": len(written),
        "most": max(Counter(at_ns // 10**9 for at_ns in written).values(), default=0),
        "delay": sorted(watch.delays)[len(watch.delays) * 99 // 100],
        "rate": sum(received) / seconds,
        "slowest": received[0] / received[len(received) // 2],
        "cpu": sum(os.times()[:2]),
    }


if __name__ == "__main__":
    print(json.dumps(trio.run(crowd, sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))
