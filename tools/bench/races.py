"""Races of whole programs: each run is a process of its own, timed from its start to its end, in turn with the others.

Wall time is ours, CPU time (user and system, children included) the kernel's account of the process (wait4(2)). The
peak of resident memory is what its status said last: the account of a child begins with the memory of who started it.

What a run has made is emptied after it, and removed when the race has ended. A file system may refuse for a minute to
use an inode again (ext4 without a journal does), and makes the next run look for another, past thousands of them.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from lading.domain.errors import LadingError

SAID_BYTES = 500
LOOK_S = 0.05

Course = Callable[[Path], Sequence[str]]
"""Returns the command of one run, given an empty folder for what it makes."""


class RunFailed(LadingError):
    """A program that was to be measured did not do its work."""


@attrs.frozen(kw_only=True)
class Contender:
    """A program that takes part: its name, its command, and what is added to its environment."""

    name: str
    course: Course
    environ: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Cost:
    """What one run took; seconds and bytes."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


@attrs.frozen(kw_only=True)
class Placing:
    """How a contender did: medians over all turns, and the ratio of the first contender's wall time to its own.

    `bound` is the most that the ratio may be, `aim` what it is hoped to be; `ratios` are those of the turns.
    """

    race: str
    contender: str
    wall_s: float
    cpu_s: float
    peak_bytes: int
    ratio: float
    ratios: tuple[float, ...]
    bound: float | None = None
    aim: float | None = None

    @property
    def held(self) -> bool | None:
        """Whether the bound is kept; None when there is none."""
        return None if self.bound is None else self.ratio <= self.bound


Bounds = Mapping[str, tuple[float, float | None]]
"""By contender, the most that our wall time may be of its own, and what is hoped for."""


def race(
    name: str,
    contenders: Sequence[Contender],
    folder: Path,
    *,
    turns: int,
    bounds: Bounds,
    check: Callable[[Path], None],
    say: Callable[[str], None],
) -> list[Placing]:
    """Let contenders run in turn, ours first, after one warm-up each, and return how they did.

    Args:
        name: of the race.
        contenders: ours, and its peers.
        folder: where each run has a folder of its own, until the race has ended.
        turns: how many runs of each count.
        bounds: what is asked of us.
        check: looks at what a run has made, and raises when it is not what it was to be.
        say: told what is going on.
    """
    costs: dict[str, list[Cost]] = {contender.name: [] for contender in contenders}
    with tempfile.TemporaryDirectory(prefix="race-", dir=folder) as place:
        for turn in range(turns + 1):
            say(f"{name}: turn {turn} of {turns}" if turn else f"{name}: warming up")
            for number, contender in enumerate(contenders):
                cost = _run(contender, Path(place, f"{turn}-{number}"), check)
                if turn:
                    costs[contender.name].append(cost)
    ours = costs[contenders[0].name]
    return [_placing(name, contender.name, ours, costs[contender.name], bounds) for contender in contenders]


def _placing(race: str, name: str, ours: Sequence[Cost], theirs: Sequence[Cost], bounds: Bounds) -> Placing:
    ratios = tuple(mine.wall_s / other.wall_s for mine, other in zip(ours, theirs, strict=True))
    bound, aim = bounds.get(name, (None, None))
    return Placing(
        race=race,
        contender=name,
        wall_s=statistics.median(cost.wall_s for cost in theirs),
        cpu_s=statistics.median(cost.cpu_s for cost in theirs),
        peak_bytes=int(statistics.median(cost.peak_bytes for cost in theirs)),
        ratio=statistics.median(ratios),
        ratios=ratios,
        bound=bound,
        aim=aim,
    )


def _run(contender: Contender, folder: Path, check: Callable[[Path], None]) -> Cost:
    folder.mkdir()
    try:
        command = contender.course(folder)
        began_s = time.perf_counter()
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env={**os.environ, **contender.environ},
                cwd=folder,
            )
            peak = _Peak(process.pid)
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                process.wait()
                raise
            finally:
                peak_bytes = peak.stop()
            wall_s = time.perf_counter() - began_s
            said.seek(max(0, said.tell() - SAID_BYTES))
            words = said.read().decode(errors="replace").strip()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RunFailed(f"{contender.name} ended with {process.returncode}: {words}")
        check(folder)
        return Cost(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime, peak_bytes=peak_bytes)
    finally:
        _empty(folder)
        os.sync()


def _empty(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1:
            os.truncate(path, 0)


class _Peak:
    """Looks at the high-water mark of a process's resident memory until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._bytes = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Return the last mark that was seen, in bytes."""
        self._stopped.set()
        self._thread.join()
        return self._bytes

    def _look(self) -> None:
        while not self._stopped.wait(LOOK_S):
            with contextlib.suppress(OSError):
                for line in self._status.read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self._bytes = int(line.split()[1]) * 1024
