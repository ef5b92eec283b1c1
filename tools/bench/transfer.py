"""`lading bench transfer`: one large file, the same over https, and many small ones, beside every downloader found.

Each is run as people run it, with its defaults, as a process of its own; Lading digests, flushes and logs every byte,
which the others do not. So one peer is the same work with today's tools, curl, then sha256sum, then sync; one is Lading
itself without its audit; and one is the same work by bare threads without an engine, about the least that Python takes.
"""

from __future__ import annotations

import os
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from mmap import mmap
from pathlib import Path

import attrs

from lading.domain.errors import UsageError
from lading.tools.bench.log import refuse_memory
from lading.tools.bench.races import Bounds, Contender, Placing, race
from lading.tools.bench.report import Figure
from lading.tools.bench.web import Web, serving
from lading.tools.origin import Resource

GIB = 1024**3
KIB = 1024
UNHINDERED = {"LADING_DISK_FREE_PERCENT": "0", "LADING_MEMORY_PERCENT": "100"}
"""A bench measures and does not wait for room."""
LARGE_BYTES = 2 * GIB
SMALL_BYTES = 64 * KIB
SMALL_FILES = 2_000
CONNECTIONS, AT_ONCE = 16, 64
"""How many connections everybody has for many files, and how many downloads of ours are at work with so many: what has
arrived is flushed and published, which the others do not wait for, while the next is received."""
RAW_BYTES = GIB
RAW_STEP = 8 * 1024 * 1024
LEAST_DISK = 1.5
"""The disk must write so many times as fast as curl for the large file to be judged: else the disk is what is timed."""

RACES = ("http", "https", "small")
OURS, UNAUDITED, BARE, TOOLS = "lading", "lading, unaudited", "bare threads", "curl, sha256sum, sync"
NARROW = f"lading, {CONNECTIONS} at once"
_PLAIN: Bounds = {UNAUDITED: (1.25, None), "curl": (0.8, 0.55), "aria2c": (0.5, 0.35), TOOLS: (0.3, 0.2)}
_TLS: Bounds = {"curl": (1.0, 0.8)}
_SMALL: Bounds = {"aria2c": (1.0, 0.7), "curl": (2.0, 1.2), TOOLS: (1.0, None)}

_HTTPX = """
import sys, httpx
with httpx.stream("GET", sys.argv[1], verify=sys.argv[3] or False) as reply, open(sys.argv[2], "wb") as file:
    for chunk in reply.iter_raw(): file.write(chunk)
"""


def run(
    folder: Path,
    *,
    turns: int = 5,
    large: int = LARGE_BYTES,
    files: int = SMALL_FILES,
    only: Collection[str] = RACES,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Placing | Figure]:
    """Measure in a new folder below `folder`, which must lie on a disk; tell after each race how everybody did."""
    refuse_memory(folder)
    if shutil.which("curl") is None:
        raise UsageError("there is no curl to compare with", hint="install curl, and if you can nginx, aria2 and wget")
    big = Resource("large", large, "bench")
    small = [Resource(f"small-{number:05}", SMALL_BYTES, "bench") for number in range(files)]
    with tempfile.TemporaryDirectory(prefix="lading-bench-", dir=folder) as place:
        root = Path(place)
        say("laying out what is served")
        (root / "web").mkdir()
        with serving([big, *small], root / "web") as web:
            say(f"served by {web.server}")
            if "http" in only:
                raw = raw_write_rate(root)
                plain = race("one file, http", list(_large(web, web.plain)), root, turns=turns, bounds=_PLAIN,
                             check=whole([big]), say=say)  # fmt: skip
                yield from _judged_by_the_disk(plain, raw, large)
            if "https" in only:
                yield from race("one file, https", list(_large(web, web.tls)), root, turns=turns, bounds=_TLS,
                                check=whole([big]), say=say)  # fmt: skip
            if "small" in only:
                yield from race(f"{files:,} files of 64 KiB", list(_many(web, small)), root, turns=turns, bounds=_SMALL,
                                check=whole(small), say=say)  # fmt: skip


def _judged_by_the_disk(placings: Sequence[Placing], raw: float, size: int) -> Iterator[Placing | Figure]:
    """Tell how fast the disk is, and judge how everybody did only if it is fast enough."""
    curl = next(size / placing.wall_s for placing in placings if placing.contender == "curl")
    yield Figure(name="the disk writes, past the cache", value=raw / 1e6, unit="MB/s")
    yield Figure(name="… to curl's rate", value=raw / curl, unit="×")
    is_judged = raw >= LEAST_DISK * curl
    yield from placings if is_judged else (attrs.evolve(placing, bound=None, aim=None) for placing in placings)


