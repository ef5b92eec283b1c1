"""`lading bench export`: a million events to Parquet, timed as whole processes.

The rate is told twice: by the clock on the wall, and by CPU time, which other programs change less. So is the memory:
what is the process's own, and the most that was resident in all, libraries and mapped pages of the log included.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lading.adapters.system import SystemChance
from lading.domain.errors import LadingError
from lading.home import open_home
from lading.opening import open_reading
from lading.tools.bench import history
from lading.tools.bench.log import refuse_memory
from lading.tools.bench.report import Figure

PAGE = 1_000
LOOK_S = 0.02
MIB = 1024 * 1024


class Cost(NamedTuple):
    """What one run cost."""

    wall_s: float
    cpu_s: float
    own_bytes: int
    resident_bytes: int


def run(
    folder: Path, *, count: int = 1_000_000, turns: int = 3, say: Callable[[str], None] = lambda _: None
) -> list[Figure]:
    """Export `count` events of a home below `folder`, `turns` times, and return the figures with their bounds."""
    refuse_memory(folder)
    with tempfile.TemporaryDirectory(prefix="lading-bench-", dir=folder) as place:
        root = Path(place)
        home = root / "home"
        say(f"recording {count:,} events")
        count = _fill(home, count)
        costs = []
        for turn in range(1, turns + 1):
            say(f"exporting, {turn} of {turns}")
            costs.append(_cost(_lading(home, "export", "events", "--to", str(root / "events.parquet"), "--force")))
        size = (root / "events.parquet").stat().st_size
        say("checking")
        checked = _cost(_lading(home, "verify", "--export", str(root / "events.parquet")))
        return [
            *_figures(count, costs, size),
            Figure(name="… checked against the log", value=count / checked.wall_s, unit="events/s"),
            Figure(name="… own memory of that", value=checked.own_bytes / MIB, unit="MiB", bound=300),
        ]


def _figures(count: int, costs: list[Cost], size: int) -> list[Figure]:
    wall_s, cpu_s = (statistics.median(getattr(cost, name) for cost in costs) for name in ("wall_s", "cpu_s"))
    own, resident = (max(getattr(cost, name) for cost in costs) for name in ("own_bytes", "resident_bytes"))
    return [
        Figure(
            name=f"{count:,} events to Parquet", value=count / wall_s, unit="events/s", bound=100_000, at_most=False
        ),
        Figure(name="… by CPU time", value=count / cpu_s, unit="events/s"),
        Figure(name="… own memory at most", value=own / MIB, unit="MiB", bound=300),
        Figure(
            name="… resident at most, libraries and mapped pages included", value=resident / MIB, unit="MiB", bound=300
        ),
        Figure(name="… size of the file", value=size / count, unit="B/event"),
    ]


def _fill(home: Path, count: int) -> int:
    """Record events, five for each download, fold them as any home has them folded, and return how many there are."""
    reading = open_reading(open_home(home, new_id=SystemChance().uuid(history.START_NS)))
    try:
        requests = history.requests(-(-count // 5))
        while page := list(islice(requests, PAGE)):
            reading.log.append(page)
        reading.catch_up()
        return reading.log.head()
    finally:
        reading.close()


def _lading(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "lading", "--home", str(home), *words]


def _cost(command: list[str]) -> Cost:
    """Run a command to its end, watching its memory."""
    began_s = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    own = resident = 0
    ended = threading.Event()

    def watch() -> None:
        nonlocal own, resident
        while not ended.wait(LOOK_S):
            seen = _memory(process.pid)
            own, resident = max(own, seen[0]), max(resident, seen[1])

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began_s
    ended.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise LadingError(f"`{' '.join(command[3:])}` ended with exit code {process.returncode}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, own, resident)


def _memory(pid: int) -> tuple[int, int]:
    """Return the anonymous and the resident memory of a process in bytes, 0 when it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("RssAnon", "VmHWM"))}
    return found.get("RssAnon", 0), found.get("VmHWM", 0)
