"""One owner per file (law 6): a worker that was only stopped comes back after another has taken over and published."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import attrs
import pytest
import trio

import lading
from lading.domain import events as e
from lading.home import open_home
from lading.opening import open_reading
from lading.tools.origin import Behaviour, OriginProcess, Resource, Stall
from lading.tools.torture import victim

MIB = 1 << 20
FILE = Resource("file.bin", 3 * MIB, "takeover")
STALL = Stall(seconds=4.0, at=MIB, times=1)
LONGEST_S = 30.0
LOOK_S = 0.05


@pytest.fixture
def origin() -> Iterator[OriginProcess]:
    """An origin that falls silent after the first MiB that it ever sends, and then goes on."""
    with OriginProcess([FILE]) as origin:
        origin.set(FILE.name, Behaviour(rate=MIB, stall=STALL))
        yield origin


def worker(home: Path, files: Path, origin: OriginProcess) -> subprocess.Popen[bytes]:
    """An engine in a process of its own that checkpoints often, at work."""
    plan = victim.Plan(
        home=os.fspath(home), downloads=os.fspath(files), root=origin.root, seed="", batch=0, share=0.0, last=True
    )
    command = [sys.executable, "-m", victim.__name__, json.dumps(attrs.asdict(plan))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    process.stdin.write(b"go\n")
    process.stdin.close()
    return process


async def until(true: Callable[[], bool]) -> None:
    """Wait until something holds."""
    with trio.fail_after(LONGEST_S):
        while not true():
            await trio.sleep(LOOK_S)


def durable(home: Path, id: UUID) -> int:
    """How many bytes the log vouches for."""
    reading = open_reading(open_home(home, new_id=None))
    try:
        reading.catch_up()
        return reading.get(id).received
    finally:
        reading.close()


@pytest.mark.long
@pytest.mark.law(6)
@pytest.mark.timeout(100)
async def test_a_stopped_worker_that_resumes_touches_nothing_that_its_successor_published(
    tmp_path: Path, origin: OriginProcess
):
    """Fenced by the log and kept off the file by its inode, it removes its own part and ends in good order."""
    home, files = tmp_path / "home", tmp_path / "files"
    async with lading.open_engine(home, downloads=files, role="client") as client:
        id = (await client.submit(lading.Request(origin.url(FILE.name), digest=FILE.digest(), connections=1))).id
    with worker(home, files, origin) as stopped:
        try:
            await until(lambda: durable(home, id) >= MIB // 2)
            seen_s = trio.current_time()
            stopped.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
            (home / "engine.lock").unlink()
            vouched = durable(home, id)

            async with lading.open_engine(home, downloads=files, role="owner") as successor:
                with trio.fail_after(LONGEST_S):
                    outcome = await successor.wait(id)
                published = files / FILE.name
                assert outcome.path == os.fspath(published)
                assert outcome.attempts == 2
                before = published.stat()
                first = next(event for event in told_of(home, id) if isinstance(event, e.Started))
                assert (files / first.part).stat().st_ino != before.st_ino, "its part is not the published file"

                await trio.sleep_until(seen_s + STALL.seconds + LOOK_S)  # by now there are bytes for it to write
                stopped.send_signal(signal.SIGCONT)
                code = await trio.to_thread.run_sync(lambda: stopped.wait(LONGEST_S))
        finally:
            stopped.kill()
    after = published.stat()
    assert code == 0
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
    assert f"sha256:{hashlib.sha256(published.read_bytes()).hexdigest()}" == FILE.digest() == outcome.digest
    assert [path.name for path in files.iterdir()] == [FILE.name], "each worker has removed its own part"
    told = told_of(home, id)
    second = next(n for n, event in enumerate(told) if isinstance(event, e.Started) and event.attempt == 2)
    assert all(getattr(event, "attempt", 2) == 2 for event in told[second:]), "the fenced worker says nothing"
    assert [type(event) for event in told].count(e.Completed) == 1
    copied = next(event for event in told[second:] if isinstance(event, e.Progressed))
    assert copied.pieces[-1].end == vouched, "what the log vouched for was copied into the new part"


def told_of(home: Path, id: UUID) -> list[e.Event]:
    """The events of a download."""
    reading = open_reading(open_home(home, new_id=None))
    try:
        return [fact.event for fact in reading.stream(id)]
    finally:
        reading.close()