def raw_write_rate(folder: Path) -> float:
    """Return how many bytes a second the disk of `folder` takes, past the page cache where that can be."""
    path, data = folder / "raw", memoryview(mmap(-1, RAW_STEP))
    rates: list[float] = []
    for _ in range(3):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_DIRECT", 0))
        try:
            began_s = time.perf_counter()
            for at in range(0, RAW_BYTES, RAW_STEP):
                os.pwrite(descriptor, data, at)
            os.fsync(descriptor)
            rates.append(RAW_BYTES / (time.perf_counter() - began_s))
        finally:
            os.close(descriptor)
            path.unlink()
    return statistics.median(rates)


def whole(resources: Sequence[Resource]) -> Callable[[Path], None]:
    """Return a check that each is there in its full size."""

    def check(folder: Path) -> None:
        for resource in resources:
            found = folder / resource.name
            if not found.is_file() or found.stat().st_size != resource.size:
                raise UsageError(f"{resource.name} did not arrive whole")

    return check


def lading(folder: Path, *words: str) -> list[str]:
    """Return the command by which people would download into a folder, with a home of its own in there."""
    return [sys.executable, "-m", "lading", "--home", str(folder / ".home"), "get", "-d", str(folder), *words]


def _large(web: Web, base: str) -> Iterator[Contender]:
    url, trust = f"{base}large", str(web.certificate)
    yield Contender(
        name=OURS, course=lambda folder: lading(folder, url), environ={"SSL_CERT_FILE": trust, **UNHINDERED}
    )
    unaudited = [sys.executable, "-m", "lading.tools.bench.unaudited", url]
    yield Contender(
        name=UNAUDITED, course=lambda folder: [*unaudited, str(folder)], environ={"SSL_CERT_FILE": trust, **UNHINDERED}
    )
    bare = [sys.executable, "-m", "lading.tools.bench.bare", url]
    yield Contender(name=BARE, course=lambda folder: [*bare, str(folder / "large")], environ={"SSL_CERT_FILE": trust})
    yield Contender(name="curl", course=lambda folder: _curl(trust, url, folder / "large"))
    if shutil.which("wget"):
        wget = ["wget", "-q", f"--ca-certificate={trust}", "-O"]
        yield Contender(name="wget", course=lambda folder: [*wget, str(folder / "large"), url])
    if shutil.which("aria2c"):
        aria = ["aria2c", "-q", f"--ca-certificate={trust}", "-d"]
        yield Contender(name="aria2c", course=lambda folder: [*aria, str(folder), "-o", "large", url])
    loop = [sys.executable, "-c", _HTTPX, url]
    yield Contender(name="httpx in a loop", course=lambda folder: [*loop, str(folder / "large"), trust])
    yield Contender(name=TOOLS, course=lambda folder: _by_hand(_curl(trust, url, folder / "large"), folder, "large"))


def _curl(trust: str, url: str, path: Path) -> list[str]:
    return ["curl", "-sS", "--fail", "--cacert", trust, "-o", str(path), url]


def _many(web: Web, small: Sequence[Resource]) -> Iterator[Contender]:
    urls = [f"{web.plain}{resource.name}" for resource in small]
    yield Contender(
        name=OURS,
        course=lambda folder: lading(folder, "--concurrency", str(AT_ONCE), *urls),
        environ={"LADING_PER_HOST": str(CONNECTIONS), **UNHINDERED},
    )
    yield Contender(
        name=NARROW,
        course=lambda folder: lading(folder, "--concurrency", str(CONNECTIONS), *urls),
        environ=UNHINDERED,
    )
    yield Contender(name="curl", course=lambda folder: _curl_many(urls, folder))
    if shutil.which("aria2c"):
        yield Contender(name="aria2c", course=lambda folder: _aria_many(urls, folder))
    yield Contender(name=TOOLS, course=lambda folder: _by_hand(_curl_many(urls, folder), folder, "small-*"))


def _curl_many(urls: Sequence[str], folder: Path) -> list[str]:
    config = folder / ".curl"
    config.write_text("".join(f'url = "{url}"\noutput = "{folder / url.rpartition("/")[2]}"\n' for url in urls))
    return ["curl", "-sS", "--fail", "-Z", "--parallel-max", str(CONNECTIONS), "-K", str(config)]


def _aria_many(urls: Sequence[str], folder: Path) -> list[str]:
    listed = folder / ".aria2"
    listed.write_text("\n".join(urls))
    return ["aria2c", "-q", f"-j{CONNECTIONS}", "-d", str(folder), "-i", str(listed)]


def _by_hand(fetch: Sequence[str], folder: Path, pattern: str) -> list[str]:
    there = shlex.quote(str(folder))
    return ["sh", "-ec", f"cd {there}; {shlex.join(fetch)}; sha256sum {pattern} > sums; sync -d {pattern} sums"]
