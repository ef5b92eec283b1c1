"""`lading bench verify`: a home with a million events, and what it costs to hold it against everything.

The verb is run as people run it, as a process that starts another; time is that of the whole, memory the most that all
of its processes had resident at one moment, the pages of mapped files among them.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lading.tools.bench.log import refuse_memory
from lading.tools.bench.report import Figure
from lading.tools.bench.scale import past

LOOK_S = 0.02
MIB = 1024 * 1024
MOST_S, MOST_MIB = 30.0, 200.0


def run(folder: Path, *, count: int = 1_000_000, say: Callable[[str], None] = lambda _: None) -> list[Figure]:
    """Measure on a home with `count` events below `folder`, and return the figures with their bounds."""
    refuse_memory(folder)
    with tempfile.TemporaryDirectory(prefix="lading-bench-", dir=folder) as place:
        say(f"writing {count:,} events")
        home = past(Path(place) / "home", count)
        figures: list[Figure] = []
        for words, bound in (((), MOST_S), (("--views",), None)):
            say(f"verify {' '.join(words)}".strip())
            command = [sys.executable, "-m", "lading", "--home", str(home.path), "verify", *words]
            took_s, cpu_s, most_bytes = _measured(command)
            name = f"verify {' '.join(words)}".strip() + f" of {count:,} events"
            figures += [
                Figure(name=name, value=took_s, unit="s", bound=bound),
                Figure(name="… time of the processors", value=cpu_s, unit="s"),
                Figure(name="… resident memory", value=most_bytes / MIB, unit="MiB", bound=MOST_MIB),
            ]
        return figures


def _measured(command: list[str]) -> tuple[float, float, int]:
    """Run a command, and return the seconds that it took, by the clock and of CPU, and the most memory that it had."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_s, most = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            most = max(most, sum(map(_resident_bytes, _family(process.pid))))
            time.sleep(LOOK_S)
        error = process.stderr.read().decode() if process.stderr is not None else ""
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {error}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began_s, cpu_s, most


def _family(pid: int) -> Iterator[int]:
    """Yield a process and those that it started."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children.split():
        yield from _family(int(child))


def _resident_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmRSS")), 0)
