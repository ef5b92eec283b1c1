"""`lading bench link`: a file from far away, by as many connections as Lading finds worth it, and by one.

Over a line of 50 ms round trip, twice: where each connection is limited, more of them should bring more; where all
together are, trying should cost next to nothing.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from lading.tools.bench.delay import delayed
from lading.tools.bench.log import refuse_memory
from lading.tools.bench.races import Contender, Placing, race
from lading.tools.bench.transfer import OURS, lading, whole
from lading.tools.bench.web import serving
from lading.tools.origin import Resource

MB = 1_000_000
SIZE = 96 * 1024 * 1024
ROUND_TRIP_S = 0.05
OF_EACH, OF_ALL = 4 * MB, 8 * MB
ONE = "lading, one connection"
LEAST_GAIN, MOST_LOSS = 0.5, 1.05
"""What our time may be of that by one connection, where connections are limited, and where the line is."""


def run(
    folder: Path, *, turns: int = 5, size: int = SIZE, say: Callable[[str], None] = lambda _: None
) -> list[Placing]:
    """Measure in a new folder below `folder`, which must lie on a disk, and return how everybody did."""
    refuse_memory(folder)
    far = Resource("far", size, "bench")
    placings: list[Placing] = []
    with tempfile.TemporaryDirectory(prefix="lading-bench-", dir=folder) as place:
        root = Path(place)
        (root / "web").mkdir()
        with serving([far], root / "web") as web:
            port = int(web.plain.rstrip("/").rpartition(":")[2])
            for name, rate, shared, bound in (
                (f"{OF_EACH // MB} MB/s for each connection", OF_EACH, False, LEAST_GAIN),
                (f"{OF_ALL // MB} MB/s for all together", OF_ALL, True, MOST_LOSS),
            ):
                with delayed(port, round_trip_s=ROUND_TRIP_S, rate=rate, shared=shared) as near:
                    contenders = list(_contenders(f"http://127.0.0.1:{near}/far"))
                    placings += race(
                        name, contenders, root, turns=turns, bounds={ONE: (bound, None)}, check=whole([far]), say=say
                    )
    return placings


def _contenders(url: str) -> Iterator[Contender]:
    yield Contender(name=OURS, course=lambda folder: lading(folder, url))
    yield Contender(name=ONE, course=lambda folder: lading(folder, "--connections", "1", url))
    if shutil.which("curl"):
        yield Contender(name="curl", course=lambda folder: ["curl", "-sS", "--fail", "-o", str(folder / "far"), url])
    if shutil.which("aria2c"):
        aria = ["aria2c", "-q", "-x", "6", "-s", "6"]
        yield Contender(name="aria2c, six", course=lambda folder: [*aria, "-d", str(folder), "-o", "far", url])
