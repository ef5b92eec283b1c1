"""`lading bench scale`: a million downloads in the queue, and what it costs to add, choose, claim, list and open.

Everything runs on real homes below a folder on a disk. Adding, listing and running are timed as whole processes, the
way people run them; choosing and claiming inside one, beside a bare durable commit of the same log.
"""

from __future__ import annotations

import functools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from lading.adapters.system import SystemChance, SystemClock
from lading.adapters.threads import WorkerThreads
from lading.domain.commands import Start
from lading.domain.ports import Entry
from lading.domain.scheduling import Candidate, Limits
from lading.home import Home, open_home
from lading.journal import Journal
from lading.opening import open_reading
from lading.reading import Reading
from lading.tools.bench import history
from lading.tools.bench.log import refuse_memory
from lading.tools.bench.report import Figure
from lading.tools.origin import OriginProcess, Resource
from lading.writer import LogWriter

SMALL = 10_000
LAST = 100_000
CLAIMS = 200
RUN_S = 15.0
MIB = 1024 * 1024


def run(folder: Path, *, count: int = 1_000_000, say: Callable[[str], None] = lambda _: None) -> list[Figure]:
    """Measure with `count` downloads in homes below `folder`, and return the figures with their bounds."""
    refuse_memory(folder)
    with tempfile.TemporaryDirectory(prefix="lading-bench-", dir=folder) as place, OriginProcess() as origin:
        origin.put(Resource("file", 1024))
        root = Path(place)
        figures: list[Figure] = []
        small, large, secret = root / "small", root / "large", root / "secret"
        say(f"adding {SMALL:,}")
        _add(small, _urls(root, 0, SMALL, origin.root))
        say(f"adding {count:,}")
        figures += _adding(large, root, count, origin.root)
        say("adding lines that carry secrets")
        lines = min(LAST, count)
        took_s = _add(secret, _urls(root, 0, lines, origin.root, suffix="?token=s3cr3t-{number}"))
        figures.append(Figure(name="bulk add, each with a secret", value=lines / took_s, unit="a second",
                              bound=8_000, at_most=False))  # fmt: skip
        say("choosing and claiming")
        figures += _choosing(small, large)
        say("listing")
        figures += _listing(large)
        say("running")
        figures.append(_running(large))
        say("opening")
        figures += _opening(root, count)
        return figures


def _urls(root: Path, first: int, count: int, origin: str, *, suffix: str = "") -> Path:
    path = root / f"urls-{first}-{count}-{len(suffix)}.txt"
    base = origin.rstrip("/")
    with path.open("w") as file:
        for number in range(first, first + count):
            file.write(f"{base}/file-{number}{suffix.format(number=number)}\n")
    return path


def _lading(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "lading", "--home", str(home), *words]


def _add(home: Path, urls: Path) -> float:
    """Add a list in a process of its own, and return the seconds that it took, start of the program included."""
    home.mkdir(parents=True, exist_ok=True)
    began_s = time.perf_counter()
    command = _lading(home, "add", "-d", str(home / "files"), "-i", str(urls))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began_s


