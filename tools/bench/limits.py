"""`lading bench limits`: how close a limit is kept, and how evenly it is shared, from crawling to fast.

An engine in this process, with its disk and its log, fetches from an origin in another, by one download and by twenty.
What is measured is what arrives over some seconds, after the first second.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import orjson
import trio

from lading.tools.origin import OriginProcess, Resource

RATES = (256_000, 5_000_000, 100_000_000)
COUNTS = (1, 20)
SECONDS = 10.0
WARM_S, READY_S = 1.0, 30.0
MOST_ERROR, LEAST_EVENNESS = 5.0, 0.95


@attrs.frozen(kw_only=True)
class Kept:
    """How one limit was kept: bytes a second, the error in percent, and Jain's index of how even the shares were."""

    downloads: int
    asked: int
    got: float
    error_percent: float
    evenness: float

    @property
    def held(self) -> bool:
        """Whether that is good enough."""
        return self.error_percent <= MOST_ERROR and self.evenness >= LEAST_EVENNESS


def jain(shares: Sequence[float]) -> float:
    """Return Jain's index: 1 where all shares are equal, one over their number where one has it all."""
    return sum(shares) ** 2 / (len(shares) * (sum(share**2 for share in shares) or 1.0))


def run(
    folder: Path,
    *,
    rates: Sequence[int] = RATES,
    counts: Sequence[int] = COUNTS,
    seconds: float = SECONDS,
    say: Callable[[str], None] = lambda _: None,
) -> list[Kept]:
    """Measure each rate with each number of downloads in a new folder below `folder`, and return how it was kept."""
    kept = []
    with OriginProcess(connections_max=max(counts) + 16) as origin:
        for rate in rates:
            for count in counts:
                say(f"{rate:,} bytes a second, {count} at once, for {seconds:g} s")
                size = max(16_000_000, int(rate * (seconds + 2 * READY_S) / count))
                for number in range(count):
                    origin.put(Resource(f"limited-{number}", size))
                urls = [origin.url(f"limited-{number}") for number in range(count)]
                with tempfile.TemporaryDirectory(prefix="lading-bench-", dir=folder) as place:
                    shares = trio.run(_measure, place, urls, rate, seconds)
                got = sum(shares)
                error = abs(got - rate) / rate * 100
                kept.append(Kept(downloads=count, asked=rate, got=got, error_percent=error, evenness=jain(shares)))
    return kept


async def _measure(place: str, urls: Sequence[str], rate: int, seconds: float) -> list[float]:
    """Have an engine fetch all of these under a limit, and return how many bytes a second of each arrived."""
    import lading

    settings = lading.Settings(concurrency=len(urls), limit_rate=rate, memory_percent=100, disk_free_percent=0)
    async with lading.open_engine(f"{place}/home", downloads=f"{place}/files", settings=settings) as engine:

        async def received() -> dict[str, int]:
            return {row["url"]: row["received"] for row in await engine.listing()}

        await engine.submit_many([lading.Request(url) for url in urls])
        with trio.fail_after(READY_S):
            while True:
                await trio.sleep(0.05)
                if all((await received()).values()):
                    break
        await trio.sleep(WARM_S)
        began_s, before = trio.current_time(), await received()
        await trio.sleep(seconds)
        ended_s, after = trio.current_time(), await received()
        return [(after[url] - before[url]) / (ended_s - began_s) for url in urls]


def show(results: Sequence[Kept], *, json: bool) -> int:
    """Print results, a row or an object each, and return the exit code: 1 when a limit was not kept."""
    if not json:
        print(f"{'downloads':>9} {'asked, B/s':>14} {'got, B/s':>14} {'error':>8} {'Jain':>7}")
    for kept in results:
        if json:
            sys.stdout.buffer.write(orjson.dumps(attrs.asdict(kept) | {"held": kept.held}) + b"\n")
        else:
            print(
                f"{kept.downloads:9} {kept.asked:14,} {kept.got:14,.0f} {kept.error_percent:6.2f} % "
                f"{kept.evenness:7.4f}  {'held' if kept.held else 'MISSED'}"
            )
    return 0 if all(kept.held for kept in results) else 1
