"""A real file system of 64 MiB, filled up in the middle of ten downloads: all of them block, and all of them finish.

The second time the log lies on it too. It is ext4 on a loop device, which needs root; else this is skipped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import trio

import lading
from lading.domain import events as e
from lading.domain.states import State
from lading.tools.origin import Behaviour, Resource
from lading.tools.origin.process import OriginProcess

pytestmark = [
    pytest.mark.long,
    pytest.mark.row("S2.10"),
    pytest.mark.row("S1.4"),
    pytest.mark.law(2),
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::lading.adapters.lmdb.ground.GroundWarning"),
]

MIB = 1024 * 1024
FILES = [Resource(f"file{number}", 5 * MIB, f"seed{number}") for number in range(10)]


@pytest.fixture
def small(tmp_path):
    """A file system of 64 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    image, mount = tmp_path / "image", tmp_path / "small"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    steps = [["mkfs.ext4", "-q", "-F", str(image)], ["mount", "-o", "loop", str(image), str(mount)]]
    for step in steps:
        if shutil.which(step[0]) is None or subprocess.run(step, capture_output=True, check=False).returncode:
            pytest.skip(f"{step[0]} does not work here")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def fill(folder: Path) -> Path:
    """Write until the file system has no room left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(64 * 1024))
    return ballast


@pytest.mark.parametrize("log_there", [False, True])
async def test_all_block_on_a_full_file_system_and_all_finish_once_there_is_room(small, tmp_path, log_there):
    """No retry is spent, nothing is lost, digests are right, and the log is whole, wherever it lies."""
    home = (small if log_there else tmp_path) / "home"
    settings = lading.Settings(concurrency=10, reserve_bytes=0, disk_free_percent=0, retries=0, watch_s=0.2)
    with OriginProcess(FILES) as origin:
        for file in FILES:
            origin.set(file.name, Behaviour(rate=1_200_000))
        async with lading.open_engine(home, downloads=small / "files", settings=settings) as engine:
            requests = [lading.Request(origin.url(f.name), digest=f.digest(), connections=1) for f in FILES]
            ids = [(await engine.submit(request)).id for request in requests]
            await trio.sleep(1.5)
            ballast = fill(small)
            await trio.sleep(7)
            looks = [await engine.get(id) for id in ids]
            assert State.COMPLETED not in {look.state for look in looks}
            if not log_there:
                assert {look.blocked for look in looks} == {"disk"}
            ballast.unlink()
            with trio.fail_after(60):
                outcomes = [await engine.wait(id) for id in ids]
            assert all(outcome.ok for outcome in outcomes)
            facts = [fact.event for id in ids for fact in engine.reading.stream(id)]
    assert not [event for event in facts if isinstance(event, e.RetryScheduled | e.Failed)]
    for file, outcome in zip(FILES, outcomes, strict=True):
        assert Path(outcome.path).read_bytes() == file.read(0, file.size)
    verified = subprocess.run(
        ["lading", "--home", str(home), "verify", "--files", "--views"], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stderr