def _adding(home: Path, root: Path, count: int, origin: str) -> list[Figure]:
    last = min(LAST, count // 2)
    first_s = _add(home, _urls(root, 0, count - last, origin))
    last_s = _add(home, _urls(root, count - last, last, origin))
    return [
        Figure(name=f"bulk add of {count:,}", value=count / (first_s + last_s), unit="a second",
               bound=20_000, at_most=False),
        Figure(name=f"… of the last {last:,}", value=last / last_s, unit="a second", bound=20_000, at_most=False),
    ]  # fmt: skip


def _choosing(small: Path, large: Path) -> list[Figure]:
    figures: list[Figure] = []
    for name, place in (("10,000", small), ("all", large)):
        reading = open_reading(_home(place))
        reading.catch_up()
        try:
            chosen_s = median_s(functools.partial(_choose, reading), 1_000)
            claim_s, commit_s = trio.run(_claiming, reading)
        finally:
            reading.close()
        figures += [
            Figure(name=f"choosing the next of {name}", value=chosen_s * 1e3, unit="ms", bound=0.1),
            Figure(name=f"claiming one of {name}, to a bare commit", value=claim_s / commit_s, unit="×", bound=3.0),
        ]
    return figures


def _choose(reading: Reading) -> Candidate | None:
    return next(reading.following({}, Limits()), None)


async def _claiming(reading: Reading) -> tuple[float, float]:
    """Return the median seconds of a claim (choose, decide, seal, append) and of a bare durable commit, in turn."""
    chance, clock, threads = SystemChance(), SystemClock(), WorkerThreads()
    writer = LogWriter(reading.log, threads)
    journal = Journal(reading.log, writer, threads, clock, chance)
    worker = chance.uuid(clock.now_ns())
    claims, commits = [], []
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        for number in range(CLAIMS):
            began_s = time.perf_counter()
            candidate = _choose(reading)
            assert candidate is not None
            state = reading.get(candidate.id)
            start = Start(
                worker=worker, storage="bench", source=0, transport="http", tier=0,
                path=f"claimed-{number}", part=f".claimed-{number}.1.part", reuse=False,
            )  # fmt: skip
            await journal.execute(candidate.id, start, state=state, context=history.CONTEXT)
            claims.append(time.perf_counter() - began_s)
            reading.catch_up()
            entry = _bare(chance, clock)
            began_s = time.perf_counter()
            reading.log.append([[entry]])
            commits.append(time.perf_counter() - began_s)
            reading.catch_up()
        writer.close()
    return statistics.median(claims), statistics.median(commits)


def _bare(chance: SystemChance, clock: SystemClock) -> Entry:
    worker = chance.uuid(clock.now_ns())
    event = history.closed(worker)
    return Entry(worker, 1, type(event).TOPIC, history.seal(event, chance.uuid(clock.now_ns()), clock.now_ns()))


def _listing(home: Path) -> list[Figure]:
    figures = []
    for words in (("--state", "active"), ("--state", "queued", "--limit", "50"), ("--state", "failed")):
        command = _lading(home, "--json", "list", *words)
        took_s = median_s(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), 5)  # noqa: B023
        figures.append(Figure(name=f"list {' '.join(words)}", value=took_s, unit="s", bound=0.5))
    return figures


def _running(home: Path) -> Figure:
    """Let `run` work for some seconds, and return the most anonymous memory that it had."""
    process = subprocess.Popen(_lading(home, "run", "--concurrency", "16"), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    most = 0
    try:
        until_s = time.monotonic() + RUN_S
        while time.monotonic() < until_s and process.poll() is None:
            most = max(most, anonymous_bytes(process.pid))
            time.sleep(0.1)
    finally:
        process.terminate()
        process.wait()
    return Figure(name="anonymous memory of run", value=most / MIB, unit="MiB", bound=200)


def anonymous_bytes(pid: int) -> int:
    """Return the RssAnon of a process in bytes, 0 when it has gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("RssAnon")), 0)


def _opening(root: Path, count: int) -> list[Figure]:
    """Open homes with few and with many past events in turn, views caught up, and compare."""
    homes = {events: past(root / f"past-{events}", events) for events in (SMALL, count)}
    times: dict[int, list[float]] = {events: [] for events in homes}
    for _ in range(15):
        for events, home in homes.items():
            began_s = time.perf_counter()
            reading = open_reading(home)
            reading.catch_up()
            times[events].append(time.perf_counter() - began_s)
            reading.close()
    few, many = (statistics.median(times[events]) for events in (SMALL, count))
    return [
        Figure(name=f"opening a home with {count:,} past events", value=many * 1e3, unit="ms"),
        Figure(name=f"… to one with {SMALL:,}", value=many / few, unit="×", bound=1.5),
    ]


def past(path: Path, events: int) -> Home:
    """Make a home with so many past events, its views caught up."""
    home = open_home(path, new_id=SystemChance().uuid(history.START_NS))
    reading = open_reading(home)
    batch: list[list[Entry]] = []
    for request in history.requests(events // 5):
        batch.append(request)
        if len(batch) == 1_000:
            reading.log.append(batch)
            batch = []
    if batch:
        reading.log.append(batch)
    reading.catch_up()
    reading.close()
    return home


def _home(path: Path) -> Home:
    return open_home(path, new_id=None)


def median_s(work: Callable[[], object], times: int) -> float:
    """Return the median seconds that `work` took."""
    taken: Sequence[float] = [_timed(work) for _ in range(times)]
    return statistics.median(taken)


def _timed(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s
